"""NumPy edits of whole images that pseudo-forgeries blend in: displaced, recoloured, resampled.

They take and return floats [h w c] on the scale of 8 bits; values may exceed it.
"""

import numpy as np
from jaxtyping import Float

FloatImage = Float[np.ndarray, "h w c"]

# RGB to brightness and two axes of colour (YIQ of NTSC, ITU-R 601 brightness)
YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


def displace(values: FloatImage, displacement: Float[np.ndarray, "2 h w"]) -> FloatImage:
    """Sample the image at positions displaced in pixels, by cubic splines, edges replicated."""
    from scipy.ndimage import map_coordinates

    positions = np.indices(values.shape[:2]) + displacement
    channels = [
        map_coordinates(channel, positions, order=3, mode="nearest")
        for channel in np.moveaxis(values, -1, 0)
    ]
    return np.stack(channels, axis=-1)


def enlarge_and_shift(values: FloatImage, factor: float, shift: tuple[float, float]) -> FloatImage:
    """Return the image enlarged about its centre by a factor and shifted, in pixels."""
    grid = np.indices(values.shape[:2], np.float64)
    centre = (np.array(values.shape[:2]) - 1).reshape(2, 1, 1) / 2
    return displace(values, (grid - centre) * (1 / factor - 1) - np.reshape(shift, (2, 1, 1)))


def random_displacement(
    shape: tuple[int, int], length: float, rng: np.random.Generator
) -> np.ndarray:
    """Return a random field [2 h w], smooth over `length` pixels, of maximum norm 1."""
    from scipy.ndimage import gaussian_filter

    field = np.stack([gaussian_filter(rng.normal(size=shape), length) for _ in range(2)])
    return field / np.hypot(*field).max()


def transform_colour(values: FloatImage, turn: float, gain: float, shift: float) -> FloatImage:
    """Rotate the hue by `turn` radians, then multiply by a gain and add a shift.

    The rotation of the two colour axes of YIQ preserves brightness; grey has no hue.
    """
    if values.shape[-1] == 3:
        c, s = np.cos(turn), np.sin(turn)
        turned = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
        values = values @ (np.linalg.inv(YIQ) @ turned @ YIQ).T
    return gain * values + shift


def sharpen(values: FloatImage, amount: float) -> FloatImage:
    """Return the image plus `amount` of its difference from a blur of one pixel."""
    from scipy.ndimage import gaussian_filter

    return values + amount * (values - gaussian_filter(values, (1, 1, 0)))


def upsample_blocks(values: FloatImage, factor: int, uneven: float) -> FloatImage:
    r"""Return the image without its detail, with the artefacts of an up-sampling layer.

    Means over blocks of `factor` pixels are enlarged again to blocks of one value (nearest
    neighbour), and multiplied by $1 + u\,(n / \bar n - 1)$ with u `uneven` and n the number of
    inputs that reach a pixel of a transposed convolution with that stride and a kernel of one more:
    the kernel is not a multiple of the stride, its steps overlap, and a checkerboard remains.
    """
    height, width, _ = values.shape
    pad = [(0, -side % factor) for side in (height, width)]
    padded = np.pad(values, (*pad, (0, 0)), mode="edge")
    rows, columns = (side // factor for side in padded.shape[:2])
    means = padded.reshape(rows, factor, columns, factor, -1).mean((1, 3))
    again = means.repeat(factor, 0).repeat(factor, 1)[:height, :width]
    # Every first pixel of a block is reached by the step that begins there and the one before.
    overlaps = [1.0 + (np.arange(side) % factor == 0) for side in (height, width)]
    reached = np.outer(*overlaps) / (1 + 1 / factor) ** 2
    return again * (1 + uneven * (reached - 1))[..., None]
