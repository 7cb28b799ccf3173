"""Hand-made descriptor of an image's segments, without a model: what they look like."""

from itertools import pairwise

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Integer

from salix.measures.region_sums import segment_sums
from salix.typing import Image

BINS = 8  # of the orientation, over half a turn
SIGMAS = (1 / 224, 2 / 224, 4 / 224, 8 / 224)  # of the blurs, as shares of a side
FLAT = 0.002  # mean gradient, in lightness a pixel, under which a segment has no orientation
NAMES = (
    *("lightness", "green to red", "blue to yellow"),
    *("deviation of lightness", "deviation of green to red", "deviation of blue to yellow"),
    *("fine texture", "middle texture", "coarse texture", "gradient"),
    *(f"orientation {180 * i // BINS} degrees" for i in range(BINS)),
    *("size", "extent", "aspect", "elongation upright", "elongation diagonal"),
    *("height", "breadth"),
)
TO_XYZ = np.array(  # sRGB, relative to the white of D65
    [[0.4339, 0.3762, 0.1899], [0.2127, 0.7152, 0.0722], [0.0178, 0.1095, 0.8727]]
)


def describe_regions(
    pixels: Image, segments: Integer[Array, "levels h w"], boxes: Int[Array, "count 4"]
) -> Float[Array, "count d"]:
    r"""Return a descriptor of each segment of an image of pixel values in [0, 1]; `NAMES` of it.

    Colour: mean and deviation of CIELAB, over 100. Texture: mean of $|G_\sigma L - G_{2\sigma} L|$
    at three scales, and of the gradient's length. Orientation: the gradient's length by its
    direction over half a turn, in 8 bins that share neighbours, as shares of the sum; near zero in
    flat segments. Shape: square root of the share of the image, share of the bounding box, log of
    its height over its width, and elongation, $(\sigma_y^2 - \sigma_x^2, 2 \sigma_{xy})$ over
    $\sigma_y^2 + \sigma_x^2$. Place: centroid, in shares of the frame.

    Independent of model and attribution. Colour, texture and orientation depend on neither place
    nor size, and light from the opposite side keeps the orientation; a rotation or another scale
    changes them. Blurs and gradients read a few pixels beyond the segment's edge. Zero where there
    is no segment.
    """
    height, width = pixels.shape[:2]
    lab = _lab(jnp.clip(pixels, 0, 1)) / 100
    centre = lab.mean((0, 1), keepdims=True)
    blurred = [_blur(lab[..., 0], sigma) for sigma in SIGMAS]
    bands = [jnp.abs(fine - coarse) for fine, coarse in pairwise(blurred)]
    down, right = jnp.gradient(blurred[0])
    length = jnp.sqrt(down**2 + right**2)
    turn = (jnp.arctan2(down, right) / jnp.pi % 1 * BINS)[..., None]
    gap = jnp.abs(turn - jnp.arange(BINS, dtype=turn.dtype)[None, None])
    near = jnp.maximum(1 - jnp.minimum(gap, BINS - gap), 0) * length[..., None]
    y, x = (
        jnp.asarray((grid + 0.5) / n, lab.dtype)
        for grid, n in zip(np.indices((height, width)), (height, width), strict=True)
    )
    planes = [jnp.ones_like(y), *bands, length, y, x, y * y, x * x, x * y]
    fields = jnp.concatenate([lab - centre, (lab - centre) ** 2, near, jnp.stack(planes, -1)], -1)
    sums = segment_sums(fields, segments, len(boxes))
    area = sums[:, 6 + BINS]
    mean = sums / jnp.maximum(area, 1)[:, None]
    colour, square, near, rest = jnp.split(mean, (3, 6, 6 + BINS), -1)
    texture, (y, x, yy, xx, xy) = rest[:, 1:5], rest[:, 5:].T
    deviation = jnp.sqrt(jnp.maximum(square - colour**2, 0))
    orientation = near / (texture[:, 3:] + FLAT)
    # The pixels' own extent, so that a single one has a variance.
    yy, xx, xy = yy - y**2 + height**-2 / 12, xx - x**2 + width**-2 / 12, xy - x * y
    tall, wide = jnp.maximum(boxes[:, 2:] - boxes[:, :2], 1).astype(lab.dtype).T
    shape = [
        jnp.sqrt(area / (height * width)),
        area / (tall * wide),
        jnp.log(tall / height * width / wide),
        (yy - xx) / (yy + xx),
        2 * xy / (yy + xx),
    ]
    place = jnp.stack([*shape, y, x], -1)
    described = [colour + centre[0], deviation, texture, orientation, place]
    return jnp.where(area[:, None] > 0, jnp.concatenate(described, -1), 0)


def _lab(pixels: Image) -> Float[Array, "h w 3"]:
    """Return sRGB or grey as CIELAB (D65)."""
    rgb = jnp.broadcast_to(pixels, (*pixels.shape[:2], 3))
    linear = jnp.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = linear @ jnp.asarray(TO_XYZ.T, rgb.dtype)
    f = jnp.where(xyz > (6 / 29) ** 3, jnp.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    fx, fy, fz = f[..., 0], f[..., 1], f[..., 2]
    return jnp.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], -1)


def _blur(map: Float[Array, "h w"], sigma: float) -> Float[Array, "h w"]:
    """Blur by a Gaussian of a share of each side; pixels beyond an edge do not count."""
    rows, columns = (_gaussian(n, sigma * n) for n in map.shape)
    return jnp.asarray(rows, map.dtype) @ map @ jnp.asarray(columns.T, map.dtype)


def _gaussian(length: int, sigma: float) -> np.ndarray:
    position = np.arange(length)
    weights = np.exp(-(((position[:, None] - position) / sigma) ** 2) / 2)
    return weights / weights.sum(1, keepdims=True)
