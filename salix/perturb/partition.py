"""Partitions of an image into segments that are removed together: grids, superpixels and labels."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Int

from salix.hyperparameters import Hyperparameter, check_fields, integer, number
from salix.perturb.host import call_on_host
from salix.typing import Image, InputError

POSITIVE = number(lambda n: n > 0, remedy="give a number above 0")


@runtime_checkable
class Partition(Protocol):
    """A function from one image to disjoint segments: a frozen dataclass of its settings.

    `partition(image)` labels every pixel of an image [*space c] from 0 on, without gaps.
    `partition.count(shape)` bounds the number of segments of images of that shape [*space c]: loops
    over segments have this length, and a segment beyond the last one has no pixel.
    """

    def __call__(self, image: Image) -> Int[Array, "*space"]:
        """Label the pixels of one image."""
        ...

    def count(self, shape: tuple[int, ...]) -> int:
        """Return the greatest number of segments of an image of a shape [*space c]."""
        ...


@dataclass(frozen=True)
class Grid:
    r"""Rectangular blocks, `side` along each axis.

    Pixel i of an axis of n pixels is in block $\lfloor i s / n \rfloor$, s = min(`side`, n): the
    lengths of blocks differ by one pixel at most. Blocks are counted with the last axis fastest,
    $s^2$ of them for an image of at least `side` pixels a side; any number of axes.
    """

    side: int = 7

    def __post_init__(self) -> None:
        check_fields(self, side=integer(1))

    def count(self, shape: tuple[int, ...]) -> int:
        """Return the number of blocks."""
        return math.prod(min(self.side, n) for n in shape[:-1])

    def __call__(self, image: Image) -> Int[Array, "*space"]:
        space = jnp.shape(image)[:-1]
        labels = jnp.zeros(space, jnp.int32)
        for axis, length in enumerate(space):
            blocks = min(self.side, length)
            places = np.arange(length, dtype=np.int32) * blocks // length
            labels = labels * blocks + np.expand_dims(
                places, [a for a in range(len(space)) if a != axis]
            )
        return labels


@dataclass(frozen=True)
class Patches:
    """Square patches of `side` pixels along each axis; those at the far edges may be smaller.

    Patches are counted with the last axis fastest; `Patches(side=1)` are the pixels.
    """

    side: int = 8

    def __post_init__(self) -> None:
        check_fields(self, side=integer(1))

    def count(self, shape: tuple[int, ...]) -> int:
        """Return the number of patches."""
        return math.prod(-(-n // self.side) for n in shape[:-1])

    def __call__(self, image: Image) -> Int[Array, "*space"]:
        space = jnp.shape(image)[:-1]
        labels = jnp.zeros(space, jnp.int32)
        for axis, length in enumerate(space):
            places = np.arange(length, dtype=np.int32) // self.side
            labels = labels * -(-length // self.side) + np.expand_dims(
                places, [a for a in range(len(space)) if a != axis]
            )
        return labels


@dataclass(frozen=True)
class Superpixels:
    r"""Superpixels by SLIC: k-means of colour and place, at most `segments` of them.

    Colours are CIELAB for three channels, else the channels, after scaling the image by its own
    range; `compactness` weighs place against colour. SLIC asks for a number and finds another:
    the labels are those of the greatest number asked for, `segments` or fewer, that finds
    `segments` at most. A constant image, and one that is not finite, is one segment.

    Runs on the host (about 0.1 s for one image of 224 x 224), inside compiled programs as well;
    labels depend on the image alone and have no derivative. Raises `InputError` for images of more
    than three axes beside the channels.

    Achanta et al. (2012), IEEE TPAMI 34(11), by scikit-image.
    """

    segments: int = 50
    compactness: float | int = 10

    def __post_init__(self) -> None:
        check_fields(self, segments=integer(1), compactness=POSITIVE)

    def count(self, shape: tuple[int, ...]) -> int:
        """Return `segments`, or the number of pixels where that is less."""
        return min(self.segments, math.prod(shape[:-1]))

    def __call__(self, image: Image) -> Int[Array, "*space"]:
        image = lax.stop_gradient(jnp.asarray(image))
        space = image.shape[:-1]
        if not 1 <= len(space) <= 3:
            raise InputError(
                f"Superpixels segments one to three axes beside the channels, and this image has "
                f"the shape {image.shape}: give partition=Grid()"
            )
        label = partial(_slic, count=self.count(image.shape), compactness=self.compactness)
        host = partial(_label_images, label, len(space))
        return call_on_host(host, jax.ShapeDtypeStruct(space, jnp.int32), image)


@dataclass(frozen=True, eq=False)
class Labels:
    """Segments of labels that the caller gives (from Python only), for images of their shape.

    `array` [*space] has an integer for each pixel; segments are its different numbers, in order.
    Raises `InputError` for an array that is empty or has no integers, and for images of another
    shape.
    """

    array: Any = field(repr=False)

    def __post_init__(self) -> None:
        labels = np.asarray(self.array)
        if labels.dtype.kind not in "iu" or labels.size == 0:
            raise InputError(
                f"labels of type {labels.dtype} and shape {labels.shape}: give an array of whole "
                "numbers, one for each pixel"
            )
        object.__setattr__(self, "array", labels)

    def count(self, shape: tuple[int, ...]) -> int:
        """Return the number of different labels."""
        self._check(shape)
        return np.unique(self.array).size

    def __call__(self, image: Image) -> Int[Array, "*space"]:
        self._check(jnp.shape(image))
        labels = np.unique(self.array, return_inverse=True)[1]
        return jnp.asarray(labels.reshape(self.array.shape), jnp.int32)

    def _check(self, shape: tuple[int, ...]) -> None:
        if self.array.shape != tuple(shape[:-1]):
            raise InputError(
                f"labels have the shape {self.array.shape} and the image {tuple(shape)}: give a "
                f"label for each of its pixels, an array of shape {tuple(shape[:-1])}"
            )


PARTITIONS: dict[str, type] = {"Grid": Grid, "Patches": Patches, "Superpixels": Superpixels}


def _plain_partition(value: Any) -> Any:
    if isinstance(value, type) or not isinstance(value, Partition):
        raise ValueError
    return value


PARTITION = Hyperparameter(
    _plain_partition, "give a partition, such as Grid(side=7) or Superpixels(segments=50)"
)


def _label_images(label: Callable[[np.ndarray], np.ndarray], axes: int, images: Any) -> np.ndarray:
    """Label the images of a batch with any number of leading axes."""
    images = np.asarray(images)
    out = np.zeros(images.shape[:-1], np.int32)
    known: dict[bytes, np.ndarray] = {}  # slots without an example are all the same
    for at in np.ndindex(images.shape[: -axes - 1]):
        content = images[at].tobytes()
        if content not in known:
            known[content] = label(images[at].astype(np.float64))
        out[at] = known[content]
    return out


def _slic(image: np.ndarray, *, count: int, compactness: float) -> np.ndarray:
    """Return the superpixels of one image, at most `count`, from 0 without gaps."""
    from skimage.segmentation import slic

    space = image.shape[:-1]
    low, high = image.min(), image.max()
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        return np.zeros(space, np.int32)
    image = (image - low) / (high - low)
    image = image[None] if len(space) == 1 else image  # a row of pixels
    for asked in range(count, 0, -1):
        labels = slic(image, asked, compactness=compactness, start_label=0, channel_axis=-1)
        labels = np.unique(labels, return_inverse=True)[1].reshape(space)
        if labels.max() < count:
            return labels
    return np.zeros(space, np.int32)
