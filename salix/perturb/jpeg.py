"""Lossy steps of JPEG compression: colour transform, chroma subsampling and quantised DCT."""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from salix.perturb.grey import grey_levels
from salix.typing import Image, InputError, Number, PRNGKey

Plane = Float[Array, "h w"]  # grey levels of one channel

# ITU-T T.81 (1992), annex K.1: quantisation steps of the coefficients at quality 50
LUMA = np.array([
    [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56], [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99],
], np.int32)  # fmt: skip
CHROMA = np.full((8, 8), 99, np.int32)
CHROMA[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]

# ITU-T T.871 (2011), sec. 7: full-range YCbCr with the weights of ITU-R BT.601
TO_YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
FROM_YCC = np.array([[0, 1.402], [-0.344136, -0.714136], [1.772, 0]])  # Cb and Cr to RGB, less Y

_U, _X = np.mgrid[:8, :8]
_DCT = np.cos((2 * _X + 1) * _U * np.pi / 16) * np.where(_U == 0, np.sqrt(0.125), 0.5)
DCT = np.kron(_DCT, _DCT)  # acts on a block of 8 x 8 as one vector


def jpeg(pixels: Image, quality: Number, key: PRNGKey, *, subsampling: str = "4:2:0") -> Image:
    """Compress to JPEG of a `quality` from 1 to 100, and decompress.

    YCbCr of ITU-R BT.601, chroma halved for `subsampling` "4:2:0", cosine transform of 8 x 8
    blocks, the standard tables scaled by quality as the Independent JPEG Group does, rounding, and
    back. Sides that are no multiple of a block are padded by replication. An image of one channel
    is luma alone. Raises `InputError` for other than [h w 1] or [h w 3] or unknown `subsampling`.

    Wallace (1991), doi:10.1145/103085.103089.
    """
    del key  # deterministic
    if pixels.ndim != 3 or pixels.shape[-1] not in (1, 3):
        raise InputError(
            f"a JPEG cannot store an image of shape {pixels.shape}: give [h w 1] or [h w 3]"
        )
    if subsampling not in (known := ("4:2:0", "4:4:4")):
        raise InputError(f"subsampling is {subsampling!r}: choose one of {', '.join(known)}")
    grey = grey_levels(pixels)
    luma, chroma = quantisation_steps(LUMA, quality), quantisation_steps(CHROMA, quality)
    if pixels.shape[-1] == 1:
        return _quantise(grey[..., 0], luma)[..., None] / 255
    y, *colours = jnp.moveaxis(_nearest(_linear(TO_YCC, grey)), -1, 0)
    quantise = _quantise if subsampling == "4:4:4" else _quantise_half_size
    y, cbcr = _quantise(y, luma), jnp.stack([quantise(c + 128, chroma) for c in colours], -1)
    rgb = y[..., None] + _nearest(_linear(FROM_YCC, cbcr - 128))
    return jnp.clip(rgb, 0, 255) / 255


def quantisation_steps(table: np.ndarray, quality: Number) -> Int[Array, "8 8"]:
    """Return a table of quantisation steps scaled to a quality from 1 to 100."""
    q = jnp.clip(jnp.round(jnp.asarray(quality)).astype(jnp.int32), 1, 100)
    percent = jnp.where(q < 50, 5000 // q, 200 - 2 * q)
    return jnp.clip((table * percent + 50) // 100, 1, 255)


def _linear(matrix: np.ndarray, x: Float[Array, "*space n"]) -> Float[Array, "*space m"]:
    return jnp.matmul(x, jnp.asarray(matrix.T, x.dtype), precision=lax.Precision.HIGHEST)


def _nearest(x: Float[Array, "*space"]) -> Float[Array, "*space"]:
    return jnp.floor(x + 0.5)


def _pad_to_multiple(plane: Plane, rows: int, columns: int) -> Float[Array, "height width"]:
    """Replicate the last row and column until the sides are multiples."""
    h, w = plane.shape
    return jnp.pad(plane, ((0, -h % rows), (0, -w % columns)), "edge")


def _quantise(plane: Plane, steps: Int[Array, "8 8"]) -> Plane:
    """Quantise the DCT coefficients of each block, and transform back."""
    (h, w), x = plane.shape, _pad_to_multiple(plane, 8, 8) - 128
    blocks = x.reshape(x.shape[0] // 8, 8, x.shape[1] // 8, 8).swapaxes(1, 2)
    size = steps.reshape(1, 1, 64).astype(x.dtype)
    share = _linear(DCT, blocks.reshape(*blocks.shape[:2], 64)) / size
    # halves away from zero, as in integer arithmetic: they are common in flat blocks
    rounded = jnp.sign(share) * _nearest(jnp.abs(share))
    back = _nearest(_linear(DCT.T, rounded * size)).reshape(blocks.shape)
    return jnp.clip(back.swapaxes(1, 2).reshape(x.shape)[:h, :w] + 128, 0, 255)


def _quantise_half_size(plane: Plane, steps: Int[Array, "8 8"]) -> Plane:
    """Quantise a plane at half its size: means of 2 x 2, enlarged by a triangle filter."""
    (h, w), x = plane.shape, _pad_to_multiple(plane, 2, 16)
    fours = x.reshape(x.shape[0] // 2, 2, x.shape[1] // 2, 2).sum((1, 3))
    # halves are rounded down in one column and up in the next, so that the mean brightness stays
    bias = 1 + jnp.arange(fours.shape[1]).reshape(1, -1) % 2
    small = jnp.floor((fours + bias.astype(x.dtype)) / 4)
    small = _quantise(small, steps)[: (h + 1) // 2, : (w + 1) // 2]
    large = _double_rows(_double_rows(small).T).T
    bias = 8 - jnp.arange(large.shape[1]).reshape(1, -1) % 2
    return jnp.floor((large + bias.astype(x.dtype)) / 16)[:h, :w]


def _double_rows(x: Plane) -> Float[Array, "height w"]:
    """Double the rows: 3 x the row + its neighbour on that side, four times the value."""
    around = jnp.pad(x, ((1, 1), (0, 0)), "edge")
    pairs = jnp.stack([3 * x + around[:-2], 3 * x + around[2:]], 1)
    return pairs.reshape(2 * x.shape[0], x.shape[1])
