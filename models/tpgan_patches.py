"""Layout of a face for TP-GAN: five landmarks of a frontal face and the patches around them."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

SIDE = 128  # pixels of an image to which the numbers below refer
LANDMARKS = ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner")
# x, y; the mean of frontal faces, as measured on the released list of Multi-PIE
FRONTAL = np.array([[43.58, 41.0], [86.42, 41.0], [64.12, 64.75], [47.59, 88.86], [82.59, 89.11]])
PATCHES: Mapping[str, tuple[int, int]] = MappingProxyType(  # height, width
    {"left eye": (40, 40), "right eye": (40, 40), "nose": (32, 40), "mouth": (32, 48)}
)
BELOW_NOSE = 10  # pixels from the nose to the lower edge of its patch


def patch_boxes(
    side: int = SIDE, landmarks: Float[np.ndarray, "5 2"] = FRONTAL
) -> dict[str, tuple[int, int, int, int]]:
    """Return top, left, bottom and right of each patch, in pixels of an image of a side.

    Landmarks are x, y in pixels of an image of 128. A patch is centred on its eye or between the
    corners of the mouth; that of the nose ends 10 pixels below it. Patches that would leave the
    image are moved to its edge.
    """
    left, right, nose, *corners = np.asarray(landmarks, np.float64)
    mouth = np.mean(corners, axis=0)
    nose = nose + np.array([0, BELOW_NOSE - PATCHES["nose"][0] / 2])
    centres = dict(zip(PATCHES, (left, right, nose, mouth), strict=True))
    boxes = {}
    for part, (height, width) in PATCHES.items():
        size = np.array([height * side // SIDE, width * side // SIDE])
        corner = np.rint(centres[part][::-1] * side / SIDE - size / 2).astype(int)
        top, first = np.clip(corner, 0, side - size)
        boxes[part] = (int(top), int(first), int(top + size[0]), int(first + size[1]))
    return boxes
