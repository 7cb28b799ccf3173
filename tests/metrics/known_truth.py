"""A tiny model whose relevant pixels are known by construction, with a true and random maps of it.

Each logit is a sum over the pixels of one region, of a function of each pixel alone: the true
attribution of a pixel is the value of that function over its value at 0, and no other pixel counts.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from salix.adapters import from_function
from salix.engine import ModelExplainer
from salix.preprocess import Preprocess

SIDE, CLASSES = 12, 3
REGIONS = np.zeros((CLASSES, SIDE, SIDE), np.float32)
REGIONS[0, 2:6, 5:9] = REGIONS[1, 8:11, 1:6] = REGIONS[2, :3, :3] = 1
_calls = itertools.count()
_rng = np.random.default_rng(0)
# Of the first class enough for it to be predicted; its pixels differ in weight.
GAIN = np.array([0.3, 0.12, 0.12])[:, None, None] * _rng.uniform(0.3, 1, REGIONS.shape)
PARAMS = {
    "trunk": {
        "kernel": np.float32([[0.8, -0.5, 0.6, 0.9]]),
        "bias": np.float32([[[0.1, 0.2, -0.1, 0.0]]]),
    },
    "head": {
        "weights": np.einsum("chw,k->hwkc", REGIONS * GAIN, [1.0, -0.6, 0.8, 0.7]).astype("f"),
        "bias": np.zeros(CLASSES, np.float32),
    },
}


def trunk(params, image):
    """Four features of each pixel, rising or falling with its value."""
    return jnp.tanh(image @ params["trunk"]["kernel"] + params["trunk"]["bias"])


def head(params, features):
    """One logit of each region."""
    return jnp.einsum("hwk,hwkc->c", features, params["head"]["weights"]) + params["head"]["bias"]


MODEL, _ = from_function(
    head, PARAMS, trunk=trunk, preprocess=Preprocess((SIDE, SIDE), 1), classes=("a", "b", "c")
)
IMAGES = _rng.uniform(0.3, 1, (4, SIDE, SIDE, 1)).astype(np.float32)
KEYS = jax.random.split(jax.random.key(7), len(IMAGES))


def contributions(score, image, key):
    """The true attribution: fall of the score when a pixel becomes 0."""
    del key
    image = jnp.asarray(image)
    pixels = image.reshape(-1)
    without = pixels[None] * (1 - jnp.eye(pixels.size, dtype=image.dtype))
    value = score(image)
    falls = value - jax.vmap(lambda x: score(x.reshape(image.shape)))(without)
    rounding = 16 * jnp.finfo(image.dtype).eps * jnp.abs(value)  # of pixels without influence
    return jnp.where(jnp.abs(falls) > rounding, falls, 0).reshape(image.shape)


def blind(score, image, key):
    """Random numbers that depend on the image alone, not on the score or its parameters."""
    del score
    seed = jax.lax.bitcast_convert_type(jnp.asarray(image, jnp.float32).sum(), jnp.uint32)
    draw = jax.random.normal(jax.random.fold_in(key, seed), image.shape, jnp.float32)
    return draw.astype(jnp.asarray(image).dtype)


def unfaithful(score, image, key):
    """Random numbers that depend on the image and on the rounding of the score."""
    seed = jax.lax.bitcast_convert_type(jnp.asarray(score(image), jnp.float32), jnp.uint32)
    return blind(score, image, jax.random.fold_in(key, seed))


def fickle(score, image, key):
    """Random numbers that differ between any two explanations in the code."""
    return blind(score, image, jax.random.fold_in(key, next(_calls)))


def explainer(params, key, true, random=blind, truth=contributions):
    """Return the explainer of the model by the truth, or by a random method where `true` is 0."""

    def method(score, image, key):
        return jnp.where(true, truth(score, image, key), random(score, image, key))

    return ModelExplainer(MODEL, params, method, key=key).explainer()
