"""MobileNetV3, light networks whose blocks were found by search."""

from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from salix.models.bottleneck import Activation, ConvNorm, InvertedBottleneck, Squeeze, scale_width
from salix.models.checkpoints.naming import Shapes, WeightTables, torch_names
from salix.models.efficientnet_names import block_part, block_places
from salix.nn import Linear, Stage, StagedNetwork, sequence
from salix.typing import AnyArray

Block = tuple[int, int, int]  # kernel, width within, stride
# width of a stage, whether it squeezes, whether its activation is hard swish, and its blocks
StageShape = tuple[int, bool, bool, tuple[Block, ...]]

LARGE: tuple[StageShape, ...] = (
    (16, False, False, ((3, 16, 1),)),
    (24, False, False, ((3, 64, 2), (3, 72, 1))),
    (40, True, False, ((5, 72, 2), (5, 120, 1), (5, 120, 1))),
    (80, False, True, ((3, 240, 2), (3, 200, 1), (3, 184, 1), (3, 184, 1))),
    (112, True, True, ((3, 480, 1), (3, 672, 1))),
    (160, True, True, ((5, 672, 2), (5, 960, 1), (5, 960, 1))),
)
SMALL: tuple[StageShape, ...] = (
    (16, True, False, ((3, 16, 2),)),
    (24, False, False, ((3, 72, 2), (3, 88, 1))),
    (40, True, True, ((5, 96, 2), (5, 240, 1), (5, 240, 1))),
    (48, True, True, ((5, 120, 1), (5, 144, 1))),
    (96, True, True, ((5, 288, 2), (5, 576, 1), (5, 576, 1))),
)
_GATES: tuple[Activation, Activation] = (jax.nn.relu, jax.nn.hard_sigmoid)


class MobileNetV3(StagedNetwork):
    """MobileNetV3: a convolution 3x3, inverted bottlenecks, one 1x1, mean, two linear layers.

    Images [b h w 3], standardised by ImageNet's mean and deviation; features [b h/32 w/32 k], after
    the last hard swish, k 960 of Large and 576 of Small: 7x7 of 224x224. Squeezes are to a quarter
    of the width within; padding is that of PyTorch, normalisations have epsilon 1e-3. The dropout
    of training is left out. With 1000 classes Large has 5,483,032 weights, Small 2,542,856.

    Howard et al. (2019), arXiv:1905.02244, tables 1 and 2; torchvision 0.28.
    """

    def __init__(
        self,
        rngs: nnx.Rngs,
        classes: int = 1000,
        *,
        stages: tuple[StageShape, ...] = LARGE,
        hidden: int = 1280,
    ):
        norm = partial(ConvNorm, tf=False, epsilon=1e-3, rngs=rngs)
        inputs, lists = 16, []
        self.stem = norm(3, inputs, 3, 2)
        for outputs, squeezes, swish, blocks in stages:
            activate: Activation = jax.nn.hard_swish if swish else jax.nn.relu
            lists.append(nnx.List())
            for size, middle, strides in blocks:
                squeeze = partial(
                    Squeeze, squeezed=scale_width(middle // 4, 1), activations=_GATES, rngs=rngs
                )
                block = InvertedBottleneck(
                    (middle, size, strides, inputs, outputs),
                    activate=activate,
                    norm=norm,
                    squeeze=squeeze if squeezes else None,
                )
                lists[-1].append(block)
                inputs = outputs
        self.stages = nnx.List(lists)
        self.last = norm(inputs, 6 * inputs, 1)
        self.hidden = Linear(6 * inputs, hidden, rngs=rngs)
        self.fc = nnx.Linear(hidden, classes, rngs=rngs)

    def named_stages(self) -> dict[str, Stage]:
        """Return `stage1` ..., one for each width, the first with the stem, and `last_conv`."""
        stages = [sequence(*stage) for stage in self.stages]
        stages[0] = sequence(self.stem, jax.nn.hard_swish, stages[0])
        named = {f"stage{i}": stage for i, stage in enumerate(stages, 1)}
        return named | {"last_conv": sequence(self.last, jax.nn.hard_swish)}

    def classify(self, features: Float[AnyArray, "b y x k"]) -> Float[Array, "b classes"]:
        """Return the logits of the last convolution's features."""
        h = self.hidden(jnp.mean(jnp.asarray(features), axis=(1, 2)))
        return self.fc(jax.nn.hard_swish(h))


def torch_tables(shapes: Shapes) -> WeightTables:
    """Return the names in a state dict of torchvision."""
    places = block_places(shapes)
    last = len(places) + 1
    outer = {
        "stem.conv": "features.0.0",
        "stem.norm": "features.0.1",
        "last.conv": f"features.{last}.0",
        "last.norm": f"features.{last}.1",
        "hidden": "classifier.0",
        "fc": "classifier.3",
    }

    def renamed(layer: str) -> str:
        if layer in outer:
            return outer[layer]
        _, stage, index, unit, part = layer.split(".")
        place = places[int(stage), int(index)]
        return f"features.{place[2] + 1}.{block_part(place, unit, part)}"

    return {"torchvision": torch_names(shapes, renamed)}
