r"""Cropping of faces: the box with its margin, and alignment by five landmarks.

Alignment is the similarity transform to canonical positions. Landmarks are positions of pixels as
OpenCV and the detectors of faces count them: the centre of the first pixel is 0. They are, from the
left of the picture, both eyes, the tip of the nose, and both corners of the mouth.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

from salix.data.bounds import Unreadable

LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
# Positions [5 xy] in a face of 112 x 112 pixels: those of ArcFace (Deng et al., 2019,
# arXiv:1801.07698, InsightFace's `arcface_dst`), which DeepfakeBench aligns to.
CANONICAL = np.array(
    [
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ]
)
CANONICAL_SIDE = 112
MAX_SIDE = 4096  # pixels that are sampled for one aligned face


def canonical_landmarks(side: int, margin: float) -> Float[np.ndarray, "5 2"]:
    """Return the positions in an aligned face of `side` pixels with a margin on each side.

    `margin` is a fraction of the face without margins: 0.15 is a scale of 1.3 of DeepfakeBench.
    """
    return (CANONICAL / CANONICAL_SIDE + margin) / (1 + 2 * margin) * side


def similarity(
    source: Float[np.ndarray, "n 2"], target: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, "2 3"]:
    r"""Return the least-squares similarity transform $t = s R p + b$ of points, as a matrix [2 3].

    Rotation, scale and translation without reflection, by Umeyama (1991), doi:10.1109/34.88573.
    NaN for points that coincide.
    """
    n = len(source)
    mean, target_mean = source.mean(0), target.mean(0)
    a, b = source - mean, target - target_mean
    u, strengths, vt = np.linalg.svd(b.T @ a / n)
    signs = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = (u * signs) @ vt
    variance = (a**2).sum() / n
    scale = (strengths * signs).sum() / variance if variance > 0 else np.nan
    return np.column_stack([scale * rotation, target_mean - scale * rotation @ mean])


def align_face(
    image: Any, landmarks: Float[np.ndarray, "5 2"], side: int, *, margin: float = 0.0
) -> Any:
    """Return the aligned face of a Pillow image, `side` pixels a side, black beyond the image.

    Bilinear; a face that shrinks is the mean of a whole number of samples a side, so that it has no
    aliases. Raises `Unreadable` for landmarks that coincide.
    """
    from PIL import Image

    matrix = similarity(landmarks, canonical_landmarks(side, margin))
    scale = float(np.hypot(*matrix[:, 0])) if np.isfinite(matrix).all() else 0.0
    if not scale > 1e-6:
        raise Unreadable("its five landmarks coincide: a face cannot be aligned by them")
    samples = max(1, min(int(np.ceil(1 / scale - 1e-9)), MAX_SIDE // side))
    # Pillow's coordinates of pixels are those of their upper left corners, and it maps back.
    linear, shift = matrix[:, :2], matrix[:, 2] + 0.5 - matrix[:, :2] @ np.full(2, 0.5)
    inverse = np.linalg.inv(linear)
    offset = -inverse @ shift
    coefficients = np.column_stack([inverse / samples, offset]).reshape(-1)
    aligned = image.transform(
        (side * samples, side * samples),
        Image.Transform.AFFINE,
        tuple(coefficients.tolist()),
        Image.Resampling.BILINEAR,
    )
    return aligned.reduce(samples) if samples > 1 else aligned


def crop_box(
    box: Float[np.ndarray, " 4"], size: tuple[int, int], *, margin: float, square: bool
) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a face's box with its margin, up to the image's edge.

    `size` is the width and height of the image; `margin` a fraction of the box, on each side;
    `square` first extends the shorter side. Outward to whole pixels. Raises `Unreadable` for a box
    without area or outside of the image.
    """
    left, top, right, bottom = box.tolist()
    width, height = right - left, bottom - top
    text = f"the box of its face, {left:g} {top:g} {right:g} {bottom:g},"
    if not (width > 0 and height > 0):
        raise Unreadable(f"{text} has no area")
    if right <= 0 or bottom <= 0 or left >= size[0] or top >= size[1]:
        raise Unreadable(f"{text} is outside of the image of {size[0]} x {size[1]} pixels")
    half = (0.5 + margin) * np.array([width, height])
    if square:
        half[:] = half.max()
    centre = np.array([(left + right) / 2, (top + bottom) / 2])
    low = np.maximum(np.floor(centre - half), 0).astype(int).tolist()
    high = np.minimum(np.ceil(centre + half), size).astype(int).tolist()
    return low[0], low[1], high[0], high[1]
