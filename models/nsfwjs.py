"""The classifiers of nsfwjs: Inception-v3 in the form of Keras, MobileNetV2, and their names."""

from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from salix.models import inception
from salix.models.checkpoints.naming import Layout, WeightTable, same
from salix.models.inception import Block, Step
from salix.models.mobilenet import Perceptron
from salix.nn import Stage, StagedNetwork, avg_pool
from salix.typing import AnyArray

CLASSES = ("Drawing", "Hentai", "Neutral", "Porn", "Sexy")
HIDDEN = (256, 128)  # widths before the classes


def _mean(x: Any) -> Any:
    return avg_pool(x, 3, 1, 1, count_padding=False)


def _as_keras(chains: tuple) -> tuple:
    """Return the chains of a block with the pool of TensorFlow, which leaves the border out."""
    return tuple(
        tuple(_mean if part is inception._mean else part for part in chain) for chain in chains
    )


class NsfwInception(StagedNetwork):
    """Inception-v3 as Keras has it, with dense layers of 256 and 128 before the classes.

    Images [b 299 299 3], RGB in [0, 1]; features [b 8 8 2048], after the ReLU. The means within the
    blocks are those of TensorFlow: what is beyond the border does not count. Normalisations have
    epsilon 1e-3. 22,343,653 weights with five classes; the scales, which the file has not, are one.

    Szegedy et al. (2016), arXiv:1512.00567; layers and weights: nsfwjs 4.4.0.
    """

    def __init__(self, rngs: nnx.Rngs, classes: int = len(CLASSES)):
        self.stem = Block(3, (inception._STEM,), rngs=rngs)
        for name, (inputs, chains) in inception._MIXED.items():
            setattr(self, name, Block(inputs, _as_keras(chains), rngs=rngs))
        self.fc = Perceptron((2048, *HIDDEN, classes), rngs=rngs)

    def named_stages(self) -> dict[str, Stage]:
        """Return `stem` and the blocks `Mixed_5b` to `Mixed_7c`, named as in torchvision."""
        return {name: getattr(self, name) for name in ("stem", *inception._MIXED)}

    def classify(self, features: Float[AnyArray, "b y x 2048"]) -> Float[Array, "b classes"]:
        """Return the logits of Mixed_7c's features."""
        return self.fc(jnp.asarray(features).mean(axis=(1, 2)))


_NORM = {"scale": "gamma", "bias": "beta", "mean": "moving_mean", "var": "moving_variance"}
_Rows = Iterator[tuple[str, tuple[str, Layout]]]


def _unit(ours: str, conv: str, norm: str, layout: Layout = same) -> _Rows:
    """Give the rows of a convolution and its normalisation."""
    kernel = "kernel" if layout is same else "depthwise_kernel"
    yield f"{ours}.conv.kernel", (f"{conv}/{kernel}", layout)
    for mine, their in _NORM.items():
        yield f"{ours}.norm.{mine}", (f"{norm}/{their}", same)


def _dense() -> _Rows:
    for at in range(len(HIDDEN) + 1):
        for part in ("kernel", "bias"):
            yield f"fc.layers.{at}.{part}", (f"dense_{at + 1}/{part}", same)


def _steps() -> Iterator[str]:
    """Give our names of the convolutions in the order in which Keras numbers them."""
    blocks = {"stem": (inception._STEM,)} | {n: c for n, (_, c) in inception._MIXED.items()}
    for block, chains in blocks.items():
        for part in (part for chain in chains for part in chain):
            steps = (step for step in inception._several(part) if isinstance(step, Step))
            yield from (f"{block}.{step.name}" for step in steps)


def inception_table() -> WeightTable:
    """Return the names of Inception-v3's arrays, its normalisations without gamma."""
    table: dict[str, tuple[str, Layout]] = dict(_dense())
    for at, ours in enumerate(_steps(), 1):
        table |= _unit(ours, f"conv2d_{at}", f"batch_normalization_{at}")
    return table


def _depthwise(array: np.ndarray) -> np.ndarray:
    """Turn a depthwise kernel of TensorFlow, HWC1, into HWIO of as many groups as channels."""
    return array.transpose(0, 1, 3, 2)


def mobilenet_table() -> WeightTable:
    """Return the names of MobileNetV2's arrays."""
    table: dict[str, tuple[str, Layout]] = dict(_dense())
    table |= _unit("stem", "Conv1", "bn_Conv1")
    table |= _unit("last", "Conv_1", "Conv_1_bn")
    for at in range(17):
        block = f"block_{at}" if at else "expanded_conv"
        for part in ("expand", "depthwise", "project") if at else ("depthwise", "project"):
            layout = _depthwise if part == "depthwise" else same
            name = f"{block}_{part}"
            table |= _unit(f"blocks.{at}.{part}", name, f"{name}_BN", layout)
    return table
