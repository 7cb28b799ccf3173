r"""Pseudo-forgeries with a known mask: a region of a real face, replaced or changed.

The mask is computed, not annotated: it is where a detector ought to look. A forgery is
$m\,c + (1 - m)\,x$ of the image x, a changed copy c and a mask m with a feathered edge; where m is
0, the image is unchanged to the bit.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped, UInt8

from salix.data.forgery_masks import blend, random_mask
from salix.perturb.forgery import (
    displace,
    enlarge_and_shift,
    random_displacement,
    sharpen,
    transform_colour,
    upsample_blocks,
)
from salix.typing import InputError

UncheckedImage = Shaped[np.ndarray, "..."]  # `_checked` raises an error that says what to do
Forged = tuple[UInt8[np.ndarray, "h w *c"], Float[np.ndarray, "h w"]]

SMALLEST = 16  # pixels of a side
LEAST = 1.0  # mean change, in 8-bit levels, where the mask is above one half
TRIES = 20


def self_blend(
    image: UncheckedImage, rng: np.random.Generator, other: UncheckedImage | None = None
) -> Forged:
    """Blend the image with a copy of itself: recoloured, sharper or coarser, enlarged and shifted.

    The result has traces of blending and none of a generator. The copy has an opacity of 50, 75 or
    100 %. Only the copy is altered, and the region is random in place of a face's outline.

    After Shiohara and Yamasaki (2022), CVPR, arXiv:2204.08376, sec. 3; the ranges are ours.
    """
    del other
    values, mask = _values_and_mask(image, rng)
    copy = transform_colour(
        values, rng.uniform(-0.2, 0.2), rng.uniform(0.9, 1.1), _signed_uniform(rng, 5, 15)
    )
    copy = sharpen(copy, 1.0) if rng.random() < 0.5 else upsample_blocks(copy, 2, 0.0)
    side = min(values.shape[:2])
    shift = rng.uniform(-0.03, 0.03, 2) * side
    copy = enlarge_and_shift(copy, rng.uniform(0.95, 1.05), (shift[0], shift[1]))
    share = rng.choice([0.5, 0.75, 1.0])
    return blend(image, _clipped_like(share * copy + (1 - share) * values, image), mask), mask


def warp(
    image: UncheckedImage, rng: np.random.Generator, other: UncheckedImage | None = None
) -> Forged:
    """Displace the region smoothly, by up to 2 to 4 % of the shorter side and at least a pixel.

    The displacement fades with the mask: it is continuous at the edge, and no pixel is blended.
    """
    del other
    values, mask = _values_and_mask(image, rng)
    side = min(values.shape[:2])
    field = random_displacement(mask.shape, 0.08 * side, rng)
    field /= np.hypot(*(field * mask)).max()
    changed = displace(values, field * mask * max(1.0, rng.uniform(0.02, 0.04) * side))
    return blend(image, _clipped_like(changed, image), (mask > 0).astype(np.float64)), mask


def splice(
    image: UncheckedImage, rng: np.random.Generator, other: UncheckedImage | None = None
) -> Forged:
    """Replace the region by that of another image, resized and converted to grey or RGB like this.

    Raises `InputError` without another image.
    """
    if other is None:
        raise InputError("a splice needs another image: give other=")
    _, mask = _values_and_mask(image, rng)
    return blend(
        image, _clipped_like(_resized(_checked(other), _checked(image)), image), mask
    ), mask


def recolour(
    image: UncheckedImage, rng: np.random.Generator, other: UncheckedImage | None = None
) -> Forged:
    """Turn the hue of the region by 8 to 30 degrees; gain 5 to 15 %, shift 3 to 10 levels."""
    del other
    values, mask = _values_and_mask(image, rng)
    turn, gain = _signed_uniform(rng, *np.radians([8, 30])), 1 + _signed_uniform(rng, 0.05, 0.15)
    shift = np.sign(gain - 1) * rng.uniform(3, 10)  # of the gain's sign: it does not undo it
    return blend(
        image, _clipped_like(transform_colour(values, turn, gain, float(shift)), image), mask
    ), mask


def upsample(
    image: UncheckedImage, rng: np.random.Generator, other: UncheckedImage | None = None
) -> Forged:
    """Shrink and enlarge the region 2, 3 or 4 times, by nearest neighbour or with a checkerboard.

    The checkerboard is that of a transposed convolution, at 5 to 20 % of its full contrast.

    Odena, Dumoulin and Olah (2016), Distill, doi:10.23915/distill.00003.
    """
    del other
    values, mask = _values_and_mask(image, rng)
    uneven = rng.uniform(0.05, 0.2) if rng.random() < 0.5 else 0.0
    changed = upsample_blocks(values, int(rng.integers(2, 5)), uneven)
    return blend(image, _clipped_like(changed, image), mask), mask


FORGERIES: dict[str, Callable[..., Any]] = {
    "self_blend": self_blend,
    "warp": warp,
    "splice": splice,
    "recolour": recolour,
    "upsample": upsample,
}


def forge(
    image: UncheckedImage,
    rng: np.random.Generator,
    kind: str | None = None,
    other: UncheckedImage | None = None,
) -> Forged:
    """Return a pseudo-forgery of an 8-bit image [h w], [h w 1] or [h w 3] and its mask [h w].

    `kind` is one of `FORGERIES`; None draws one, a splice only with an `other` image. The same
    generator state gives the same forgery. The mask is in [0, 1], 1 where the change is complete;
    where it is 0 the image is unchanged. Where it is above one half the mean change is at least one
    8-bit level: smaller changes are drawn again.

    Raises `InputError` for an unknown kind, an image of another type or shape or with a side below
    16 pixels, a splice without `other`, and an image that 20 draws leave unchanged, for example a
    flat one.
    """
    if kind is not None and kind not in FORGERIES:
        raise InputError(f"no forgery {kind!r}: choose one of {', '.join(FORGERIES)}")
    original = _checked(image).astype(np.float64)
    kinds = (
        [kind] if kind else [name for name in FORGERIES if name != "splice" or other is not None]
    )
    for _ in range(TRIES):
        chosen = kinds[rng.integers(len(kinds))]
        forged, mask = FORGERIES[chosen](image, rng, other)
        change = np.abs(forged.reshape(original.shape) - original)[mask > 0.5].mean()
        if change >= LEAST:
            return forged, mask
    raise InputError(
        f"{TRIES} draws of {kind or 'any forgery'} left the image unchanged: choose another"
    )


def _checked(image: UncheckedImage) -> UInt8[np.ndarray, "h w c"]:
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


def _values_and_mask(image: UncheckedImage, rng: np.random.Generator) -> Any:
    values = _checked(image).astype(np.float64)
    return values, random_mask(values.shape[0], values.shape[1], rng)


def _clipped_like(changed: np.ndarray, image: UncheckedImage) -> np.ndarray:
    return np.clip(changed, 0, 255).reshape(image.shape)


def _signed_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(rng.choice([-1, 1]) * rng.uniform(low, high))


def _resized(other: np.ndarray, image: np.ndarray) -> np.ndarray:
    from PIL import Image

    height, width, channels = image.shape
    resized = Image.fromarray(other.squeeze(-1) if other.shape[-1] == 1 else other)
    resized = resized.convert("L" if channels == 1 else "RGB").resize(
        (width, height), Image.Resampling.BILINEAR
    )
    return np.asarray(resized).reshape(image.shape)
