"""Loss of contrastive pseudo-learning (CPL) for a batch of labelled and unlabelled images."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from salix.hyperparameters import check_fields, number
from salix.studies.openworld.voting import find_partners, voting_loss
from salix.typing import AnyArray, PRNGKey, Scalar

NOT_NEGATIVE = number(lambda n: n >= 0, remedy="give a number of at least 0")


def margin_cross_entropy(
    logits: Float[AnyArray, "n c"], labels: Int[AnyArray, " n"], margin: float = -0.2
) -> Float[Array, " n"]:
    r"""Return $-\log \mathrm{softmax}(z - m\,e_y)_y$ of each image, in nats.

    A negative margin m raises the logit of the true class, so that known classes are learned no
    faster than novel ones are clustered. Sun et al. (2023), arXiv:2309.11132, as released.
    """
    logits, labels = jnp.asarray(logits), jnp.asarray(labels)
    shifted = logits - margin * jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    return -jnp.take_along_axis(jax.nn.log_softmax(shifted), labels[:, None], axis=-1)[:, 0]


def soft_pseudo_label_loss(
    logits: Float[AnyArray, "n c"],
    vote: Bool[AnyArray, " n"],
    key: PRNGKey,
    *,
    detached: bool = False,
    temperature: float = 1.0,
) -> Float[Array, " n"]:
    r"""Return $M_i\,c_i\,H(q_i, p_i)$ of each image: confidence-based soft pseudo-labels, in nats.

    $q_i = \mathrm{softmax}((z_i + g) / \tau)$ with Gumbel noise g, without a gradient; the
    confidence is $c_i = p_i[\arg\max q_i]$, and M the vote. In the released code the gradient flows
    through $c_i$ as well, which lowers confidence for images that are hard to fit; with `detached`
    it does not.
    """
    log_p = jax.nn.log_softmax(logits)
    noise = jax.random.gumbel(key, logits.shape, logits.dtype)
    q = jax.lax.stop_gradient(jax.nn.softmax((logits + noise) / temperature))
    confidence = jnp.take_along_axis(jnp.exp(log_p), q.argmax(-1, keepdims=True), axis=-1)[:, 0]
    if detached:
        confidence = jax.lax.stop_gradient(confidence)
    return jnp.where(vote, confidence * -(q * log_p).sum(-1), 0)


def batch_entropy(logits: Float[AnyArray, "n c"]) -> Scalar:
    r"""Return the entropy of the mean prediction, $-\sum_c \bar p_c \ln \bar p_c$, in nats.

    0 where all images are of one class, $\ln c$ for equal shares.
    """
    log_mean = jax.nn.logsumexp(jax.nn.log_softmax(logits), axis=0) - jnp.log(len(logits))
    return -(jnp.exp(log_mean) * log_mean).sum()


@dataclass(frozen=True)
class CPL:
    r"""Contrastive pseudo-learning: $L_{CE} + a\,L_{GLV} + b\,L_{CSP} - h\,H$.

    The cross-entropy with negative margin is the mean over labelled images, the voting loss over
    all, that of pseudo-labels over unlabelled ones; H is the entropy of the mean prediction.
    A weight of 0 leaves a term out. `detached` stops the gradient through the confidence of a
    pseudo-label, which the released code lets through.

    Sun et al. (2023), arXiv:2309.11132; weights of the released code.
    """

    views: ClassVar[int] = 1

    margin: float = -0.2
    voting: float = 0.5
    pseudo: float = 0.5
    entropy: float = 1.0
    detached: bool = False

    def __post_init__(self) -> None:
        check_fields(self, voting=NOT_NEGATIVE, pseudo=NOT_NEGATIVE, entropy=NOT_NEGATIVE)

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
        keys = jax.random.split(key)
        partners = find_partners(global_features, local_features, labels, labelled, keys[0])
        safe = jnp.where(labelled, labels, 0)
        pseudo = soft_pseudo_label_loss(logits, partners.vote, keys[1], detached=self.detached)
        terms = {
            "cross_entropy": mean_of(margin_cross_entropy(logits, safe, self.margin), labelled),
            "voting": voting_loss(logits, partners.index).mean(),
            "pseudo": mean_of(pseudo, ~labelled),
            "entropy": batch_entropy(logits),
        }
        weights = {"voting": self.voting, "pseudo": self.pseudo, "entropy": -self.entropy}
        loss = terms["cross_entropy"]
        for name, weight in weights.items():
            loss = loss + weight * terms[name] if weight else loss
        return {"loss": loss, **terms}


def mean_of(values: Float[AnyArray, " n"], chosen: Bool[AnyArray, " n"]) -> Scalar:
    """Return the mean over chosen images, 0 without any."""
    return jnp.where(chosen, values, 0).sum() / jnp.maximum(chosen.astype(values.dtype).sum(), 1)
