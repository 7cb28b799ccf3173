"""Passes of the model for each segment of an image: the score without it, and its own features."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, Integer

from salix.typing import Explainer, Image, Index, Values

GREY = 117 / 255  # around a segment's crop, as in ACE's released code
SEED = 0  # of the projection, one for all models and runs


def region_passes(
    explainer: Explainer,
    image: Image,
    target: Index,
    segments: Integer[Array, "levels h w"],
    boxes: Int[Array, "count 4"],
    *,
    replacement: Image | None,
    features: bool,
    chunk: int,
) -> Values:
    """Return the `score` without each segment, [count], and the `features` of each, [count k].

    A loop over the segments, `chunk` of them in one batch, so that memory does not depend on their
    number. It ends with the last label of the image, or of the images of one batch: later entries
    are zero, as are all without a `replacement` of removed pixels, or `features`.
    """
    count = len(boxes)
    grey = explainer.image(jnp.full_like(image, GREY))

    def measure(label: Array, box: Array) -> Values:
        inside = (segments == label).any(0)[..., None]
        values = {}
        if replacement is not None:
            values["score"] = explainer.score(jnp.where(inside, replacement, image), target)
        if features:
            values["features"] = explainer.features(crop(jnp.where(inside, image, grey), box))
        return values

    labels = jnp.arange(1, len(boxes) + 1, dtype=segments.dtype)
    labels, boxes = (
        jnp.pad(x, [(0, -len(x) % chunk), *[(0, 0)] * (x.ndim - 1)]) for x in (labels, boxes)
    )

    def step(i: Array, results: Values) -> Values:
        batch = (lax.dynamic_slice_in_dim(x, i * chunk, chunk) for x in (labels, boxes))
        return jax.tree.map(
            lambda all, some: lax.dynamic_update_slice_in_dim(all, some, i * chunk, 0),
            results,
            jax.vmap(measure)(*batch),
        )

    shapes = jax.eval_shape(jax.vmap(measure), labels, boxes)
    start = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
    steps = (segments.max().astype(jnp.int32) + chunk - 1) // chunk
    results = lax.fori_loop(0, steps, step, start)
    return jax.tree.map(lambda x: x[:count], results)


def crop(image: Image, box: Int[Array, "4"]) -> Image:
    """Return the part of an image [h w c] inside a box, enlarged linearly to the image's size."""
    size = jnp.array(image.shape[:2], jnp.float32)
    first, last = box[:2].astype(jnp.float32), box[2:].astype(jnp.float32)
    scale = size / jnp.maximum(last - first, 1)
    return jax.image.scale_and_translate(
        image, image.shape, (0, 1), scale, -first * scale, method="linear", antialias=False
    )


def project(features: Float[Array, "count k"], dimensions: int) -> Float[Array, "count d"]:
    r"""Return features by a fixed Gaussian projection to fewer dimensions, each of length 1.

    Distances stay up to a relative error of about $1 / \sqrt{2 d}$ (Johnson and Lindenstrauss,
    1984). Zero where the features are zero.
    """
    matrix = np.random.default_rng(SEED).standard_normal((features.shape[-1], dimensions))
    projected = features @ jnp.asarray(matrix, features.dtype)
    length = jnp.linalg.norm(projected, axis=-1, keepdims=True)
    return projected / jnp.where(length > 0, length, 1)
