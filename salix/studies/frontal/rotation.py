"""Views of a face at a known angle: a photograph on its mesh, turned about the vertical axis."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from salix.typing import InputError

SAMPLES = 8  # of a pixel along a row
# Rings around the face: their size in units of the face's outline, their part of the rotation and
# their depth behind the outline in units of its half width. The last covers the image.
RINGS = ((1.25, 1.0, 0.5), (1.6, 0.8, 0.9), (2.2, 0.3, 1.0), (6.0, 0.0, 1.0))
BACKGROUND = 0.9  # weight below which a pixel is no part of the head
STEEPEST = 75  # degrees


def turn(
    image: UInt8[np.ndarray, "h w 3"],
    points: Float[np.ndarray, "468 3"],
    yaws: Sequence[float],
) -> list[tuple[UInt8[np.ndarray, "h w 3"], Float[np.ndarray, "468 3"]]]:
    r"""Return a frontal photograph with the head turned by each yaw in degrees, and its mesh.

    $x' = c + w\,[(x - c)\cos\theta - (z - d)\sin\theta] + (1 - w)(x - c)$, the depth
    $z' = w\,[(x - c)\sin\theta + (z - d)\cos\theta] + (1 - w)(z - d)$, by parallel projection: rows
    stay rows. The axis (c, d) lies in the middle of the face's outline, at half its width behind
    it. The weight w is 1 on the face and falls to 0 in rings around it, so that hair follows and
    the background stays. Each row is sampled 8 times a pixel, and what is nearest is visible; what
    the photograph does not show is stretched.

    Raises `InputError` for angles beyond 75 degrees. A view of the kind of Zhu et al. (2016),
    arXiv:1511.07212, sec. 4.
    """
    if beyond := [yaw for yaw in yaws if not abs(yaw) <= STEEPEST]:
        raise InputError(f"yaw is {beyond[0]}: give at most {STEEPEST} degrees to either side")
    height, width = image.shape[:2]
    axis, depth = _axis(points)
    columns = np.arange((width - 1) * SAMPLES + 1) / SAMPLES
    surface = [_interpolate(v, columns) for v in _surface(points, depth, (height, width))]
    texture = _interpolate(image.astype(np.float32), columns)
    views = []
    for yaw in yaws:
        x, z = _turned(columns, surface[0] - depth, surface[1], axis, yaw)
        turned = np.array(points, np.float64)
        turned[:, 0], turned[:, 2] = _turned(points[:, 0], points[:, 2] - depth, 1.0, axis, yaw)
        turned[:, 2] += depth
        views.append((_render(x, z, surface[1], texture, width), turned))
    return views


def _render(
    x: np.ndarray, z: np.ndarray, weight: np.ndarray, texture: np.ndarray, width: int
) -> UInt8[np.ndarray, "h w 3"]:
    """Return the nearest sample of each pixel; of equally near ones that closest to its middle."""
    target = np.rint(x).astype(int)
    inside = (target >= 0) & (target < width)
    rows, shown = np.nonzero(inside)[0], target[inside]
    # What is written last stays: far samples first
    order = np.lexsort((-np.abs(x - target)[inside], -np.rint(z[inside])))
    rows, shown = rows[order], shown[order]
    out = np.zeros((len(x), width, 3), np.float32)
    out[rows, shown] = texture[inside][order]
    # 0 where nothing is visible, 1 for the background, 2 for the head
    layer = np.zeros((len(x), width), np.uint8)
    layer[rows, shown] = np.where(weight[inside][order] < BACKGROUND, 1, 2)
    return np.rint(_fill(out, layer)).astype(np.uint8)


def _turned(x: np.ndarray, z: np.ndarray, weight: np.ndarray | float, axis: float, yaw: float):
    angle = np.radians(yaw)
    across = (x - axis) * np.cos(angle) - z * np.sin(angle)
    behind = (x - axis) * np.sin(angle) + z * np.cos(angle)
    return axis + weight * across + (1 - weight) * (x - axis), weight * behind + (1 - weight) * z


def _axis(points: Float[np.ndarray, "468 3"]) -> tuple[float, float]:
    """Return x and depth of the axis of rotation."""
    low, high = points.min(0), points.max(0)
    return float((low[0] + high[0]) / 2), float(high[2] + (high[0] - low[0]) / 4)


def _surface(
    points: Float[np.ndarray, "468 3"], depth: float, size: tuple[int, int]
) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Return the depth and the weight of the rotation of each pixel."""
    from scipy.interpolate import LinearNDInterpolator
    from scipy.spatial import ConvexHull

    hull = points[ConvexHull(points[:, :2]).vertices]
    centre, half = hull[:, :2].mean(0), float(np.ptp(hull[:, 0])) / 2
    places, depths, weights = [points[:, :2]], [points[:, 2]], [np.ones(len(points))]
    for factor, weight, behind in RINGS:
        places.append(centre + factor * (hull[:, :2] - centre))
        flat = hull[:, 2].mean() + behind * half
        depths.append(np.full(len(hull), min(flat, depth + half)))
        weights.append(np.full(len(hull), weight))
    values = np.stack([np.concatenate(depths), np.concatenate(weights)], 1)
    surface = LinearNDInterpolator(np.concatenate(places), values, fill_value=np.nan)
    y, x = np.mgrid[: size[0], : size[1]]
    result = surface(x, y)
    outside = np.isnan(result[..., 0])
    result[outside] = [depths[-1][0], 0]
    return result[..., 0], result[..., 1]


def _interpolate(values: np.ndarray, columns: Float[np.ndarray, " k"]) -> np.ndarray:
    """Return the values of rows between their pixels."""
    last = values.shape[1] - 1
    first = np.clip(np.floor(columns).astype(int), 0, last)
    share = np.clip(columns - first, 0, 1).reshape(1, -1, *[1] * (values.ndim - 2))
    return values[:, first] * (1 - share) + values[:, np.minimum(first + 1, last)] * share


def _fill(image: np.ndarray, layer: np.ndarray) -> np.ndarray:
    """Return an image with the nearest background, or head where there is none, in its gaps."""
    from scipy.ndimage import distance_transform_edt

    source = layer == (1 if (layer == 1).any() else 2)
    nearest: Any = distance_transform_edt(~source, return_distances=False, return_indices=True)
    return np.where((layer == 0)[..., None], image[tuple(nearest)], image)
