"""Alignment of faces by five landmarks, and the pictures of examples: images and patches."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from salix.models.tpgan_patches import PATCHES, patch_boxes
from salix.models.tpgan_patches import SIDE as UNIT
from salix.typing import AnyArray, InputError

EYES = (64.0, 40.0)  # x, y of the middle between the eyes, in pixels of an aligned image of 128
EYES_TO_MOUTH = 48.0  # pixels


@dataclass(frozen=True)
class AlignedFace:
    """An aligned image [s s 3] and its landmarks in pixels of an image of 128."""

    image: UInt8[np.ndarray, "s s 3"]
    landmarks: Float[np.ndarray, "5 2"]

    def mirrored(self) -> "AlignedFace":
        """Return the mirror image: left and right landmarks change places."""
        swapped = self.landmarks[[1, 0, 2, 4, 3]]
        flipped = np.stack([UNIT - 1 - swapped[:, 0], swapped[:, 1]], 1)
        return AlignedFace(self.image[:, ::-1], flipped)


def alignment(landmarks: Float[np.ndarray, "5 2"]) -> Float[np.ndarray, "2 3"]:
    """Return the similarity from an aligned image of 128 to the image of the landmarks.

    Eyes are level, their middle is at (64, 40), and the middle of the mouth is 48 pixels below it.
    Raises `InputError` for landmarks that are missing, or a mouth that is not below the eyes.

    Huang et al. (2017), arXiv:1704.04086; figures as in the released code.
    """
    landmarks = np.asarray(landmarks, np.float64)
    if landmarks.shape != (5, 2) or not np.isfinite(landmarks).all():
        raise InputError(
            "landmarks are missing: give x and y of both eyes, the nose and both corners of the "
            "mouth"
        )
    eye = landmarks[1] - landmarks[0]
    if not np.hypot(*eye):
        raise InputError("both eyes are at one place: check the landmarks")
    # At 90 degrees eyes come close, and their slope says little; it is kept within 45 degrees
    angle = np.clip(np.arctan2(eye[1], eye[0]), -np.pi / 4, np.pi / 4)
    right = np.array([np.cos(angle), np.sin(angle)])
    down = np.array([-right[1], right[0]])
    middle = landmarks[:2].mean(0)
    height = down @ (landmarks[3:].mean(0) - middle)
    if height <= 0:
        raise InputError("the mouth is above the eyes: give upright faces, or check the landmarks")
    scale = height / EYES_TO_MOUTH
    matrix = scale * np.stack([right, down], 1)
    return np.concatenate([matrix, (middle - matrix @ np.array(EYES))[:, None]], 1)


def align(
    image: UInt8[np.ndarray, "h w 3"], landmarks: Float[np.ndarray, "5 2"], side: int
) -> AlignedFace:
    """Return an image aligned by its landmarks; beyond its edge it is continued."""
    matrix = alignment(landmarks)
    scaled = np.concatenate([matrix[:, :2] * UNIT / side, matrix[:, 2:]], 1)
    inverse = np.linalg.inv(matrix[:, :2])
    return AlignedFace(warp(image, scaled, side), (landmarks - matrix[:, 2]) @ inverse.T)


def warp(
    image: UInt8[np.ndarray, "h w 3"], matrix: Float[np.ndarray, "2 3"], side: int
) -> UInt8[np.ndarray, "s s 3"]:
    """Return an affine view: `matrix` maps its pixels x, y to those of the image."""
    from PIL import Image

    # Pillow fills with black beyond the edge: the image is continued by its edge first
    border = max(image.shape[:2]) // 2
    padded = np.pad(image, ((border, border), (border, border), (0, 0)), mode="edge")
    values = matrix + np.array([[0, 0, border], [0, 0, border]])
    reduction = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    if reduction > 1.5:  # averaged first, so that nothing is aliased
        factor = round(reduction)
        small = Image.fromarray(padded).reduce(factor)
        values, picture = values / factor, small
    else:
        picture = Image.fromarray(padded)
    view = picture.transform(
        (side, side), Image.Transform.AFFINE, tuple(values.ravel()), Image.Resampling.BILINEAR
    )
    return np.asarray(view)


def compose(face: AlignedFace, front: UInt8[np.ndarray, "s s 3"]) -> UInt8[np.ndarray, "s w 3"]:
    """Return an example as one picture: the face, its frontal image and the face's patches."""
    side = len(front)
    strips = np.zeros((side, sum(_columns(side)), 3), np.uint8)
    boxes = patch_boxes(side, face.landmarks)
    for part, (top, left, bottom, right) in boxes.items():
        y, x = _places(side)[part]
        strips[y : y + bottom - top, x : x + right - left] = face.image[top:bottom, left:right]
    return np.concatenate([face.image, front, strips], 1)


def width_of(side: int) -> int:
    """Return the width in pixels of the picture of an example."""
    return 2 * side + sum(_columns(side))


def take_apart(pictures: AnyArray, side: int) -> tuple[AnyArray, AnyArray, tuple[AnyArray, ...]]:
    """Return faces, frontal images and patches of pictures [b s w 3] of examples."""
    patches = []
    for part, (height, width) in patch_sizes(side).items():
        y, x = _places(side)[part]
        left = 2 * side + x
        patches.append(pictures[:, y : y + height, left : left + width])
    return pictures[:, :, :side], pictures[:, :, side : 2 * side], tuple(patches)


def frontal_patches(images: AnyArray, side: int) -> tuple[AnyArray, ...]:
    """Return the patches of frontal images [b s s c], where the fusion places them."""
    boxes = patch_boxes(side).values()
    return tuple(images[:, top:bottom, left:right] for top, left, bottom, right in boxes)


def patch_sizes(side: int) -> dict[str, tuple[int, int]]:
    """Return height and width of each patch in pixels of an image of a side."""
    return {part: (h * side // UNIT, w * side // UNIT) for part, (h, w) in PATCHES.items()}


def _columns(side: int) -> tuple[int, int]:
    """Return the widths of two columns of patches: eyes, and nose above mouth."""
    sizes = patch_sizes(side)
    return sizes["left eye"][1], sizes["mouth"][1]


def _places(side: int) -> dict[str, tuple[int, int]]:
    """Return y and x of each patch in the columns."""
    sizes, (first, _) = patch_sizes(side), _columns(side)
    return {
        "left eye": (0, 0),
        "right eye": (sizes["left eye"][0], 0),
        "nose": (0, first),
        "mouth": (sizes["nose"][0], first),
    }
