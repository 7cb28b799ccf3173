"""Share of the mass of a map on each part of a face."""

import numpy as np

from salix.perturb.face_parts import FaceParts
from salix.perturb.segment_labels import SIDE

BLOCK = 2**22  # values of maps that are widened to 64 bits at once


def part_labels(layout: FaceParts) -> np.ndarray:
    """Return the label of the part of each pixel of the crop, [y x] from 1."""
    return layout(None)[0]


def part_weights(layout: FaceParts, grid: tuple[int, int]) -> np.ndarray:
    """Return the share of each map pixel's area that lies in each part, [y x part]; it adds to 1.

    Exact for any grid: overlaps of the pixels of the map with those of the parts.
    """
    one_hot = part_labels(layout)[..., None] == np.arange(1, FaceParts.count + 1)
    rows, columns = (_overlaps(n) for n in grid)
    return np.einsum("yi,ijp,xj->yxp", rows, one_hot.astype(np.float64), columns, optimize=True)


def _overlaps(n: int) -> np.ndarray:
    """Return the share of each of `n` intervals of [0, 1] that lies in each of `SIDE`."""
    own, fine = np.arange(n) / n, np.arange(SIDE) / SIDE
    low = np.maximum(own[:, None], fine[None])
    high = np.minimum(own[:, None] + 1 / n, fine[None] + 1 / SIDE)
    return (high - low).clip(0) * n


def part_shares(maps: np.ndarray, weights: np.ndarray) -> np.ndarray:
    r"""Return $\sum_i m_i w_{ip} / \sum_i m_i$ of maps [image y x]: [image part] in [0, 1].

    NaN for a map that is zero everywhere.
    """
    flat, parts = maps.reshape(len(maps), -1), weights.reshape(-1, weights.shape[-1])
    step = max(1, BLOCK // flat.shape[1])
    blocks = [_shares(flat[i : i + step], parts) for i in range(0, max(len(flat), 1), step)]
    return np.concatenate(blocks)


def _shares(flat: np.ndarray, parts: np.ndarray) -> np.ndarray:
    values = np.nan_to_num(flat.astype(np.float64))
    total = values.sum(1, keepdims=True)
    return values @ parts / np.where(total > 0, total, np.nan)
