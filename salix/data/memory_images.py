"""Images in memory of any library as 8-bit arrays, or an error that names what to give.

| given | becomes |
|---|---|
| [n h w], [n h w 1], [n h w 3] | images, channels last |
| [n h w 4] | RGB, composited over white |
| [n 1 h w], [n 3 h w], [n 4 h w], sides over 4 | channels last |
| a list or object array of such images without n, also of several sizes | images |
| NumPy, JAX, PyTorch, TensorFlow arrays | the same values |
| a list of Pillow images | as files of their mode, but not turned by EXIF |
| uint8 | as it is |
| bool | False is 0, True 255 |
| other integers, all from 0 to 255 | the same values |
| real, all from 0 to 1 | 255 times the value, rounded half to even |

Anything else is an `InputError` before any work: one image without n, real values up to 255,
standardised, infinite or NaN values, integers beyond 255 or of 0 and 1 alone, and shapes with two
readings, as [3 h w].
"""

import os
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from salix.data.bounds import Unreadable
from salix.data.levels import to_8_bit
from salix.data.metadata import Picture
from salix.typing import InputError

CHANNELS = (1, 3, 4)
LEAST = 5  # pixels of a side beside channels that come first
EXPECTED = "give images [n h w 3] of uint8, a list of images [h w 3], or a source of salix.data"


def plain_images(data: Any, *, count: int | None = None) -> Any:
    """Return images [h w], [h w 1] or [h w 3] of 8 bits, as in the table above.

    An array of uint8 that needs no change is returned without a copy; an `h5py.Dataset` and others
    that read one image at a time stay as they are. `count` is the number of images where it is
    known: an array of three axes with that many rows has grey images.
    """
    if _is_lazy(data):
        return data
    if hasattr(data, "getbands"):
        raise InputError("images: this is one Pillow image; give [image], a batch of one")
    if isinstance(data, (str, bytes, dict)) or not (hasattr(data, "__len__") or _is_array(data)):
        raise InputError(f"images of type {type(data).__name__}: {EXPECTED}")
    if isinstance(data, np.ndarray) and data.dtype == object and data.ndim:
        data = list(data)
    if not _is_array(data):
        if len(data) == 0:
            raise InputError(f"no image given: the {type(data).__name__} is empty; {EXPECTED}")
        arrays = [_array(image, f"image {i}") for i, image in enumerate(data)]
        images = [_channels_last(a, f"image {i}", batch=False) for i, a in enumerate(arrays)]
        _check_values(images)
        return tuple(_to_levels(image) for image in images)
    array = _array(data, "images")
    grey = array.ndim == 3 and array.size > 0 and len(array) == count
    array = array[..., None] if grey else _channels_last(array, "images", batch=True)
    _check_values([array])
    if array.shape[-1] == 4 and array.ndim == 4:
        return np.stack([_to_levels(image) for image in array])
    return _to_levels(array)


def _is_array(data: Any) -> bool:
    return hasattr(data, "shape") and hasattr(data, "dtype")


def _is_lazy(data: Any) -> bool:
    """Whether `data` is an array on a disk, of 8-bit images, that is read image by image."""
    in_memory = isinstance(data, (np.ndarray, jax.Array)) or hasattr(data, "__array_interface__")
    shape = getattr(data, "shape", ())
    eight_bit = str(getattr(data, "dtype", "")) == "uint8"
    return eight_bit and not in_memory and len(shape) == 4 and shape[0] > 0 and shape[-1] in (1, 3)


def _array(data: Any, what: str) -> np.ndarray:
    """Return the values of an array of any library, a Pillow image, or nested lists of numbers."""
    if hasattr(data, "getbands"):  # a Pillow image, whose modes are treated as those of files
        try:
            return np.asarray(to_8_bit(data, Picture(b"")))
        except Unreadable as error:
            raise InputError(f"{what}: {error}") from None
    if isinstance(data, (str, os.PathLike)):
        raise InputError(f"{what} is a path: give the folder, or a CSV file with a column path")
    if hasattr(data, "detach"):  # a tensor of PyTorch, which may be on a device
        data = data.detach().cpu()
        data = data.float() if str(data.dtype) == "torch.bfloat16" else data
    try:
        array = np.asarray(data)
    except (ValueError, TypeError) as error:
        raise InputError(f"{what}: {error}; {EXPECTED}") from None
    if array.dtype.name in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
        array = array.astype(np.float32)
    if array.dtype.kind not in "buif":
        raise InputError(f"{what} of type {array.dtype}: {EXPECTED}")
    return array


def _channels_last(array: np.ndarray, what: str, *, batch: bool) -> np.ndarray:
    """Return images [h w] or [h w c], with n before if `batch`, from channels first or last."""
    shape = array.shape
    text = f"{what} of shape [{' '.join(map(str, shape))}]"
    if batch and shape[:1] == (0,):
        raise InputError(f"no image given: the array is empty; {EXPECTED}")
    if 0 in shape:
        raise InputError(f"{text}: a side is empty; {EXPECTED}")
    if len(shape) == 2 + batch:
        if shape[-1] in CHANNELS:
            one = "give image[None]" if batch else "give [image]"
            raise InputError(f"{text}: this is one image, or a row of one; {one}, a batch of one")
        if batch and shape[0] in CHANNELS[1:] and min(shape[1:]) >= LEAST:
            raise InputError(
                f"{text}: one image with its channels first, or {shape[0]} grey images; give "
                "images[None] for the one, images[..., None] for the other"
            )
        return array
    if len(shape) == 3 + batch:
        if shape[-1] in CHANNELS:
            return array
        if shape[-3] in CHANNELS and min(shape[-2:]) >= LEAST:
            return np.moveaxis(array, -3, -1)
    if batch and len(shape) == 2:
        raise InputError(f"{text}: this is one grey image; give image[None], a batch of one")
    if len(shape) == 4 + batch:
        raise InputError(
            f"{text}: give frames as images, x.reshape(-1, *x.shape[-3:]), with their videos as "
            "Arrays(..., groups=)"
        )
    raise InputError(f"{text}: {EXPECTED}")


def _check_values(arrays: Sequence[np.ndarray]) -> None:
    """Raise `InputError` unless integers are from 0 to 255 and real values from 0 to 1."""
    for kinds, top in (("iu", 255), ("f", 1)):
        some = [a for a in arrays if a.dtype.kind in kinds and a.dtype != np.uint8]
        if not some:
            continue
        low, high = min(float(a.min()) for a in some), max(float(a.max()) for a in some)
        summary = f"{some[0].dtype} images with values from {low:g} to {high:g}"
        if not low <= high or np.isinf([low, high]).any():
            raise InputError(f"{summary}, not all finite: replace NaN and infinity")
        if low < 0:
            raise InputError(
                f"{summary}: give the pixels themselves, uint8 of 0 to 255 or real of 0 to 1; the "
                "Preprocess of the model subtracts mean and divides by std"
            )
        if high > top:
            how = "images.astype('uint8') or images / 255" if high <= 255 else "uint8 of 0 to 255"
            raise InputError(f"{summary}, expected 0 to {top}: give {how}")
        if top == 255 and high == 1:
            raise InputError(f"{summary}, nearly black: give uint8, 255 times the values")


def _to_levels(array: np.ndarray) -> np.ndarray:
    """Return checked values as uint8, RGBA of one image composited over white."""
    if array.dtype == bool:
        array = array.astype(np.uint8) * 255
    elif array.dtype.kind == "f":
        array = np.rint(array * np.float32(255)).astype(np.uint8)
    array = array.astype(np.uint8, copy=False)
    if array.ndim == 3 and array.shape[-1] == 4:
        from PIL import Image

        return np.asarray(to_8_bit(Image.fromarray(np.ascontiguousarray(array)), Picture(b"")))
    return array
