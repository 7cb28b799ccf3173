"""Functions of the logits that a map can explain: logit, probability and margin of one class."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp

from salix.typing import Index, Logits, Scalar

TargetClass = int | Index | None


def _class_index(target: TargetClass, logits: Logits) -> Index:
    """Return the index of the explained class; None means the predicted one."""
    return jnp.argmax(logits) if target is None else jnp.asarray(target)


@dataclass(frozen=True)
class logit:  # noqa: N801 - used as a function of the logits
    r"""Logit of one class, $z_t$: unbounded, without the competition of the other classes.

    `target` is the index of the class; None explains the predicted class.
    """

    target: TargetClass = None

    def __call__(self, logits: Logits) -> Scalar:
        return jnp.asarray(logits)[_class_index(self.target, logits)]


@dataclass(frozen=True)
class probability:  # noqa: N801
    r"""Softmax probability of one class, $e^{z_t} / \sum_j e^{z_j}$, in [0, 1].

    `target` is the index of the class; None explains the predicted class.
    """

    target: TargetClass = None

    def __call__(self, logits: Logits) -> Scalar:
        return jax.nn.softmax(logits)[_class_index(self.target, logits)]


@dataclass(frozen=True)
class margin:  # noqa: N801
    r"""Lead of one class over its strongest rival, $z_t - \max_{j \ne t} z_j$, in logits.

    With two classes it is $z_t - z_{1-t}$, the only thing that a softmax sees (Wang et al., 2025,
    arXiv:2506.08514). `target` is the index of the class; None explains the predicted class.
    """

    target: TargetClass = None

    def __call__(self, logits: Logits) -> Scalar:
        logits, t = jnp.asarray(logits), _class_index(self.target, logits)
        rivals = jnp.where(jnp.arange(logits.shape[0]) == t, -jnp.inf, logits)
        return logits[t] - rivals.max()


SCORES = {"logit": logit, "probability": probability, "margin": margin}
ScoreOf = Callable[[Logits], Scalar]


def fix(score_of: Any, target: Index) -> ScoreOf:
    """Return `score_of` with its predicted class replaced by the index `target`.

    A score of a fixed class, and a plain function of the logits, are returned unchanged.
    """
    follows_prediction = getattr(score_of, "target", target) is None
    return replace(score_of, target=target) if follows_prediction else score_of


def as_logits(z: Any) -> Logits:
    """Return the outputs of a head as logits: a single output z becomes (-z/2, z/2)."""
    return jnp.concatenate([-z / 2, z / 2]) if z.shape == (1,) else z
