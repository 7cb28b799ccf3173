"""Functions of the logits that a map can explain: logit, probability, margin, difference."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, is_dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from salix.hyperparameters import (
    Hyperparameter,
    check_fields,
    check_value,
    integer,
    number,
    several,
)
from salix.precision import widen
from salix.typing import Index, InputError, Logits, Scalar

TargetClass = int | str | Index | None


def _plain_target(value: Any) -> Any:
    if value is None or (isinstance(value, str) and value):
        return value
    if isinstance(value, Tracer) and value.shape == () and jnp.issubdtype(value.dtype, jnp.integer):
        return value
    return integer(0).plain(value)


TARGET = Hyperparameter(
    _plain_target, "give a class by its index, from 0, or by its name; None is the predicted class"
)


def _class_index(target: TargetClass, logits: Logits) -> Index:
    """Return the index of the explained class; None means the predicted one."""
    if isinstance(target, str):
        raise InputError(
            f"target is {target!r}, and only a model knows the names of its classes: "
            f"call model.score(params, score), or give the index of the class"
        )
    if isinstance(target, int):
        check_value("target", target, integer(0, logits.shape[0] - 1))
    return jnp.argmax(logits) if target is None else jnp.asarray(target)


@dataclass(frozen=True)
class logit:  # noqa: N801 - used as a function of the logits
    r"""Logit of one class, $z_t$: unbounded, without the competition of the other classes.

    `target` is the index of the class, from 0, or its name in a model; None explains the predicted
    class. Raises `InputError` for any other target.
    """

    target: TargetClass = None

    def __post_init__(self) -> None:
        check_fields(self, target=TARGET)

    def __call__(self, logits: Logits) -> Scalar:
        return jnp.asarray(logits)[_class_index(self.target, logits)]


@dataclass(frozen=True)
class probability:  # noqa: N801
    r"""Softmax probability of one class, $e^{z_t} / \sum_j e^{z_j}$, in [0, 1].

    `target` is the index of the class, from 0, or its name in a model; None explains the predicted
    class. Raises `InputError` for any other target.
    """

    target: TargetClass = None

    def __post_init__(self) -> None:
        check_fields(self, target=TARGET)

    def __call__(self, logits: Logits) -> Scalar:
        return jax.nn.softmax(logits)[_class_index(self.target, logits)]


@dataclass(frozen=True)
class margin:  # noqa: N801
    r"""Lead of one class over its strongest rival, $z_t - \max_{j \ne t} z_j$, in logits.

    With two classes it is $z_t - z_{1-t}$, the only thing that a softmax sees (Wang et al., 2025,
    arXiv:2506.08514). `target` and errors as those of `logit`.
    """

    target: TargetClass = None

    def __post_init__(self) -> None:
        check_fields(self, target=TARGET)

    def __call__(self, logits: Logits) -> Scalar:
        logits, t = jnp.asarray(logits), _class_index(self.target, logits)
        rivals = jnp.where(jnp.arange(logits.shape[0]) == t, -jnp.inf, logits)
        return logits[t] - rivals.max()


def _plain_rivals(value: Any) -> Any:
    if isinstance(value, (tuple, list)) and value:
        return tuple(integer(0).plain(index) for index in value)
    return integer(1).plain(value)


RIVALS = Hyperparameter(
    _plain_rivals, "give the number of rivals, 1 or more, or a tuple of their indices, from 0"
)


@dataclass(frozen=True)
class difference:  # noqa: N801
    r"""Logit of one class less those of similar classes, $z_t - \alpha\,mean_{d \in D}\,z_d$.

    D are the `rivals` classes whose logits are nearest to that of the class, as many as there are,
    or the classes of a tuple of indices. `alpha` is the strength of the comparison: 0 is `logit`.
    D counts as constant in derivatives. `target` and errors as those of `logit`; raises
    `InputError` for other rivals and an alpha that is not finite.

    The score of Finer-CAM, Zhang et al. (2025), arXiv:2501.11309, sec. 3: any method explains it.
    pytorch-grad-cam weights D by its softmax probabilities, whose derivatives it takes as well.
    """

    target: TargetClass = None
    rivals: int | tuple[int, ...] = 3
    alpha: float | int = 1.0

    def __post_init__(self) -> None:
        check_fields(self, target=TARGET, rivals=RIVALS, alpha=number())

    def __call__(self, logits: Logits) -> Scalar:
        logits, t = jnp.asarray(logits), _class_index(self.target, logits)
        count = logits.shape[0]
        if isinstance(self.rivals, tuple):
            chosen = several(integer(0, count - 1), remedy=f"give indices from 0 to {count - 1}")
            nearest = jnp.array(check_value("rivals", self.rivals, chosen))
        else:
            fixed = jax.lax.stop_gradient(logits)
            distance = jnp.where(jnp.arange(count) == t, jnp.inf, jnp.abs(fixed - fixed[t]))
            nearest = jax.lax.top_k(-distance, max(1, min(self.rivals, count - 1)))[1]
        return logits[t] - jnp.asarray(self.alpha, logits.dtype) * logits[nearest].mean()


SCORES = {
    "logit": logit,
    "probability": probability,
    "margin": margin,
    "difference": difference,
}
ScoreOf = Callable[[Logits], Scalar]


def fix(score_of: Any, target: Index) -> ScoreOf:
    """Return `score_of` with its predicted class replaced by the index `target`.

    A score of a fixed class, and a plain function of the logits, are returned unchanged.
    """
    follows_prediction = getattr(score_of, "target", target) is None
    return _with_target(score_of, target) if follows_prediction else score_of


def _with_target(score_of: Any, target: Any) -> Any:
    if not is_dataclass(score_of):
        raise InputError(
            f"the score {type(score_of).__name__} has a target that cannot be replaced by the "
            "explained class: give a frozen dataclass with the field target, or a function of the "
            "logits without it"
        )
    fixed: Any = score_of  # an object, as `getattr` has shown
    return replace(fixed, target=target)


def resolve(score_of: Any, classes: Sequence[str]) -> ScoreOf:
    """Return `score_of` with the name of its class replaced by the class's index.

    Names are compared exactly, then without case. Raises `InputError` for a target that is no
    class.
    """
    target = check_value("target", getattr(score_of, "target", None), TARGET)
    if isinstance(target, str):
        folded = [name.casefold() for name in classes]
        for names, wanted in ((list(classes), target), (folded, target.casefold())):
            if wanted in names:
                return _with_target(score_of, names.index(wanted))
    elif target is None or isinstance(target, Tracer) or target < len(classes):
        return score_of
    known = ", ".join(f"{name} ({i})" for i, name in enumerate(classes))
    raise InputError(
        f"target is {target!r}: there is no such class among {len(classes)}, give {known}"
    )


def as_logits(z: Any) -> Logits:
    """Return the outputs of a head as logits, in 32 bits or more.

    A single output z becomes (-z/2, z/2).
    """
    z = widen(z)
    return jnp.stack([-z / 2, z / 2]).reshape(2) if z.shape in ((), (1,)) else z
