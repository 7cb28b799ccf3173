"""Images of a small picture in front of noise or photographs, a quarter of the release's size."""

import numpy as np
from jaxtyping import Int, UInt8

from salix.studies.chaosmining.signals.data import (
    CLASSES,
    SignalSet,
    SignalSetting,
    disjoint_choices,
)
from salix.studies.chaosmining.signals.foregrounds import Foregrounds
from salix.studies.pixels import signed_pixels

SIDE = 56  # 224 in the release
BOX = 8  # 32 in the release: the side of a foreground
FIXED = (24, 24)  # (96, 96) in the release, a block of a 7 x 7 grid
# Textures and photographs inside the wheel of scikit-image.
PHOTOGRAPHS = ("brick", "grass", "gravel", "moon", "coins", "chelsea", "coffee", "rocket")
TRAINING_SHARE = 2 / 3  # of the columns of a photograph, from the left


def image_set(
    setting: SignalSetting, foregrounds: Foregrounds | None = None, *, seed: int
) -> SignalSet:
    """Return images [56 56 3] in [-1, 1] of a foreground of 8 x 8 pixels before a background.

    Foregrounds are by default the digits of scikit-learn, at (24, 24) or uniform in [0, 48)^2. A
    background is uniform random bytes, or a crop of a photograph of scikit-image at its own scale;
    crops for tests are from the last third of its columns. A seed, a setting and foregrounds always
    give the same images.

    Shi et al. (2024), arXiv:2406.12150, as in the released code with other pictures.
    """
    shapes = foregrounds or digits()
    classes = shapes.classes
    sizes = (setting.examples, setting.tests)
    rng = setting.generator("vision", seed)
    arrays = []
    for test, choice in enumerate(disjoint_choices(len(classes), sizes, rng)):
        pixels = backgrounds(setting, len(choice), test=bool(test), rng=rng)
        places = np.tile(np.array(FIXED), (len(choice), 1))
        if not setting.fixed:
            places = rng.integers(0, SIDE - BOX, places.shape)
        paste(pixels, shapes.values[choice], places)
        arrays += [signed_pixels(pixels), classes[choice], places]
    return SignalSet(*arrays)


def digits() -> Foregrounds:
    """Return the digits of scikit-learn as grey pictures [1797 8 8 3]."""
    from sklearn.datasets import load_digits

    shapes, classes = load_digits(return_X_y=True)
    grey = np.rint(np.asarray(shapes).reshape(-1, BOX, BOX, 1) * (255 / 16)).astype(np.uint8)
    names = tuple(map(str, range(CLASSES)))
    return Foregrounds(np.repeat(grey, 3, 3), np.asarray(classes, np.int32), names)


def backgrounds(
    setting: SignalSetting, count: int, *, test: bool, rng: np.random.Generator
) -> UInt8[np.ndarray, "n 56 56 3"]:
    """Return uniform random bytes, or crops of photographs."""
    if not setting.structured:
        return rng.integers(0, 256, (count, SIDE, SIDE, 3), np.uint8)
    pictures = [photograph(name) for name in PHOTOGRAPHS]
    out = np.empty((count, SIDE, SIDE, 3), np.uint8)
    for crop, number in zip(out, rng.integers(0, len(pictures), count), strict=True):
        picture = pictures[number]
        border = int(picture.shape[1] * TRAINING_SHARE)
        part = picture[:, border:] if test else picture[:, :border]
        top, left = rng.integers(0, np.array(part.shape[:2]) - SIDE + 1)
        crop[:] = part[top : top + SIDE, left : left + SIDE]
    return out


def photograph(name: str) -> UInt8[np.ndarray, "h w 3"]:
    """Return a picture of scikit-image in colour; grey ones have three equal channels."""
    import skimage.data

    pixels = getattr(skimage.data, name)()
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels[..., :3]


def paste(
    pixels: UInt8[np.ndarray, "n h w 3"],
    foregrounds: UInt8[np.ndarray, "n b b 3"],
    places: Int[np.ndarray, "n 2"],
) -> None:
    """Write each foreground into its image at its place."""
    side = foregrounds.shape[1]
    for image, foreground, (top, left) in zip(pixels, foregrounds, places, strict=True):
        image[top : top + side, left : left + side] = foreground
