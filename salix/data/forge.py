r"""Forgeries with a known region: a part of a real face, replaced or changed.

The region is computed, not marked by people: it is where a detector ought to look. A forgery is
$m\,c + (1 - m)\,x$ of the image x, a changed one c and a mask m with a feathered edge; where m is
0, the image is what it was, to the bit.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped, UInt8

from salix.perturb.forgery import (
    displace,
    enlarge_and_shift,
    random_displacement,
    sharpen,
    transform_colour,
    upsample_blocks,
)
from salix.typing import InputError

Given = Shaped[np.ndarray, "..."]  # its type and shape are checked by hand, to say what to do
Forged = tuple[UInt8[np.ndarray, "h w *c"], Float[np.ndarray, "h w"]]

# Top, bottom, left, right as fractions of an aligned face; each about a quarter of the image.
REGIONS = {
    "eyes": (0.14, 0.42, 0.06, 0.94),
    "middle": (0.30, 0.74, 0.22, 0.78),
    "mouth": (0.58, 0.88, 0.08, 0.92),
    "left": (0.14, 0.86, 0.06, 0.40),
    "right": (0.14, 0.86, 0.60, 0.94),
}
FEATHER = 0.06  # width of a random mask's edge, as a fraction of the shorter side
SMALLEST = 16  # pixels of a side
LEAST = 1.0  # mean change, in levels of 8 bits, of the part whose mask is above one half
TRIES = 20


def region_mask(region: str, side: int, feather: float = 0.03) -> Float[np.ndarray, "s s"]:
    """Return the mask of a region in an image of `side` pixels: 1 inside, 0 outside.

    Its edge is a Gaussian step of standard deviation `feather`, a fraction of the side.
    """
    from scipy.special import ndtr

    top, bottom, left, right = REGIONS[region]
    at = (np.arange(side) + 0.5) / side
    rows = ndtr((at - top) / feather) * ndtr((bottom - at) / feather)
    columns = ndtr((at - left) / feather) * ndtr((right - at) / feather)
    return np.outer(rows, columns)


def random_mask(height: int, width: int, rng: np.random.Generator) -> Float[np.ndarray, "h w"]:
    """Return the mask of a random region: an ellipse whose outline is bent, 1 inside, 0 outside.

    It lies about the middle and covers 7 to 25 % of a square image. Its edge is a cubic step inside
    the outline, about 6 % of the shorter side wide.
    """
    side = min(height, width)
    y, x = (
        ((np.arange(n) + 0.5) / n - rng.uniform(0.35, 0.65)) * n / side for n in (height, width)
    )
    turn = rng.uniform(0, np.pi)
    axes = rng.uniform(0.15, 0.28, 2)
    u = (np.cos(turn) * x + np.sin(turn) * y[:, None]) / axes[0]
    v = (np.cos(turn) * y[:, None] - np.sin(turn) * x) / axes[1]
    angle, outline = np.arctan2(v, u), np.ones((height, width))
    for waves in (2, 3, 4):
        outline += rng.uniform(0, 0.1) * np.cos(waves * angle + rng.uniform(0, 2 * np.pi))
    depth = np.clip((outline - np.hypot(u, v)) * axes.min() / FEATHER, 0, 1)
    return depth * depth * (3 - 2 * depth)


def blend(
    face: UInt8[np.ndarray, "h w *c"],
    regenerated: Shaped[np.ndarray, "h w *c"],
    mask: Float[np.ndarray, "h w"],
) -> UInt8[np.ndarray, "h w *c"]:
    r"""Return $m\,r + (1 - m)\,f$ in 8 bits: the face with its masked part re-generated."""
    weight = mask.reshape(mask.shape + (1,) * (face.ndim - 2))
    mixed = np.rint(weight * regenerated + (1 - weight) * face)
    return np.clip(mixed, 0, 255).astype(np.uint8)


def self_blend(image: Given, rng: np.random.Generator, other: Given | None = None) -> Forged:
    """Blend the image with a copy of itself: recoloured, sharper or coarser, enlarged and shifted.

    Traces of blending without a trace of any generator. The copy covers its region by 50, 75 or
    100 %. Only the copy is altered, and regions are random ones in place of a face's outline.

    After Shiohara and Yamasaki (2022), CVPR, arXiv:2204.08376, sec. 3; the ranges are ours.
    """
    del other
    values, mask = _begin(image, rng)
    copy = transform_colour(
        values, rng.uniform(-0.2, 0.2), rng.uniform(0.9, 1.1), _either(rng, 5, 15)
    )
    copy = sharpen(copy, 1.0) if rng.random() < 0.5 else upsample_blocks(copy, 2, 0.0)
    side = min(values.shape[:2])
    shift = rng.uniform(-0.03, 0.03, 2) * side
    copy = enlarge_and_shift(copy, rng.uniform(0.95, 1.05), (shift[0], shift[1]))
    share = rng.choice([0.5, 0.75, 1.0])
    return blend(image, _shaped(share * copy + (1 - share) * values, image), mask), mask


def warp(image: Given, rng: np.random.Generator, other: Given | None = None) -> Forged:
    """Displace the region smoothly, by up to 2 to 4 % of the shorter side and at least a pixel.

    The displacement fades with the mask: nothing is torn at the edge, and no pixel is blended.
    """
    del other
    values, mask = _begin(image, rng)
    side = min(values.shape[:2])
    field = random_displacement(mask.shape, 0.08 * side, rng)
    field /= np.hypot(*(field * mask)).max()
    changed = displace(values, field * mask * max(1.0, rng.uniform(0.02, 0.04) * side))
    return blend(image, _shaped(changed, image), (mask > 0).astype(np.float64)), mask


def splice(image: Given, rng: np.random.Generator, other: Given | None = None) -> Forged:
    """Put the same region of another image in its place, resized to this one, grey or RGB as it is.

    Raises `InputError` without another image.
    """
    if other is None:
        raise InputError("a splice needs another image: give other=")
    _, mask = _begin(image, rng)
    return blend(image, _shaped(_resized(_checked(other), _checked(image)), image), mask), mask


def recolour(image: Given, rng: np.random.Generator, other: Given | None = None) -> Forged:
    """Turn the hue of the region by 8 to 30 degrees; gain 5 to 15 %, shift 3 to 10 levels."""
    del other
    values, mask = _begin(image, rng)
    turn, gain = _either(rng, *np.radians([8, 30])), 1 + _either(rng, 0.05, 0.15)
    shift = np.sign(gain - 1) * rng.uniform(3, 10)  # one that does not undo the gain
    return blend(
        image, _shaped(transform_colour(values, turn, gain, float(shift)), image), mask
    ), mask


def upsample(image: Given, rng: np.random.Generator, other: Given | None = None) -> Forged:
    """Shrink and enlarge the region 2, 3 or 4 times, by nearest neighbour or with a checkerboard.

    The checkerboard is that of a transposed convolution, at 5 to 20 % of its full contrast.

    Odena, Dumoulin and Olah (2016), Distill, doi:10.23915/distill.00003.
    """
    del other
    values, mask = _begin(image, rng)
    uneven = rng.uniform(0.05, 0.2) if rng.random() < 0.5 else 0.0
    changed = upsample_blocks(values, int(rng.integers(2, 5)), uneven)
    return blend(image, _shaped(changed, image), mask), mask


FORGERIES: dict[str, Callable[..., Any]] = {
    "self_blend": self_blend,
    "warp": warp,
    "splice": splice,
    "recolour": recolour,
    "upsample": upsample,
}


def forge(
    image: Given,
    rng: np.random.Generator,
    kind: str | None = None,
    other: Given | None = None,
) -> Forged:
    """Return a pseudo-forgery of an 8-bit image [h w], [h w 1] or [h w 3] and its mask [h w].

    `kind` is one of `FORGERIES`; None draws one, a splice only where there is an `other` image to
    take from. The same generator state gives the same forgery. The mask is in [0, 1], 1 where the
    change is full; where it is 0 the image is unchanged. Where it is above one half the change is
    at least one level of 8 bits in the mean: forgeries that fall short are drawn again.

    Raises `InputError` for an unknown kind, an image of another type or shape or with a side below
    16 pixels, a splice without `other`, and an image that 20 draws leave as it was, a flat one for
    example.
    """
    if kind is not None and kind not in FORGERIES:
        raise InputError(f"no forgery {kind!r}: choose one of {', '.join(FORGERIES)}")
    before = _checked(image).astype(np.float64)
    kinds = (
        [kind] if kind else [name for name in FORGERIES if name != "splice" or other is not None]
    )
    for _ in range(TRIES):
        chosen = kinds[rng.integers(len(kinds))]
        forged, mask = FORGERIES[chosen](image, rng, other)
        change = np.abs(forged.reshape(before.shape) - before)[mask > 0.5].mean()
        if change >= LEAST:
            return forged, mask
    raise InputError(
        f"{TRIES} draws of {kind or 'any forgery'} left the image as it was: choose another"
    )


def _checked(image: Given) -> UInt8[np.ndarray, "h w c"]:
    if (
        image.dtype != np.uint8
        or image.ndim not in (2, 3)
        or image.shape[2:] not in ((), (1,), (3,))
    ):
        raise InputError(
            f"a forgery needs 8-bit pixels [h w], [h w 1] or [h w 3], not {image.dtype} of shape "
            f"{image.shape}"
        )
    if min(image.shape[:2]) < SMALLEST:
        raise InputError(f"an image of shape {image.shape}: give sides of at least {SMALLEST}")
    return image.reshape(*image.shape[:2], -1)


def _begin(image: Given, rng: np.random.Generator) -> Any:
    values = _checked(image).astype(np.float64)
    return values, random_mask(values.shape[0], values.shape[1], rng)


def _shaped(changed: np.ndarray, image: Given) -> np.ndarray:
    return np.clip(changed, 0, 255).reshape(image.shape)


def _either(rng: np.random.Generator, low: float, high: float) -> float:
    return float(rng.choice([-1, 1]) * rng.uniform(low, high))


def _resized(other: np.ndarray, image: np.ndarray) -> np.ndarray:
    from PIL import Image

    height, width, channels = image.shape
    form = Image.fromarray(other.squeeze(-1) if other.shape[-1] == 1 else other)
    form = form.convert("L" if channels == 1 else "RGB").resize(
        (width, height), Image.Resampling.BILINEAR
    )
    return np.asarray(form).reshape(image.shape)
