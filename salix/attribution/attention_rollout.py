"""Attention rollout: the product of the attention weights of all layers."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Array, Float

from salix.attribution.attention_weights import attention_weights, through_layers
from salix.typing import Image, Passes, PRNGKey, ScoreLike


@dataclass(frozen=True)
class AttentionRollout:
    r"""Attention rollout, the class token's row of $\prod_l (A_l + I) / 2$, last layer first.

    $A_l$ are the attention weights of layer l, the mean over its heads, and I the residual
    connection. The row says how much of each patch reaches the class token, if tokens mix as the
    weights say; of a transformer without a class token it is the mean over all tokens. The map lies
    on the grid of the patches, at least 0, and adds up to at most 1. It is the same for every
    class: no gradient is used.

    Weights are found in the traced program: values named by `jax.ad_checkpoint.checkpoint_name(
    weights, "attention")`, and softmaxes of as many queries as keys, such as those of
    `jax.nn.dot_product_attention` and Flax. Raises `InputError` for a score without attention
    weights, for windows or tokens that change between layers, and for tokens that fit no grid.

    Abnar and Zuidema (2020), arXiv:2005.00928, sec. 3.
    """

    pooling: ClassVar[str] = "signed_sum"  # one channel

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the model passes of one image of a shape [*space c]."""
        del shape
        return Passes(evaluations=1)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Float[Array, "*grid 1"]:
        del key  # deterministic
        layers = [a.weights.mean(0) for a in attention_weights(score, image)]
        return through_layers(layers, lambda row, passed: (row + passed) / 2, image.shape[:-1])
