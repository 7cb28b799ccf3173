"""Inception-v3, in the form of torchvision and timm."""

from collections.abc import Collection
from typing import Any, ClassVar, Literal, NamedTuple

from flax import nnx
from jax import numpy as jnp
from jaxtyping import Array, Float

from salix.models.checkpoints.naming import Shapes, WeightTable, torch_names
from salix.nn import Conv, Stage, StagedNetwork, avg_pool, batch_norm, max_pool, relu
from salix.typing import AnyArray


class Step(NamedTuple):
    """A convolution, batch normalisation (epsilon 1e-3) and ReLU, under its published name."""

    name: str
    outputs: int
    size: int | tuple[int, int] = 1
    strides: int = 1
    padding: Literal["SAME"] | int = "SAME"


def _mean(x: Any) -> Any:
    return avg_pool(x, 3, 1, 1)  # the zeros beyond the border count


def _max(x: Any) -> Any:
    return max_pool(x, 3, 2)


# The published blocks: side by side, chains of steps and pooling; a pair of steps
# forks a chain at its end.


def _a(pooled: int) -> tuple:
    return (
        (Step("branch1x1", 64),),
        (Step("branch5x5_1", 48), Step("branch5x5_2", 64, 5)),
        (Step("branch3x3dbl_1", 64), *(Step(f"branch3x3dbl_{at}", 96, 3) for at in (2, 3))),
        (_mean, Step("branch_pool", pooled)),
    )


def _c(inner: int) -> tuple:
    sizes = ((7, 1), (1, 7), (7, 1))
    return (
        (Step("branch1x1", 192),),
        (
            Step("branch7x7_1", inner),
            Step("branch7x7_2", inner, (1, 7)),
            Step("branch7x7_3", 192, (7, 1)),
        ),
        (
            Step("branch7x7dbl_1", inner),
            *(Step(f"branch7x7dbl_{at}", inner, size) for at, size in enumerate(sizes, 2)),
            Step("branch7x7dbl_5", 192, (1, 7)),
        ),
        (_mean, Step("branch_pool", 192)),
    )


_B = (
    (Step("branch3x3", 384, 3, 2, 0),),
    (
        Step("branch3x3dbl_1", 64),
        Step("branch3x3dbl_2", 96, 3),
        Step("branch3x3dbl_3", 96, 3, 2, 0),
    ),
    (_max,),
)
_D = (
    (Step("branch3x3_1", 192), Step("branch3x3_2", 320, 3, 2, 0)),
    (
        Step("branch7x7x3_1", 192),
        Step("branch7x7x3_2", 192, (1, 7)),
        Step("branch7x7x3_3", 192, (7, 1)),
        Step("branch7x7x3_4", 192, 3, 2, 0),
    ),
    (_max,),
)
_E = (
    (Step("branch1x1", 320),),
    (
        Step("branch3x3_1", 384),
        (Step("branch3x3_2a", 384, (1, 3)), Step("branch3x3_2b", 384, (3, 1))),
    ),
    (
        Step("branch3x3dbl_1", 448),
        Step("branch3x3dbl_2", 384, 3),
        (Step("branch3x3dbl_3a", 384, (1, 3)), Step("branch3x3dbl_3b", 384, (3, 1))),
    ),
    (_mean, Step("branch_pool", 192)),
)
_STEM = (
    Step("Conv2d_1a_3x3", 32, 3, 2, 0),
    Step("Conv2d_2a_3x3", 32, 3, 1, 0),
    Step("Conv2d_2b_3x3", 64, 3),
    _max,
    Step("Conv2d_3b_1x1", 80),
    Step("Conv2d_4a_3x3", 192, 3, 1, 0),
    _max,
)
_MIXED: dict[str, tuple[int, tuple]] = {  # channels that come in, and the block
    "Mixed_5b": (192, _a(32)),
    "Mixed_5c": (256, _a(64)),
    "Mixed_5d": (288, _a(64)),
    "Mixed_6a": (288, _B),
    "Mixed_6b": (768, _c(128)),
    "Mixed_6c": (768, _c(160)),
    "Mixed_6d": (768, _c(160)),
    "Mixed_6e": (768, _c(192)),
    "Mixed_7a": (768, _D),
    "Mixed_7b": (1280, _E),
    "Mixed_7c": (2048, _E),
}


def _several(part: Any) -> tuple:
    return part if type(part) is tuple else (part,)


class Unit(nnx.Module):
    """Convolution, batch normalisation and ReLU."""

    folds: ClassVar = {"conv": "norm"}

    def __init__(self, inputs: int, step: Step, *, rngs: nnx.Rngs):
        _, outputs, size, strides, padding = step
        self.conv = Conv(inputs, outputs, size, strides, padding, rngs=rngs)
        self.norm = batch_norm(outputs, epsilon=1e-3, rngs=rngs)

    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b y x k"]:
        """Return the rectified features."""
        return relu(self.norm(self.conv(x)))


class Block(nnx.Module):
    """Chains of steps side by side over one input, their results joined by channel.

    The unit of a step is the attribute of the step's name.
    """

    def __init__(self, inputs: int, chains: tuple, *, rngs: nnx.Rngs):
        self.chains = chains
        for chain in chains:
            width = inputs
            for part in chain:
                steps = [step for step in _several(part) if isinstance(step, Step)]
                for step in steps:
                    setattr(self, step.name, Unit(width, step, rngs=rngs))
                width = sum(step.outputs for step in steps) or width

    def _run(self, part: Any, x: Any) -> Any:
        return getattr(self, part.name)(x) if isinstance(part, Step) else part(x)

    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b y x k"]:
        """Return the joined features."""
        joined = []
        for chain in self.chains:
            ends = [x]
            for part in chain:  # only its last part forks a chain
                ends = [self._run(step, ends[0]) for step in _several(part)]
            joined += ends
        return jnp.concatenate(joined, axis=-1)


class InceptionV3(StagedNetwork):
    """Inception-v3: a stem, eleven blocks of parallel branches, the mean and a linear layer.

    Images of 299x299, (x - 0.5) / 0.5 of RGB in [0, 1]; features [b 8 8 2048], after the ReLU,
    where CYBORG and Grad-CAM read them (Mixed_7c). Batch normalisation with epsilon 1e-3. Dropout
    and the auxiliary head of the training are left out: 21,785,568 weights and 2,049 a class,
    23,834,568 for ImageNet.

    torchvision's `transform_input` turns ImageNet's normalisation into this one. A network that
    was trained without it on images so normalised needs that as its preprocessing.

    Szegedy et al. (2016), arXiv:1512.00567, sec. 6; blocks, names and padding of torchvision.
    """

    def __init__(self, rngs: nnx.Rngs, classes: int = 1000):
        self.stem = Block(3, (_STEM,), rngs=rngs)
        for name, (inputs, chains) in _MIXED.items():
            setattr(self, name, Block(inputs, chains, rngs=rngs))
        self.fc = nnx.Linear(2048, classes, rngs=rngs)

    def named_stages(self) -> dict[str, Stage]:
        """Return `stem` and the published blocks, `Mixed_5b` to `Mixed_7c`."""
        return {name: getattr(self, name) for name in ("stem", *_MIXED)}

    def classify(self, features: Float[AnyArray, "b y x 2048"]) -> Float[Array, "b classes"]:
        """Return the logits of Mixed_7c's features."""
        return self.fc(jnp.asarray(features).mean(axis=(1, 2)))

    def tap(
        self, x: Float[AnyArray, "b h w 3"]
    ) -> tuple[Float[Array, "b y x 2048"], Float[Array, "b y x 2048"]]:
        """Return the features twice: CYBORG trains their CAM."""
        features = self.trunk(x)
        return features, features


def torch_table(shapes: Shapes, names: Collection[str]) -> WeightTable:
    """Return the names of torchvision's inception_v3, and of timm's, with or without tf_."""
    del names  # all the same
    return torch_names(shapes, lambda ours: ours.removeprefix("stem.").replace(".norm", ".bn"))
