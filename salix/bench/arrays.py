"""Seeded smooth images and maps as benchmark inputs."""

from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from salix.model import Model
from salix.typing import Params

WAVES = 8  # plane waves in a field
CYCLES = 4.0  # most periods of a wave along a side


def images(model: Model, batch: int, *, seed: int = 0) -> Float[np.ndarray, "b h w c"]:
    """Return smooth seeded images, rounded to 8 bits and preprocessed, in float32."""
    (height, width), channels = model.preprocess.size, model.preprocess.channels
    fields = smooth(batch * channels, (height, width), seed=seed)
    fields = fields.reshape(batch, channels, height, width).transpose(0, 2, 3, 1)
    return np.asarray(jax.vmap(model.preprocess)(np.rint(255 * fields).astype(np.uint8)))


def smooth(count: int, size: tuple[int, int], *, seed: int = 0) -> Float[np.ndarray, "count h w"]:
    """Return seeded random fields, each a sum of a few plane waves, scaled to [0, 1]."""
    draw = np.random.default_rng(seed)
    y, x = (np.arange(side) / side for side in size)
    down, along = draw.uniform(-CYCLES, CYCLES, (2, count, WAVES, 1, 1))
    phase = draw.uniform(0, 1, (count, WAVES, 1, 1))
    waves = np.cos(2 * np.pi * (down * y[:, None] + along * x + phase)).sum(1)
    low, high = waves.min((1, 2), keepdims=True), waves.max((1, 2), keepdims=True)
    return ((waves - low) / (high - low)).astype(np.float32)


def abstract(model: Model, params: Params) -> tuple[Any, Any]:
    """Return the shapes and types of a model's parameters and of one image."""
    preprocess = model.preprocess
    arrays = jax.tree.map(lambda a: jax.ShapeDtypeStruct(np.shape(a), a.dtype), params)
    return arrays, jax.ShapeDtypeStruct((*preprocess.size, preprocess.channels), np.float32)
