"""Small detector of grey face images, which trains in seconds."""

from flax import nnx
from jax import numpy as jnp
from jaxtyping import Array, Float

from salix.nn import Stage, StagedNetwork, avg_pool, flax_conv, relu, sequence
from salix.typing import AnyArray

CLASSES = ("real", "fake")
WIDTHS = (16, 32, 64, 64)
STRIDES = (2, 2, 2, 1)


class Small(StagedNetwork):
    """Four convolutions 3x3 of a grey image [b 64 64 1] and its high-pass, mean, linear layer.

    Three of them have stride 2: features [b 8 8 64]. The high-pass channel, the image less its
    3x3 mean, shows the smoothness of generated regions (compare the fixed residual filters of
    Fridrich and Kodovsky, 2012, IEEE TIFS 7(3)). The head is linear in the mean of the features,
    so that a CAM is exact. 60,498 parameters, no normalisation layers.
    """

    def __init__(self, rngs: nnx.Rngs):
        sizes = zip((2, *WIDTHS), WIDTHS, STRIDES, strict=False)
        layers = [flax_conv(i, o, 3, strides=s, rngs=rngs) for i, o, s in sizes]
        self.convolutions = nnx.List(layers)
        self.classifier = nnx.Linear(WIDTHS[-1], len(CLASSES), rngs=rngs)

    def named_stages(self) -> dict[str, Stage]:
        """Return `conv1` to `conv4`, each with its ReLU, the first with the high-pass channel."""
        stages = {
            f"conv{i}": sequence(convolution, relu)
            for i, convolution in enumerate(self.convolutions, 1)
        }
        return stages | {"conv1": sequence(_with_high_pass, stages["conv1"])}

    def classify(self, features: Float[AnyArray, "b y x 64"]) -> Float[Array, "b 2"]:
        """Return the logits of conv4's features."""
        return self.classifier(jnp.asarray(features).mean(axis=(1, 2)))


def _with_high_pass(x: Float[AnyArray, "b h w 1"]) -> Float[Array, "b h w 2"]:
    mean = avg_pool(jnp.asarray(x), 3, 1, padding="SAME", count_padding=False)
    return jnp.concatenate([2 * x - 1, 32 * (x - mean)], axis=-1)
