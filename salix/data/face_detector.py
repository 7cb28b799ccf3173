"""Detector of upright frontal faces: a cascade of local binary patterns that scikit-image ships."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from salix import hyperparameters as hp
from salix.data.decode import to_pillow
from salix.typing import InputError

WINDOW = 24  # pixels a side of the cascade's window
BORDER = 0.1  # of edge pixels around the image, as fraction of its longer side
NEAR = 0.2  # of the smaller window's side: edges of windows of one face differ by at most so much
SHARED = 0.3  # of the smaller face's area: faces that overlap more are one
MOST, BLOCK = 2048, 256  # windows that are compared, and that are compared at once


@dataclass(frozen=True)
class FaceDetector:
    """Upright faces seen from the front, by a cascade of multi-block local binary patterns.

    Square windows from `smallest` to `largest`, as fractions of the image's longer side, are each
    `scale` times the one before, and `step` 24ths of their side apart. A face is the mean of at
    least `neighbours` windows of nearly one place and size that pass the cascade; of faces that
    overlap the one of most windows. Images are resampled so that the smallest window has 24 pixels,
    and continued by their edge pixels, for faces that fill them: the time depends on
    `smallest` and not on the size of the image. Raises `InputError` for values out of range.

    Zhang et al. (2007), doi:10.1007/978-3-540-74549-5_2; the trained cascade is OpenCV's
    `lbpcascade_frontalface`, as scikit-image ships it.
    """

    smallest: float = 0.1
    largest: float = 1.0
    scale: float = 1.1
    step: float = 1.5
    neighbours: int = 3

    def __post_init__(self):
        side = "give a fraction of the longer side of the image, from 0.02 to 1"
        hp.check_fields(
            self,
            smallest=hp.number(lambda s: 0.02 <= s <= 1, remedy=side),
            largest=hp.number(lambda s: 0.02 <= s <= 1, remedy=side),
            scale=hp.number(lambda s: 1.02 <= s <= 2, remedy="give a factor from 1.02 to 2"),
            step=hp.number(lambda s: 1 <= s <= 8, remedy="give 24ths of a window, from 1 to 8"),
            neighbours=hp.integer(1, 100),
        )
        if self.smallest > self.largest:
            raise InputError(
                f"smallest is {self.smallest} and largest {self.largest}: give a larger largest"
            )

    def __call__(self, image: Any) -> Float[np.ndarray, "n 4"]:
        """Return left, top, right and bottom of each face in pixels, that of most windows first.

        `image` is a Pillow image or an 8-bit array [h w] or [h w c]. Raises `Unreadable` for
        another array.
        """
        picture = to_pillow(image)
        size = np.array([picture.width, picture.height] * 2, np.float64)
        windows, copy_size = self._windows(picture)
        boxes, counts = _mean_boxes(windows)
        boxes, counts = boxes[counts >= self.neighbours], counts[counts >= self.neighbours]
        boxes = boxes[np.argsort(-counts, kind="stable")] * size / (copy_size * 2)
        boxes = np.clip(boxes, 0, size)
        return _apart(boxes[(boxes[:, 2:] > boxes[:, :2]).all(1)])

    def _windows(self, picture: Any) -> tuple[Float[np.ndarray, "n 4"], tuple[int, int]]:
        """Return the windows that pass, in pixels of the resampled image, and its size."""
        from PIL import Image

        longest = WINDOW / self.smallest
        factor = longest / max(picture.size)
        width, height = (max(1, round(factor * side)) for side in picture.size)
        copy = picture.convert("L").resize(
            (width, height), Image.Resampling.BILINEAR, reducing_gap=2.0
        )
        border = round(BORDER * longest)
        grey = np.pad(np.asarray(copy, np.float32) / 255, border, mode="edge")
        largest = WINDOW * self.largest / self.smallest * (1 + 1e-6)  # the cascade leaves it out
        passed = _cascade().detect_multi_scale(
            grey - grey.mean(),  # no pattern changes, and sums in float32 are small
            self.scale,
            self.step,
            (WINDOW, WINDOW),
            (largest, largest),
            min_neighbor_number=1,
            intersection_score_threshold=2.0,  # each window by itself
        )
        corners = [(w["c"], w["r"], w["c"] + w["width"], w["r"] + w["height"]) for w in passed]
        # In one order, which threads of a build with OpenMP do not have; the largest first
        corners.sort(key=lambda c: (c[0] - c[2], c))
        return np.array(corners, np.float64).reshape(-1, 4) - border, (width, height)


@cache
def _cascade() -> Any:
    from skimage.data import lbp_frontal_face_cascade_filename
    from skimage.feature import Cascade

    return Cascade(lbp_frontal_face_cascade_filename())


def _mean_boxes(
    windows: Float[np.ndarray, "n 4"],
) -> tuple[Float[np.ndarray, "g 4"], Int[np.ndarray, " g"]]:
    """Return the mean of each group of near windows, linked by others, and its count.

    Of more than 2048 windows the largest count, so that memory and time are bounded.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    windows = windows[:MOST]
    sides = windows[:, 2] - windows[:, 0]
    pairs: list[np.ndarray] = [np.zeros((2, 0), np.int64)]
    for start in range(0, len(windows), BLOCK):
        some, later = np.s_[start : start + BLOCK], np.s_[start:]
        apart = np.abs(windows[some, None] - windows[later]).max(-1)
        near = apart <= NEAR * np.minimum(sides[some, None], sides[later])
        pairs.append(np.stack(np.nonzero(near)) + start)
    links = np.concatenate(pairs, axis=1)
    shape = (len(windows),) * 2
    graph = coo_array((np.ones(links.shape[1], bool), (links[0], links[1])), shape=shape)
    _, groups = connected_components(graph, directed=False)
    counts = np.bincount(groups)
    sums = [np.bincount(groups, edge) for edge in windows.T]
    return np.stack(sums, axis=1) / counts[:, None], counts


def _apart(boxes: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "m 4"]:
    """Return boxes without those that overlap an earlier one."""
    chosen = []
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    rest = np.arange(len(boxes))
    while len(rest):
        first, rest = rest[0], rest[1:]
        chosen.append(first)
        low = np.maximum(boxes[first, :2], boxes[rest, :2])
        high = np.minimum(boxes[first, 2:], boxes[rest, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        rest = rest[shared <= SHARED * np.minimum(areas[first], areas[rest])]
    return boxes[chosen]
