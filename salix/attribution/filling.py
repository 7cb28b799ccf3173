"""Values that replace removed pixels, in the units of a score's images."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array

from salix.hyperparameters import Hyperparameter, choice, either, number, several
from salix.perturb.fills import FILLS, fill_image
from salix.typing import AnyArray, Image, InputError, PRNGKey, ScoreLike, as_score

NAMES = (*FILLS, "white")
Fill = str | float | int | tuple[float | int, ...] | AnyArray  # the type of a field `fill`


def pixel_values(*names: str) -> Callable[[Any], Any]:
    """Return a check of values in an image's units: some names, numbers, or an array of them."""

    def plain(value: Any) -> Any:
        if isinstance(value, str):
            return choice(names).plain(value)
        if not isinstance(value, AnyArray) or np.ndim(value) == 0:
            return either(number(), several(number(), remedy=""), remedy="").plain(value)
        numeric = jnp.issubdtype(value.dtype, jnp.floating) or value.dtype.kind in "iu"
        if not numeric or not (isinstance(value, Tracer) or bool(jnp.isfinite(value).all())):
            raise ValueError
        return value

    return plain


FILL = Hyperparameter(
    pixel_values(*NAMES),
    f"choose one of {', '.join(NAMES)}, or give a finite number, one for each channel, or an array "
    "shaped like the image",
)


def filled(fill: Fill, score: ScoreLike, image: Image, key: PRNGKey) -> Array:
    """Return an image whose pixels replace removed ones, of the shape and type of `image`.

    `fill` is "blur", "mean" or "noise", as `salix.perturb.fills.fill_image` makes them; "black" or
    "white", the values of the `Score`, which a model sets by its preprocessing, and 0 and 1 for a
    plain function; or values in the image's units: one number, one a channel, or (from Python only)
    an array shaped like the image. Only "noise" uses `key`.
    Raises `InputError` for another name and for numbers that do not fit the image.
    """
    image = jnp.asarray(image)
    if isinstance(fill, str) and fill in ("black", "white"):
        values = as_score(score).black if fill == "black" else as_score(score).white
        fill = values[0] if len(values) == 1 else values
    if isinstance(fill, str):
        return jnp.asarray(fill_image(image, key, fill))
    return broadcast_values("fill", fill, image)


def broadcast_values(name: str, values: Any, image: Image) -> Array:
    """Return numbers as an image of the shape and type of `image`; `InputError` names `name`."""
    image = jnp.asarray(image)
    values = jnp.asarray(values, image.dtype)
    if values.shape not in ((), image.shape[-1:], image.shape):
        raise InputError(
            f"{name} has shape {values.shape} and the image {image.shape}: give one number, one "
            f"for each of the {image.shape[-1]} channels, or an array of the image's shape"
        )
    return jnp.broadcast_to(values, image.shape)
