"""Settings of measures: conditions, maps enlarged to the image, and randomly moved maps."""

from collections.abc import Iterable
from dataclasses import replace

import jax
import jax.numpy as jnp

from salix.hyperparameters import Hyperparameter, choice, several
from salix.metrics import Similarity
from salix.typing import Image, InputError, Map, PRNGKey


def some_of(known: Iterable[str]) -> Hyperparameter:
    """Return the conditions of a measure: some of the known, each once."""
    names = tuple(known)
    return several(choice(names), remedy=f"give some of {', '.join(names)}, each once", unique=True)


def enlarge_to_image(similarity: Similarity, image: Image) -> Similarity:
    """Return a similarity that enlarges maps to the side of a square image.

    Raises `InputError` for an image that is not square, and for a similarity with another side.
    """
    height, width = image.shape[:2]
    if height != width:
        raise InputError(
            f"maps of an image of {height} x {width} cannot be enlarged to it: let the model's "
            "preprocessing make it square, or give upscaled=False"
        )
    if similarity.side not in (None, height):
        raise InputError(
            f"similarity compares maps of side {similarity.side} and the image's side is {height}: "
            "give Similarity(side=None)"
        )
    return replace(similarity, side=height)


def roll_map(map: Map, key: PRNGKey) -> Map:
    """Roll a map around by a random number of pixels along each axis, all equally likely.

    Its values and its texture are preserved; only their position is random.
    """
    shift = jax.random.randint(key, (map.ndim,), 0, jnp.array(map.shape))
    return jnp.roll(jnp.asarray(map), tuple(shift), tuple(range(map.ndim)))
