"""Everyday changes of an image: where it lies in the frame, its light, colours and sharpness."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from salix.perturb import photometric as photo
from salix.perturb.geometric import IDENTITY, TURNS, Placement, covered, rotated, shifted, warp
from salix.typing import Image, Scalar

GEOMETRIC = ("TranslateX", "TranslateY", "Rotate", "FlipLR", "FlipUD")
BLENDS = {
    "Brightness": photo.brightness,
    "Color": photo.colour,
    "Contrast": photo.contrast,
    "Sharpness": photo.sharpness,
}
PLAIN = {
    "AutoContrast": photo.autocontrast,
    "Equalize": photo.equalize,
    "Blur": photo.blur,
    "Smooth": photo.smooth,
}
Change = Callable[[Any, Any, Any], Any]  # levels, placement, magnitude -> levels
PHOTOMETRIC = (*BLENDS, *PLAIN)
MOST = {"TranslateX": 32, "TranslateY": 32, "Rotate": 135, **dict.fromkeys(BLENDS, 0.99)}
BINS = 31  # magnitudes from 0 to the greatest; 0 itself is not drawn
SIDE = 224  # that the published shifts, in pixels, are meant for


def _move(levels: Image, placement: Placement, magnitude: Scalar) -> Image:
    del magnitude
    inside = covered((levels.shape[0], levels.shape[1]), placement, 0.5)
    return jnp.where(inside[..., None], warp(levels, placement, nearest=True), 0)


def _blending(blend: Callable[[Any, Any], Any]) -> Change:
    return lambda levels, placement, magnitude: blend(levels, 1 + magnitude)


def _plain(function: Callable[[Any], Any]) -> Change:
    return lambda levels, placement, magnitude: function(levels)


CHANGES: dict[str, Change] = (
    dict.fromkeys(GEOMETRIC, _move)
    | {name: _blending(blend) for name, blend in BLENDS.items()}
    | {name: _plain(function) for name, function in PLAIN.items()}
)


def magnitudes_of(name: str) -> Float[np.ndarray, " magnitudes"]:
    """Return the magnitudes of a change, of either sign; zeros for one that has no range."""
    bins = np.linspace(0, MOST.get(name, 0), BINS)[1:]
    return np.concatenate([bins, -bins])


def placements_of(name: str, side: int) -> Float[np.ndarray, "magnitudes 2 3"]:
    """Return where each magnitude of a change puts an image of a side; photometric ones nowhere."""
    place: dict[str, Callable[[float], np.ndarray]] = {
        "TranslateX": lambda pixels: shifted(np.trunc(pixels * side / SIDE), 0),
        "TranslateY": lambda pixels: shifted(0, np.trunc(pixels * side / SIDE)),
        "Rotate": rotated,
        "FlipLR": lambda _: TURNS["flip_lr"],
        "FlipUD": lambda _: TURNS["flip_ud"],
    }
    return np.stack([place.get(name, lambda _: IDENTITY)(m) for m in magnitudes_of(name)])
