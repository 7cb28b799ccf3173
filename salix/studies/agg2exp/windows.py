"""Sliding windows over a volume, with weights that blend their outputs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from salix.hyperparameters import check_fields, choice, integer, number, optional
from salix.typing import InputError

BLENDINGS = ("gaussian", "constant")
SIGMA = 1 / 8  # of the Gaussian, in sides of the window, as in MONAI and nnU-Net
OVERLAP = number(lambda n: 0 <= n < 1, remedy="give a share of the window, in [0, 1)")


@dataclass(frozen=True)
class WindowPlan:
    """Windows of one volume: first voxels, size, weights and 1 / the sum of weights by voxel.

    The blended output at a voxel is the sum over windows of weight x output x `inverse`.
    """

    starts: Int[np.ndarray, "n 3"]
    size: tuple[int, int, int]
    weights: Float[np.ndarray, "wd wh ww"]
    inverse: Float[np.ndarray, "d h w"]

    def __len__(self) -> int:
        return len(self.starts)


@dataclass(frozen=True)
class SlidingWindows:
    """Sliding windows of `side` voxels that overlap by the share `overlap` of their side.

    The last window of an axis ends at the last voxel; `side=None` is one window, the whole volume.
    Outputs are blended with equal weights ("constant") or with those of a Gaussian around the
    centre, a standard deviation of an eighth of the side ("gaussian").
    """

    side: int | None = None
    overlap: float = 0.25
    blending: str = "gaussian"

    def __post_init__(self) -> None:
        check_fields(self, side=optional(integer(1)), overlap=OVERLAP, blending=choice(BLENDINGS))

    def plan(self, shape: tuple[int, ...], multiple: int = 1) -> WindowPlan:
        """Return the windows of a volume of a shape [d h w].

        Raises `InputError` where the sides of a window are no multiples of `multiple`, the number
        that a network needs.
        """
        size: Any = tuple(min(self.side or n, n) for n in shape)
        if any(n % multiple for n in size):
            fix = f"--window {max(multiple, min(size) // multiple * multiple)}"
            raise InputError(
                f"a window of {' x '.join(map(str, size))} voxels in a volume of "
                f"{' x '.join(map(str, shape))}: the network needs sides that are multiples of "
                f"{multiple}; give {fix}, or pad or resample the volume"
            )
        axes = [_starts(n, s, self.overlap) for n, s in zip(shape, size, strict=True)]
        starts = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3).astype(np.int32)
        weights = np.ones(size, np.float32)
        if self.blending == "gaussian" and len(starts) > 1:
            weights = _gaussian(size)
        total = np.zeros(shape, np.float32)
        for start in starts:
            total[tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))] += weights
        return WindowPlan(starts, size, weights, 1 / total)


def _starts(length: int, side: int, overlap: float) -> Int[np.ndarray, " n"]:
    step = max(1, round(side * (1 - overlap)))
    return np.unique([*range(0, length - side, step), length - side])


def _gaussian(size: tuple[int, ...]) -> Float[np.ndarray, "wd wh ww"]:
    """Return a Gaussian of height 1, at least 1/1000 so that no voxel is without weight."""
    weights = np.ones((), np.float64)
    for n in size:
        place = (np.arange(n) - (n - 1) / 2) / (SIGMA * n)
        weights = weights[..., None] * np.exp(-(place**2) / 2)
    return np.maximum(weights, 1e-3).astype(np.float32)
