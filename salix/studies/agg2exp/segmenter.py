"""Segmenter of volumes, and its predictions by sliding windows."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from salix.studies.agg2exp.windows import SlidingWindows, WindowPlan
from salix.typing import AnyArray, InputError, Params

Volume = Float[AnyArray, "d h w c"]


@dataclass(frozen=True, eq=False)
class Segmenter:
    """A function `logits(params, volume)` [d h w classes] of a volume [d h w c], with its classes.

    Sides of volumes must be multiples of `multiple`. `logits` is an argument of compiled programs
    and hashed by identity: make a segmenter once.
    """

    logits: Callable[[Params, Any], Any]
    params: Params
    classes: tuple[str, ...]
    multiple: int = 1

    @classmethod
    def of_module(
        cls, module: nnx.Module, classes: tuple[str, ...], *, multiple: int = 1
    ) -> "Segmenter":
        """Return the segmenter of a Flax module of batches [b d h w c]."""
        graph, params = nnx.split(module)

        def logits(params: Params, volume: Any) -> Any:
            return nnx.merge(graph, params)(volume[None])[0]

        return cls(logits, params, tuple(classes), multiple)


def predict(
    segmenter: Segmenter, volume: Volume, windows: SlidingWindows
) -> Int[np.ndarray, "d h w"]:
    """Return the class of the greatest blended logit of each voxel.

    Logits of all classes are in memory for a slab of one window's depth only. Raises `InputError`
    for a network whose outputs are not the logits of its classes at each voxel.
    """
    plan = windows.plan(volume.shape[:3], segmenter.multiple)
    shape = jax.eval_shape(
        partial(segmenter.logits, segmenter.params),
        jax.ShapeDtypeStruct((*plan.size, volume.shape[3]), jnp.float32),
    ).shape
    if shape != (*plan.size, len(segmenter.classes)):
        raise InputError(
            f"the segmenter returns an array of shape {shape} for a volume of {plan.size} voxels: "
            f"expected {(*plan.size, len(segmenter.classes))}, a logit for each of its classes "
            f"({', '.join(segmenter.classes)})"
        )
    if len(plan) == 1:
        logits = _window_logits(segmenter.logits, segmenter.params, jnp.asarray(volume))
        return np.asarray(logits.argmax(-1), np.int32)
    return _predict_slabs(segmenter, np.asarray(volume), plan)


def _predict_slabs(
    segmenter: Segmenter, volume: np.ndarray, plan: WindowPlan
) -> Int[np.ndarray, "d h w"]:
    (d, h, w), (wd, wh, ww) = volume.shape[:3], plan.size
    classes = np.zeros((d, h, w), np.int32)
    slab = np.zeros((wd, h, w, len(segmenter.classes)), np.float32)
    depths = np.unique(plan.starts[:, 0])
    for z, ahead in zip(depths, (*depths[1:], d), strict=True):
        for _, y, x in plan.starts[plan.starts[:, 0] == z]:
            part = volume[z : z + wd, y : y + wh, x : x + ww]
            logits = _window_logits(segmenter.logits, segmenter.params, part)
            slab[:, y : y + wh, x : x + ww] += plan.weights[..., None] * np.asarray(logits)
        done = ahead - z  # slices that no later window meets; scaling does not change the maximum
        classes[z:ahead] = slab[:done].argmax(-1)
        slab[: wd - done] = slab[done:]
        slab[wd - done :] = 0
    return classes


@partial(jax.jit, static_argnums=0)
def _window_logits(
    logits: Callable[[Params, Any], Any], params: Params, volume: Array
) -> Float[Array, "d h w k"]:
    return logits(params, volume)
