"""Classifiers of nsfwjs: Inception-v3 as in Keras, and the weight names of both."""

from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from salix.models.checkpoints.naming import Layout, WeightTable, same
from salix.models.inception import InceptionBlock
from salix.models.inception_blocks import MIXED, STEM, ConvStep, mean_pool, parallel_steps
from salix.models.mobilenet import Perceptron
from salix.nn import Stage, StagedNetwork, avg_pool
from salix.typing import AnyArray

CLASSES = ("Drawing", "Hentai", "Neutral", "Porn", "Sexy")
HIDDEN = (256, 128)  # widths before the classes


def _unpadded_mean(x: Any) -> Any:
    return avg_pool(x, 3, 1, padding=1, count_padding=False)


class NsfwInception(StagedNetwork):
    """Inception-v3 as in Keras, with dense layers of 256 and 128 before the classes.

    Images [b 299 299 3], RGB in [0, 1]; features [b 8 8 2048], after the ReLU. The mean pools
    are those of TensorFlow, which leave padding out. Normalisations have
    epsilon 1e-3. 22,343,653 weights with five classes; the scales, absent from the file, are one.

    Szegedy et al. (2016), arXiv:1512.00567; layers and weights: nsfwjs 4.4.0.
    """

    def __init__(self, rngs: nnx.Rngs, classes: int = len(CLASSES)):
        self.stem = InceptionBlock(3, (STEM,), rngs=rngs)
        for name, (inputs, chains) in MIXED.items():
            keras = tuple(
                tuple(_unpadded_mean if part is mean_pool else part for part in chain)
                for chain in chains
            )
            setattr(self, name, InceptionBlock(inputs, keras, rngs=rngs))
        self.fc = Perceptron((2048, *HIDDEN, classes), rngs=rngs)

    def named_stages(self) -> dict[str, Stage]:
        """Return `stem` and the blocks `Mixed_5b` to `Mixed_7c`, named as in torchvision."""
        return {name: getattr(self, name) for name in ("stem", *MIXED)}

    def classify(self, features: Float[AnyArray, "b y x 2048"]) -> Float[Array, "b classes"]:
        """Return the logits of Mixed_7c's features."""
        return self.fc(jnp.asarray(features).mean(axis=(1, 2)))


_NORM = {"scale": "gamma", "bias": "beta", "mean": "moving_mean", "var": "moving_variance"}
_Rows = Iterator[tuple[str, tuple[str, Layout]]]


def _unit(ours: str, conv: str, norm: str, layout: Layout = same) -> _Rows:
    """Yield the names of a convolution and its normalisation."""
    kernel = "kernel" if layout is same else "depthwise_kernel"
    yield f"{ours}.conv.kernel", (f"{conv}/{kernel}", layout)
    for mine, their in _NORM.items():
        yield f"{ours}.norm.{mine}", (f"{norm}/{their}", same)


def _dense() -> _Rows:
    for i in range(len(HIDDEN) + 1):
        for part in ("kernel", "bias"):
            yield f"fc.layers.{i}.{part}", (f"dense_{i + 1}/{part}", same)


def _steps() -> Iterator[str]:
    """Yield our names of the convolutions in the order of Keras."""
    blocks = {"stem": (STEM,)} | {n: c for n, (_, c) in MIXED.items()}
    for block, chains in blocks.items():
        for part in (part for chain in chains for part in chain):
            steps = (step for step in parallel_steps(part) if isinstance(step, ConvStep))
            yield from (f"{block}.{step.name}" for step in steps)


def inception_table() -> WeightTable:
    """Return the names of Inception-v3's arrays, its normalisations without gamma."""
    table: dict[str, tuple[str, Layout]] = dict(_dense())
    for i, ours in enumerate(_steps(), 1):
        table |= _unit(ours, f"conv2d_{i}", f"batch_normalization_{i}")
    return table


def _depthwise(array: np.ndarray) -> np.ndarray:
    """Turn a depthwise kernel of TensorFlow, HWC1, into HWIO of as many groups as channels."""
    return array.transpose(0, 1, 3, 2)


def mobilenet_table() -> WeightTable:
    """Return the names of MobileNetV2's arrays."""
    table: dict[str, tuple[str, Layout]] = dict(_dense())
    table |= _unit("stem", "Conv1", "bn_Conv1")
    table |= _unit("last", "Conv_1", "Conv_1_bn")
    for i in range(17):
        block = f"block_{i}" if i else "expanded_conv"
        for part in ("expand", "depthwise", "project") if i else ("depthwise", "project"):
            layout = _depthwise if part == "depthwise" else same
            name = f"{block}_{part}"
            table |= _unit(f"blocks.{i}.{part}", name, f"{name}_BN", layout)
    return table
