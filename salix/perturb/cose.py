"""Image transforms of COSE: geometric and photometric, with their ranges of magnitudes."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from salix.perturb import photometric as photo
from salix.perturb.warps import (
    IDENTITY,
    TURNS,
    Placement,
    rotation,
    translation,
    valid_region,
    warp,
)
from salix.typing import Image, Scalar

GEOMETRIC = ("TranslateX", "TranslateY", "Rotate", "FlipLR", "FlipUD")
BLENDS = {
    "Brightness": photo.brightness,
    "Color": photo.colour,
    "Contrast": photo.contrast,
    "Sharpness": photo.sharpness,
}
FIXED = {
    "AutoContrast": photo.autocontrast,
    "Equalize": photo.equalize,
    "Blur": photo.blur,
    "Smooth": photo.smooth,
}
Transform = Callable[[Any, Any, Any], Any]  # levels, placement, magnitude -> levels
PHOTOMETRIC = (*BLENDS, *FIXED)
MAXIMA = {"TranslateX": 32, "TranslateY": 32, "Rotate": 135, **dict.fromkeys(BLENDS, 0.99)}
BINS = 31  # magnitudes from 0 to the maximum; 0 itself is not drawn
SIDE = 224  # of the images for which the shifts are published, in pixels


def _warp_levels(levels: Image, placement: Placement, magnitude: Scalar) -> Image:
    del magnitude
    inside = valid_region((levels.shape[0], levels.shape[1]), placement, beyond=0.5)
    return jnp.where(inside[..., None], warp(levels, placement, nearest=True), 0)


# A lambda's default argument binds the function of this iteration.
TRANSFORMS: dict[str, Transform] = (
    dict.fromkeys(GEOMETRIC, _warp_levels)
    | {name: lambda x, _, magnitude, f=f: f(x, 1 + magnitude) for name, f in BLENDS.items()}
    | {name: lambda x, _, magnitude, f=f: f(x) for name, f in FIXED.items()}
)


def transform_magnitudes(name: str) -> Float[np.ndarray, " magnitudes"]:
    """Return the magnitudes of a transform, of either sign; zeros for one without a range."""
    bins = np.linspace(0, MAXIMA.get(name, 0), BINS)[1:]
    return np.concatenate([bins, -bins])


def transform_placements(name: str, side: int) -> Float[np.ndarray, "magnitudes 2 3"]:
    """Return the placement of each magnitude for images of a side; identities if photometric."""
    placements: dict[str, Callable[[float], np.ndarray]] = {
        "TranslateX": lambda pixels: translation(np.trunc(pixels * side / SIDE), 0),
        "TranslateY": lambda pixels: translation(0, np.trunc(pixels * side / SIDE)),
        "Rotate": rotation,
        "FlipLR": lambda _: TURNS["flip_lr"],
        "FlipUD": lambda _: TURNS["flip_ud"],
    }
    return np.stack(
        [placements.get(name, lambda _: IDENTITY)(m) for m in transform_magnitudes(name)]
    )
