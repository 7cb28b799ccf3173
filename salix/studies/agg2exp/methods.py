"""Attribution methods of volumes, and segments that follow the prediction."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Integer

from salix.attribution import (
    FeatureAblation,
    Gradient,
    IntegratedGradients,
    KernelSHAP,
    Occlusion,
    SmoothGrad,
)
from salix.perturb.partition import Patches
from salix.typing import AnyArray, Image, InputError, Method, PRNGKey, ScoreLike


@dataclass(frozen=True)
class PredictedSegments:
    """The regions of a scan as segments of one volume, for methods that remove segments."""

    def count(self, shape: tuple[int, ...]) -> int:
        """Raise `InputError`: unbound segments have no number."""
        raise InputError("PredictedSegments() are bound to a scan by the study agg2exp alone")

    def __call__(self, image: Image) -> Int[Array, "*space"]:
        raise InputError("PredictedSegments() are bound to a scan by the study agg2exp alone")


@dataclass(frozen=True, eq=False)
class BoundSegments:
    """Regions 0 to `number` - 1 of one volume as a partition, those without a voxel left out."""

    regions: Any = field(repr=False)
    number: int

    def count(self, shape: tuple[int, ...]) -> int:
        """Return the number of regions."""
        del shape
        return self.number

    def __call__(self, image: Image) -> Int[Array, "*space"]:
        del image
        present = jnp.zeros(self.number, jnp.int32).at[self.regions.reshape(-1)].max(1)
        return (jnp.cumsum(present) - 1)[self.regions]


def bind_segments(method: Method, regions: Any, count: int) -> Method:
    """Return a method whose `PredictedSegments` are the regions of a scan; others unchanged."""
    if not isinstance(getattr(method, "partition", None), PredictedSegments):
        return method
    return replace(method, partition=BoundSegments(regions, count))  # pyright: ignore


METHODS: Mapping[str, Method] = {
    "Gradient": Gradient(),
    "SmoothGrad": SmoothGrad(samples=20, noise=0.1),
    "IG": IntegratedGradients(steps=20),
    "Occlusion": Occlusion(window=8, stride=8),
    "KernelSHAP organs": KernelSHAP(PredictedSegments(), samples=200),
    "KernelSHAP cubes": KernelSHAP(Patches(8), samples=1000),
}
ARGUMENTS = {"PredictedSegments": PredictedSegments}


def attribute_volume(
    method: Method,
    score: ScoreLike,
    volume: Image,
    regions: Integer[AnyArray, "d h w"],
    count: int,
    key: PRNGKey,
) -> Float[Array, "d h w"]:
    """Return the attribution of each voxel, channels added.

    Methods that remove segments give a voxel the value of its segment divided by the number of its
    voxels, so that sums over regions do not count a value once for each voxel: the sum over a
    segment is its value.
    """
    method = bind_segments(method, jnp.asarray(regions), count)
    partition = getattr(method, "partition", None)
    attribution = method(score, volume, key).sum(-1)
    if partition is None or not isinstance(method, (KernelSHAP, FeatureAblation)):
        return attribution
    segments = partition(volume)
    ones = jnp.ones(segments.size, attribution.dtype)
    sizes = jax.ops.segment_sum(ones, segments.reshape(-1), partition.count(volume.shape))
    return attribution / sizes[segments]
