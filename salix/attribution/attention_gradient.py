"""Attention times its gradient, propagated through the layers."""

from dataclasses import dataclass
from typing import ClassVar

import jax
from jaxtyping import Array, Float

from salix.attribution.attention_weights import attention_weights, through_layers
from salix.typing import Image, Passes, PRNGKey, ScoreLike


@dataclass(frozen=True)
class AttentionGradient:
    r"""Attention x gradient: class token's row of $\prod_l (I + E_h[(\nabla A_l \odot A_l)^+])$.

    $A_l$ are the attention weights of layer l, $\nabla A_l$ the gradients of the score at them, and
    the mean of the positive products is over the heads h: $R \leftarrow R + \bar A_l R$ from the
    first layer to the last, R = I at first. The map of the class that the score explains lies on
    the grid of the patches, at least 0 and unscaled. Of a transformer without a class token the row
    is the mean over all tokens.

    Weights are found, and errors are, as for `AttentionRollout`.

    Chefer, Gur and Wolf (2021), arXiv:2103.15679, eq. 5 and 6, for self-attention.
    """

    pooling: ClassVar[str] = "signed_sum"  # one channel

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the model passes of one image of a shape [*space c]."""
        del shape
        return Passes(gradients=1)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Float[Array, "*grid 1"]:
        del key  # deterministic
        layers = [
            jax.nn.relu(a.gradients * a.weights).mean(0) for a in attention_weights(score, image)
        ]
        return through_layers(layers, lambda row, passed: row + passed, image.shape[:-1])
