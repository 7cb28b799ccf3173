"""Small classifiers of images, of the families of the release."""

from functools import partial

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from salix.models.cifar import CifarResNet
from salix.models.transformer import VisionTransformer
from salix.models.transformer_config import TransformerConfig
from salix.nn import Conv, Stage, StagedNetwork, max_pool, relu, sequence
from salix.studies.chaosmining.signals.data import CLASSES
from salix.typing import AnyArray

WIDTHS = (16, 32, 64)

halve = partial(max_pool, size=2, strides=2, padding=0)


class ImageCNN(StagedNetwork):
    """Three convolutions 3x3, each with ReLU and a pool by 2, maximum, a linear layer.

    As VGG without its dense layers: images [b 56 56 3], features [b 7 7 64]. The maximum over
    places finds a foreground that is small and anywhere.
    """

    def __init__(self, rngs: nnx.Rngs):
        sizes = zip((3, *WIDTHS), WIDTHS, strict=False)
        layers = [Conv(i, o, 3, padding=1, bias=True, rngs=rngs) for i, o in sizes]
        self.convolutions = nnx.List(layers)
        self.fc = nnx.Linear(WIDTHS[-1], CLASSES, rngs=rngs)

    def named_stages(self) -> dict[str, Stage]:
        """Return `conv1` to `conv3`, each with its ReLU and pool."""
        return {
            f"conv{i}": sequence(convolution, relu, halve)
            for i, convolution in enumerate(self.convolutions, 1)
        }

    def classify(self, features: Float[AnyArray, "b y x 64"]) -> Float[Array, "b 10"]:
        """Return the logits of the features."""
        return self.fc(jnp.asarray(features).max((1, 2)))


def image_resnet(rngs: nnx.Rngs) -> CifarResNet:
    """Return a ResNet of 8 layers, for images [b 56 56 3]: features [b 7 7 64] and their mean."""
    return CifarResNet(1, CLASSES, rngs=rngs)


def image_vit(rngs: nnx.Rngs) -> VisionTransformer:
    """Return a vision transformer of two blocks, for images [b 56 56 3]: 14 x 14 patches."""
    config = TransformerConfig(width=64, depth=2, heads=4, patch=4, grid=14)
    return VisionTransformer(config, CLASSES, rngs=rngs)


NETWORKS = {"CNN": ImageCNN, "ResNet": image_resnet, "ViT": image_vit}
