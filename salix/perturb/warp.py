"""Changes of whole images that pseudo-forgeries blend in: moved, recoloured, generated anew.

They take and return floats [h w c] on the scale of 8 bits; values may leave it.
"""

import numpy as np
from jaxtyping import Float

Values = Float[np.ndarray, "h w c"]
Mask = Float[np.ndarray, "h w"]

# From RGB to brightness and two axes of colour (YIQ of NTSC, ITU-R 601 brightness)
YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


def moved(values: Values, by: Float[np.ndarray, "2 h w"]) -> Values:
    """Return each pixel from where it is displaced to, in pixels, by cubic splines; edges last."""
    from scipy.ndimage import map_coordinates

    at = np.indices(values.shape[:2]) + by
    parts = [
        map_coordinates(part, at, order=3, mode="nearest") for part in np.moveaxis(values, -1, 0)
    ]
    return np.stack(parts, axis=-1)


def scaled(values: Values, factor: float, shift: tuple[float, float]) -> Values:
    """Return the image enlarged about its centre by a factor and shifted, in pixels."""
    grid = np.indices(values.shape[:2], np.float64)
    centre = (np.array(values.shape[:2]) - 1).reshape(2, 1, 1) / 2
    return moved(values, (grid - centre) * (1 / factor - 1) - np.reshape(shift, (2, 1, 1)))


def smooth_field(shape: tuple[int, int], length: float, rng: np.random.Generator) -> np.ndarray:
    """Return a random displacement [2 h w] that varies over `length` pixels; the longest is 1."""
    from scipy.ndimage import gaussian_filter

    field = np.stack([gaussian_filter(rng.normal(size=shape), length) for _ in range(2)])
    return field / np.hypot(*field).max()


def recoloured(values: Values, turn: float, gain: float, shift: float) -> Values:
    """Return the image with its hue turned, in radians, then times a gain, plus a shift.

    The turn is one of the two axes of colour in YIQ, and keeps the brightness; grey has no hue.
    """
    if values.shape[-1] == 3:
        c, s = np.cos(turn), np.sin(turn)
        turned = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
        values = values @ (np.linalg.inv(YIQ) @ turned @ YIQ).T
    return gain * values + shift


def sharpened(values: Values, amount: float) -> Values:
    """Return the image plus `amount` of its difference from a blur of one pixel."""
    from scipy.ndimage import gaussian_filter

    return values + amount * (values - gaussian_filter(values, (1, 1, 0)))


def upsampled(values: Values, factor: int, uneven: float) -> Values:
    r"""Return the image, less its detail, as an up-sampling layer leaves it.

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
