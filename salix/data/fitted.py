"""Pixels that a packed data set has fitted to a model's size already."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from salix.data.source import wrapped
from salix.preprocess import Preprocess
from salix.typing import InputError, Pixels


class FittedPixels(np.ndarray):
    """8-bit pixels [h w c] or a reference mask [h w], fitted to `to` from an image of size `frame`.

    An array made of it, such as a part of it, is no longer known as fitted: `to` is None.
    """

    to: Preprocess | None = None
    frame: tuple[int, int] = (0, 0)  # height and width of the image in its file

    def as_inputs_of(self, to: Preprocess) -> Pixels:
        """Return the pixels as they are; raises `InputError` where `to` has another geometry."""
        if self.to is not None:
            check_geometry(self.to, to)
        return np.asarray(self)


def fitted_pixels(pixels: np.ndarray, to: Preprocess, frame: tuple[int, int]) -> FittedPixels:
    """Return pixels with the preprocessing that they were fitted to, without a copy."""
    fitted = pixels.view(FittedPixels)
    fitted.to, fitted.frame = to, frame
    return fitted


def is_fitted(image: Any) -> bool:
    """Whether an image of a source was fitted before."""
    return isinstance(image, FittedPixels) and image.to is not None


def frame_of(image: Any) -> tuple[int, int]:
    """Return the height and width of an image in its file: of a Pillow image, an array, or fitted.

    Reference masks and segments of an image are in this frame.
    """
    if isinstance(image, FittedPixels) and image.to is not None:
        return image.frame
    if isinstance(image, np.ndarray):
        return image.shape[0], image.shape[1]
    return image.height, image.width


def packings(source: Any) -> Iterator[Preprocess]:
    """Yield the preprocessing of each packed source among a source and those that it wraps."""
    for inner in wrapped(source):
        packing = getattr(inner, "packing", None)
        if isinstance(packing, Preprocess):
            yield packing


def check_geometry(packing: Preprocess, to: Preprocess) -> None:
    """Raise `InputError` where images were packed for another geometry than that of a model."""
    packed, wanted = geometry(packing), geometry(to)
    if packed != wanted:
        raise InputError(
            f"the data are packed with {packed}, the model takes {wanted}: pack the images for it, "
            f"salix pack DATA {wanted} --out DIR, or sweep with the options of the packed data"
        )


def geometry(to: Preprocess) -> str:
    """Return the options of the command line that decide 8-bit pixels."""
    height, width = to.size
    texts = [f"--size {height}" if height == width else f"--size {height} {width}"]
    texts.append(f"--fit {to.fit}")
    if to.resize is not None:
        texts.append(f"--resize {to.resize}")
    return " ".join([*texts, f"--interpolation {to.interpolation} --channels {to.channels}"])
