"""Structural similarity of two maps."""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Num

from salix.metrics.arrays import Other, as_pair
from salix.typing import AnyArray, InputError, Map, Scalar


def _window_mean(x: Array, window: int) -> Array:
    """Mean over every window that lies wholly inside, one axis after another."""
    zero = np.zeros((), x.dtype)  # a concrete zero: only then is the sum differentiable
    for axis in range(x.ndim):
        shape = tuple(window if i == axis else 1 for i in range(x.ndim))
        x = lax.reduce_window(x, zero, lax.add, shape, (1,) * x.ndim, "VALID") / window
    return x


def ssim(
    a: Map, b: Other, window: int = 7, data_range: float | int | Num[AnyArray, ""] = 1.0
) -> Scalar:
    r"""Mean structural similarity of two maps over uniform windows: the mean of `ssim_map`.

    Range [-1, 1]; 1 for equal maps. A map of exactly one window is compared once, globally.
    `data_range` is 255 for 8-bit maps. Differentiable. Raises `InputError` where shapes differ, or
    the window is below 2 or larger than the map.

    Wang et al. (2004), doi:10.1109/TIP.2003.819861, eq. 13, with the window of scikit-image.
    """
    return ssim_map(a, b, window, data_range).mean()


def ssim_map(
    a: Map, b: Other, window: int = 7, data_range: float | int | Num[AnyArray, ""] = 1.0
) -> Float[Array, "*windows"]:
    r"""Structural similarity of two maps in each window that lies inside them.

    $\frac{(2\mu_a\mu_b + C_1)(2 s_{ab} + C_2)}{(\mu_a^2 + \mu_b^2 + C_1)(s_a^2 + s_b^2 + C_2)}$
    with sample covariances (over N - 1), $C_1 = (0.01 L)^2$, $C_2 = (0.03 L)^2$ and
    L = `data_range`. Range, errors and source as `ssim`.
    """
    x, y = as_pair(a, b)
    if window < 2 or min(x.shape, default=0) < window:
        raise InputError(f"a window of {window} does not fit maps of shape {x.shape}")
    scale = jnp.asarray(data_range, x.dtype)
    c1, c2 = (0.01 * scale) ** 2, (0.03 * scale) ** 2
    # Covariances are differences of squares and do not see an offset: without the mean of each
    # map the squares are smaller, so less is lost to rounding.
    offset_x, offset_y = lax.stop_gradient((x.mean(), y.mean()))
    x, y = x - offset_x, y - offset_y
    cells = window**x.ndim
    sample = cells / (cells - 1)
    mx, my = _window_mean(x, window), _window_mean(y, window)
    vx = sample * (_window_mean(x * x, window) - mx * mx)
    vy = sample * (_window_mean(y * y, window) - my * my)
    vxy = sample * (_window_mean(x * y, window) - mx * my)
    ux, uy = mx + offset_x, my + offset_y
    luminance = (2 * ux * uy + c1) / (ux * ux + uy * uy + c1)
    return luminance * (2 * vxy + c2) / (vx + vy + c2)
