"""Rules of hard pseudo-labels: which unlabelled images count, and their running state."""

from dataclasses import dataclass
from typing import Protocol

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from salix.typing import AnyArray

State = Float[AnyArray, " numbers"]


class PseudoLabelRule(Protocol):
    """A rule: a frozen dataclass with its thresholds, and a state of a few numbers."""

    def start(self, classes: int) -> State:
        """Return the state before the first batch."""
        ...

    def __call__(
        self, p: Float[AnyArray, "n c"], state: State
    ) -> tuple[Bool[Array, " n"], Float[Array, " numbers"]]:
        """Return whether each image counts, by its probabilities, and the next state."""
        ...


def pseudo_label_loss(
    logits: Float[AnyArray, "n c"], counted: Bool[AnyArray, " n"]
) -> Float[Array, " n"]:
    r"""Return $M_i \cdot -\ln p_i[\hat y_i]$ with $\hat y$ the predicted class, in nats."""
    log_p = jax.nn.log_softmax(logits)
    return jnp.where(counted, -log_p.max(-1), 0)


@dataclass(frozen=True)
class MaxMatch:
    """Every unlabelled image counts, with its predicted class."""

    def start(self, classes: int) -> State:
        """Return no state."""
        return jnp.zeros(0)

    def __call__(
        self, p: Float[AnyArray, "n c"], state: State
    ) -> tuple[Bool[Array, " n"], Float[Array, " numbers"]]:
        return jnp.ones(len(p), bool), jnp.asarray(state)


@dataclass(frozen=True)
class FixMatch:
    r"""Images with $\max p \ge \tau$ count. Sohn et al. (2020), arXiv:2001.07685, eq. 4."""

    threshold: float = 0.95

    def start(self, classes: int) -> State:
        """Return no state."""
        return jnp.zeros(0)

    def __call__(
        self, p: Float[AnyArray, "n c"], state: State
    ) -> tuple[Bool[Array, " n"], Float[Array, " numbers"]]:
        return jnp.asarray(p).max(-1) >= self.threshold, jnp.asarray(state)


@dataclass(frozen=True)
class FlexMatch:
    r"""Images above the threshold of their predicted class count: $\tau\,\beta / (2 - \beta)$.

    $\beta_c = \sigma_c / \max(\max \sigma, N - \sum \sigma)$, with $\sigma_c$ the images of class c
    whose $\max p \ge \tau$, summed over batches, and N all images. The paper counts the last
    prediction of each image of the data set; here counts of batches decay by `momentum`, for a
    batch is all that is known of it.

    Zhang et al. (2021), arXiv:2110.08263, eqs. 5, 7, 11.
    """

    threshold: float = 0.95
    momentum: float = 0.999

    def start(self, classes: int) -> State:
        """Return the counts of the classes, and that of all images."""
        return jnp.zeros(classes + 1)

    def __call__(
        self, p: Float[AnyArray, "n c"], state: State
    ) -> tuple[Bool[Array, " n"], Float[Array, " numbers"]]:
        p, state = jnp.asarray(p), jnp.asarray(state)
        best, predicted = p.max(-1), p.argmax(-1)
        sure = jax.nn.one_hot(predicted, p.shape[-1], dtype=state.dtype)
        counts = jnp.where((best >= self.threshold)[:, None], sure, 0).sum(0)
        batch = jnp.append(counts, jnp.asarray(len(p), state.dtype))
        state = self.momentum * state + (1 - self.momentum) * batch
        learned, total = state[:-1], state[-1]
        beta = learned / jnp.maximum(jnp.maximum(learned.max(), total - learned.sum()), 1e-12)
        return best >= (self.threshold * beta / (2 - beta))[predicted], state


@dataclass(frozen=True)
class FreeMatch:
    r"""Images above the running threshold of their class count.

    $\tau_t$ is the running mean of $\max p$, $\tilde p_t$ that of p, both from 1 / c and with
    `momentum`; the threshold of class c is $\tau_t\,\tilde p_t(c) / \max \tilde p_t$.

    Wang et al. (2023), arXiv:2205.07246, eqs. 5 to 8.
    """

    momentum: float = 0.999

    def start(self, classes: int) -> State:
        """Return the running mean of p, and that of its maximum."""
        return jnp.full(classes + 1, 1 / classes)

    def __call__(
        self, p: Float[AnyArray, "n c"], state: State
    ) -> tuple[Bool[Array, " n"], Float[Array, " numbers"]]:
        p, state = jnp.asarray(p), jnp.asarray(state)
        best = p.max(-1)
        batch = jnp.append(p.mean(0), best.mean()).astype(state.dtype)
        state = self.momentum * state + (1 - self.momentum) * batch
        means, threshold = state[:-1], state[-1]
        return best >= (threshold * means / means.max())[p.argmax(-1)], state


RULES: dict[str, type[PseudoLabelRule]] = {
    "MaxMatch": MaxMatch,
    "FixMatch": FixMatch,
    "FlexMatch": FlexMatch,
    "FreeMatch": FreeMatch,
}
