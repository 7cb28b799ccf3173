"""A trunk with normalised global and local features, and a classifier of all classes."""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from salix.nn import Stage, StagedNetwork
from salix.typing import AnyArray, InputError

PARTS = 3  # cells a side of the local features
DROPOUT = 0.2
SPREAD = 0.001  # standard deviation of the classifier's first weights


@dataclass(frozen=True)
class NeckedOutput:
    """Logits [n c], global features [n k] and local features [n 9 k] of a batch."""

    logits: Float[Array, "n c"]
    global_features: Float[Array, "n k"]
    local_features: Float[Array, "n parts k"]


class NeckedNetwork(StagedNetwork):
    """A trunk, the normalised mean of its features, and a linear classifier without bias.

    The local features of a training batch are the means over 3 x 3 cells, each with a
    normalisation of its own. Normalisations have no bias, as the neck of Luo et al. (2019),
    arXiv:1903.07071; dropout of 0.2 before the classifier.

    Sun et al. (2023), arXiv:2309.11132, as in the released code, on any trunk.
    """

    def __init__(self, trunk: StagedNetwork, features: int, classes: int, *, rngs: nnx.Rngs):
        self.network = trunk
        self.neck = _neck(features, rngs)
        self.part_necks = nnx.List([_neck(features, rngs) for _ in range(PARTS**2)])
        self.dropout = nnx.Dropout(DROPOUT, rngs=rngs)
        draw = nnx.initializers.normal(SPREAD)
        self.fc = nnx.Linear(features, classes, use_bias=False, kernel_init=draw, rngs=rngs)

    def named_stages(self) -> dict[str, Stage]:
        """Return the stages of the trunk."""
        return dict(self.network.named_stages())

    def classify(self, features: Float[AnyArray, "n y x k"]) -> Float[Array, "n c"]:
        """Return the logits of the trunk's features."""
        return self.fc(self.dropout(self.neck(jnp.asarray(features).mean((1, 2)))))

    def outputs(self, x: Float[AnyArray, "n h w 3"]) -> NeckedOutput:
        """Return the logits and both kinds of features of a batch."""
        features = self.trunk(x)
        mean = self.neck(features.mean((1, 2)))
        cells = cell_means(features, PARTS)
        parts = [neck(cells[:, i]) for i, neck in enumerate(self.part_necks)]
        return NeckedOutput(self.fc(self.dropout(mean)), mean, jnp.stack(parts, 1))


def cell_means(features: Float[AnyArray, "n y x k"], side: int) -> Float[Array, "n cells k"]:
    """Return the means of features over side x side windows, in rows.

    Windows have stride s = floor(H / side) and height H - (side - 1) s, so that the last ends at
    the border and neighbours may overlap. Raises `InputError` for fewer rows or columns than
    `side`.
    """
    _, height, width, _ = features.shape
    if min(height, width) < side:
        raise InputError(
            f"features of {height} x {width} have no {side} x {side} parts: use larger images, or "
            "cut the trunk earlier"
        )
    rows, columns = _windows(height, side), _windows(width, side)
    pooled = jnp.einsum("nyxk,ay,bx->nabk", features, rows, columns)
    return pooled.reshape(len(features), side * side, -1)


def _windows(size: int, side: int) -> Any:
    """Return the weights [side size] of the means over windows."""
    stride = math.floor(size / side)
    length = size - (side - 1) * stride
    out = np.zeros((side, size), np.float32)
    for i in range(side):
        out[i, i * stride : i * stride + length] = 1 / length
    return out


def _neck(features: int, rngs: nnx.Rngs) -> nnx.BatchNorm:
    """Return the normalisation of `salix.nn.batch_norm` without its bias."""
    return nnx.BatchNorm(features, epsilon=1e-5, momentum=0.9, use_bias=False, rngs=rngs)


jax.tree_util.register_dataclass(NeckedOutput, ["logits", "global_features", "local_features"], [])
