"""Segments of the images of a source, in the geometry of a model's input."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt16

from salix.data.content import arrays_digest, files_digest
from salix.data.decode import Unreadable, fit
from salix.data.fitted import frame_of, is_fitted
from salix.data.mask_files import match_label_files, read_labels
from salix.data.segment_cache import SegmentCache, cached
from salix.perturb.segment_labels import SIDE, LabelLevels
from salix.perturb.user_masks import UserMasks
from salix.preprocess import Preprocess
from salix.typing import InputError

STRETCHED = Preprocess((SIDE, SIDE), 3, interpolation="bicubic")


@dataclass(frozen=True)
class ImageSegments:
    """Segment labels of images, computed, cached or given by the user.

    Raises `InputError` for masks of the user that do not match the images, see `UserMasks`.
    """

    segmentation: Any
    ids: Sequence[str]
    labels: Callable[[Any], LabelLevels] = field(init=False, repr=False, compare=False)
    items: Sequence[Any] = field(init=False, repr=False, compare=False)  # of the user

    def __post_init__(self):
        own = isinstance(self.segmentation, UserMasks)
        items = match_masks(self.segmentation.masks, self.ids) if own else ()
        object.__setattr__(self, "items", items)
        object.__setattr__(self, "labels", None if own else cached(self.segmentation))

    def load(self, index: int, image: Any, to: Preprocess) -> UInt16[np.ndarray, "levels h w"]:
        """Return the labels of one image as a model of some preprocessing sees it.

        Raises `Unreadable` for masks of the user that are unusable.
        """
        if isinstance(self.segmentation, UserMasks):
            item = self.items[index]
            try:
                labels = self.segmentation.labels(
                    read_labels(item) if isinstance(item, Path) else item
                )
            except (InputError, Unreadable) as error:
                raise Unreadable(f"its segment masks: {error}") from None
        else:
            if is_fitted(image):
                check_packed_segmentation(self.segmentation)
            labels = self._checked(self.labels(fit(image, STRETCHED)))
        return sample_labels(labels, frame_of(image), to)

    def _checked(self, labels: Any) -> LabelLevels:
        shape, count = (self.segmentation.levels, SIDE, SIDE), self.segmentation.count
        array = np.asarray(labels)
        if array.shape != shape or array.dtype != np.uint16 or array.max() > count:
            raise InputError(
                f"{type(self.segmentation).__name__} returns labels of type {array.dtype} and "
                f"shape {list(array.shape)} up to {array.max()}: return uint16 {list(shape)} up "
                f"to its count, {count}"
            )
        return array

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of images whose segments were computed, and read from the cache; without, {}."""
        cache = self.labels
        is_cache = isinstance(cache, SegmentCache)
        return {"computed": cache.computed, "cached": cache.read} if is_cache else {}

    def identity(self, *, full: bool) -> dict[str, str]:
        """Return the digest of the user's masks; nothing for computed segments."""
        if not isinstance(self.segmentation, UserMasks):
            return {}
        is_folder = isinstance(self.segmentation.masks, (str, Path))
        digest = files_digest(self.items, full=full) if is_folder else arrays_digest(self.items)
        return {"masks": digest}


def check_packed_segmentation(segmentation: Any) -> None:
    """Raise `InputError` for segments that are computed from whole images, which none is packed."""
    if not isinstance(segmentation, UserMasks):
        raise InputError(
            "segments are computed from whole images, and the data are packed: sweep the images "
            "that were packed, or give your own segments as UserMasks"
        )


def sample_labels(
    labels: LabelLevels, frame: tuple[int, int], to: Preprocess
) -> UInt16[np.ndarray, "levels h w"]:
    """Return labels of a whole image as its preprocessing resizes and crops it: the nearest ones.

    `frame` is the height and width of the image.
    """
    left, top, right, bottom = to.box(*frame)

    def nearest(low: float, high: float, length: int, side: int) -> np.ndarray:
        centres = low + (np.arange(length) + 0.5) * (high - low) / length
        return np.clip(np.floor(centres * SIDE / side), 0, SIDE - 1).astype(int)

    rows = nearest(top, bottom, to.size[0], frame[0])
    columns = nearest(left, right, to.size[1], frame[1])
    return labels[:, rows[:, None], columns]


def match_masks(masks: Any, ids: Sequence[str]) -> list[Any]:
    """Return the masks of each image, None where it has none: files of a folder, or arrays.

    Raises `InputError` for masks without an image.
    """
    if isinstance(masks, (str, Path)):
        return list(match_label_files(Path(masks), ids))
    if isinstance(masks, Mapping):
        if unknown := sorted(map(str, masks.keys() - set(ids))):
            raise InputError(
                f"UserMasks has masks of {len(unknown)} images that are not in the data, "
                f"{unknown[0]} first: name them by ids, for example {ids[0]}"
            )
        return [masks.get(id) for id in ids]
    if not hasattr(masks, "__len__"):
        raise InputError(
            f"UserMasks of {type(masks).__name__}: give a folder, a mapping from ids, or one item "
            "for each image"
        )
    if len(masks) != len(ids):
        raise InputError(f"UserMasks has {len(masks)} items for {len(ids)} images: give one each")
    return list(masks)
