"""Inception-v3, as in torchvision and timm."""

from typing import ClassVar

from flax import nnx
from jax import numpy as jnp
from jaxtyping import Array, Float

from salix.models.checkpoints.naming import Shapes, WeightTables, torch_names
from salix.models.inception_blocks import MIXED, STEM, ConvStep, parallel_steps
from salix.nn import Conv, Stage, StagedNetwork, batch_norm, relu
from salix.typing import AnyArray


class ConvNormRelu(nnx.Module):
    """Convolution, batch normalisation and ReLU."""

    folds: ClassVar = {"conv": "norm"}

    def __init__(self, inputs: int, step: ConvStep, *, rngs: nnx.Rngs):
        _, outputs, size, strides, padding = step
        self.conv = Conv(inputs, outputs, size, strides, padding, rngs=rngs)
        self.norm = batch_norm(outputs, epsilon=1e-3, rngs=rngs)

    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b y x k"]:
        """Return the rectified features."""
        return relu(self.norm(self.conv(x)))


class InceptionBlock(nnx.Module):
    """Parallel chains of convolutions and pools, their outputs joined by channel.

    The layer of a step is the attribute of the step's name.
    """

    def __init__(self, inputs: int, chains: tuple, *, rngs: nnx.Rngs):
        self.chains = chains
        for chain in chains:
            width = inputs
            for part in chain:
                steps = [step for step in parallel_steps(part) if isinstance(step, ConvStep)]
                for step in steps:
                    setattr(self, step.name, ConvNormRelu(width, step, rngs=rngs))
                width = sum(step.outputs for step in steps) or width

    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b y x k"]:
        """Return the joined outputs."""
        joined = []
        for chain in self.chains:
            ends = [x]
            for part in chain:  # only its last part forks a chain
                steps = parallel_steps(part)
                layers = [getattr(self, s.name) if isinstance(s, ConvStep) else s for s in steps]
                ends = [layer(ends[0]) for layer in layers]
            joined += ends
        return jnp.concatenate(joined, axis=-1)


class InceptionV3(StagedNetwork):
    """Inception-v3: a stem, eleven blocks of parallel branches, the mean and a linear layer.

    Images of 299x299, (x - 0.5) / 0.5 of RGB in [0, 1]; features [b 8 8 2048], after the ReLU,
    of Mixed_7c, where CYBORG and Grad-CAM read them. Batch normalisation with epsilon 1e-3. Dropout
    and the auxiliary head of the training are left out: 21,785,568 weights and 2,049 a class,
    23,834,568 for ImageNet.

    torchvision's `transform_input` turns ImageNet's normalisation into this one. A network that
    was trained without it on images so normalised needs that as its preprocessing.

    Szegedy et al. (2016), arXiv:1512.00567, sec. 6; blocks, names and padding of torchvision.
    """

    def __init__(self, rngs: nnx.Rngs, classes: int = 1000):
        self.stem = InceptionBlock(3, (STEM,), rngs=rngs)
        for name, (inputs, chains) in MIXED.items():
            setattr(self, name, InceptionBlock(inputs, chains, rngs=rngs))
        self.fc = nnx.Linear(2048, classes, rngs=rngs)

    def named_stages(self) -> dict[str, Stage]:
        """Return `stem` and the published blocks, `Mixed_5b` to `Mixed_7c`."""
        return {name: getattr(self, name) for name in ("stem", *MIXED)}

    def classify(self, features: Float[AnyArray, "b y x 2048"]) -> Float[Array, "b classes"]:
        """Return the logits of Mixed_7c's features."""
        return self.fc(jnp.asarray(features).mean(axis=(1, 2)))

    def tap(
        self, x: Float[AnyArray, "b h w 3"]
    ) -> tuple[Float[Array, "b y x 2048"], Float[Array, "b y x 2048"]]:
        """Return the features twice: CYBORG trains their CAM."""
        features = self.trunk(x)
        return features, features


def torch_tables(shapes: Shapes) -> WeightTables:
    """Return the names of torchvision's inception_v3, and of timm's, which agree."""

    def renamed(ours: str) -> str:
        return ours.removeprefix("stem.").replace(".norm", ".bn")

    return {"torchvision, timm": torch_names(shapes, renamed)}
