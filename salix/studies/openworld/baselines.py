"""Losses of other works on new classes: self-labelling, and contrasts of views and labels."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from salix.hyperparameters import check_fields, integer, number
from salix.studies.openworld.losses import margin_cross_entropy, mean_of
from salix.typing import AnyArray, PRNGKey, Scalar

POSITIVE = number(lambda n: n > 0, remedy="give a number above 0")
SHARE = number(lambda n: 0 <= n <= 1, remedy="give a share from 0 to 1")


def equal_shares(
    logits: Float[AnyArray, "n c"], chosen: Bool[AnyArray, " n"], sharpness: float, rounds: int
) -> Float[Array, "n c"]:
    r"""Return soft labels near $p^\lambda$ with equal shares of the classes among chosen images.

    Rounds of Sinkhorn and Knopp (1967) divide columns by their sums over chosen images, then rows
    by theirs: a row adds up to 1, a column to about 1 / c of the chosen. No gradient.
    """
    q = sharpness * jax.nn.log_softmax(jax.lax.stop_gradient(jnp.asarray(logits)))
    for _ in range(rounds):
        q = q - jax.nn.logsumexp(jnp.where(chosen[:, None], q, -jnp.inf), axis=0, keepdims=True)
        q = q - jax.nn.logsumexp(q, axis=1, keepdims=True)
    return jnp.exp(q)


@dataclass(frozen=True)
class SelfLabelling:
    r"""Cross-entropy of labels, and of soft labels with equal shares: $L_{CE} + w\,H(q, p)$.

    q are the soft labels of unlabelled images, by `equal_shares` among those of the batch.

    Asano et al. (2020), arXiv:1911.05371, sec. 3.1, here within a batch.
    """

    views: ClassVar[int] = 1

    weight: float = 1.0
    sharpness: float = 4.0
    rounds: int = 3

    def __post_init__(self) -> None:
        check_fields(self, weight=POSITIVE, sharpness=POSITIVE, rounds=integer(1))

    def __call__(
        self,
        logits: Float[AnyArray, "n c"],
        global_features: Float[AnyArray, "n d"],
        local_features: Float[AnyArray, "n parts d"],
        labels: Int[AnyArray, " n"],
        labelled: Bool[AnyArray, " n"],
        key: PRNGKey,
    ) -> dict[str, Scalar]:
        """Return `loss` and its terms by name, of a batch; a term without images is 0."""
        del global_features, local_features, key
        anyone = jnp.where((~labelled).any(), ~labelled, True)  # sums of no image are no number
        q = equal_shares(logits, anyone, self.sharpness, self.rounds)
        safe = jnp.where(labelled, labels, 0)
        terms = {
            "cross_entropy": mean_of(margin_cross_entropy(logits, safe, 0.0), labelled),
            "pseudo": mean_of(-(q * jax.nn.log_softmax(logits)).sum(-1), ~labelled),
        }
        return {"loss": terms["cross_entropy"] + self.weight * terms["pseudo"], **terms}


@dataclass(frozen=True)
class ContrastiveDiscovery:
    r"""Contrasts of two views of all images and of labels: $(1 - \lambda) L_u + \lambda L_s$.

    With $s_{ij}$ the cosine of global features over a temperature and $v_i$ the other view of i,
    $L_u = -\log (e^{s_{i v_i}} / \sum_{j \ne i} e^{s_{ij}})$ over all images, and $L_s$ the mean of
    the same over all j of the label of i, among labelled images. The batch has the first view of
    every image, then the second. Here the features themselves are compared; the paper projects them
    by a further network during training.

    Vaze et al. (2022), arXiv:2201.02609, sec. 3.1 (generalised category discovery, GCD).
    """

    views: ClassVar[int] = 2

    supervised: float = 0.35
    temperature: float = 0.2
    label_temperature: float = 0.1

    def __post_init__(self) -> None:
        check_fields(self, supervised=SHARE, temperature=POSITIVE, label_temperature=POSITIVE)

    def __call__(
        self,
        logits: Float[AnyArray, "n c"],
        global_features: Float[AnyArray, "n d"],
        local_features: Float[AnyArray, "n parts d"],
        labels: Int[AnyArray, " n"],
        labelled: Bool[AnyArray, " n"],
        key: PRNGKey,
    ) -> dict[str, Scalar]:
        """Return `loss` and its terms by name, of a batch; a term without images is 0."""
        del logits, local_features, key
        count = len(global_features)
        own, every = jnp.eye(count, dtype=bool), jnp.ones(count, bool)
        other = jnp.roll(own, count // 2, axis=1)
        alike = (labels[:, None] == labels[None]) & labelled[:, None] & labelled[None] & ~own
        terms = {
            "views": contrast(global_features, other, every, self.temperature).mean(),
            "labels": mean_of(
                contrast(global_features, alike, labelled, self.label_temperature), alike.any(1)
            ),
        }
        share = self.supervised
        return {"loss": (1 - share) * terms["views"] + share * terms["labels"], **terms}


def contrast(
    features: Float[AnyArray, "n d"],
    positive: Bool[AnyArray, "n n"],
    chosen: Bool[AnyArray, " n"],
    temperature: float,
) -> Float[Array, " n"]:
    r"""Return the mean over positive j of $-\log (e^{s_{ij}} / \sum_{k \ne i} e^{s_{ik}})$.

    k runs over chosen images. 0 where an image has no positive one.

    Khosla et al. (2020), arXiv:2004.11362, eq. 2.
    """
    features = jnp.asarray(features)
    units = features / jnp.maximum(jnp.linalg.norm(features, axis=-1, keepdims=True), 1e-12)
    similar = units @ units.T / temperature
    others = ~jnp.eye(len(features), dtype=bool) & chosen[None]
    total = jax.nn.logsumexp(jnp.where(others, similar, -1e9), axis=1, keepdims=True)
    losses = jnp.where(positive, total - similar, 0).sum(1)
    return losses / jnp.maximum(positive.sum(1, dtype=losses.dtype), 1)
