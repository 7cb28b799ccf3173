"""Similarity of two maps: mean absolute error, Pearson, Spearman and structural similarity."""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.stats import rankdata
from jaxtyping import Array, Float

from salix.hyperparameters import WINDOW, check_value, integer, number
from salix.metrics.inputs import as_float, as_pair
from salix.typing import GridMap, InputError, Map, Number, Scalar

DATA_RANGE = number(lambda n: n > 0, remedy="give a number above 0", traced=True)
WINDOW_OF_MAP = integer(0, remedy=WINDOW.remedy)  # one too small is reported with the map's shape


def mae(a: Map, b: GridMap) -> Scalar:
    r"""Mean absolute difference $\frac{1}{n} \sum_i |a_i - b_i|$, in the units of the maps.

    Range [0, infinity); 0 for equal maps. Raises `InputError` where shapes differ.
    """
    x, y = as_pair(a, b)
    return jnp.abs(x - y).mean()


def pearson(a: Map, b: GridMap) -> Scalar:
    r"""Pearson correlation of two maps over their pixels.

    $\sum_i (a_i - \bar a)(b_i - \bar b) / \sqrt{\sum_i (a_i - \bar a)^2 \sum_i (b_i - \bar b)^2}$.
    Range [-1, 1]; neither offset nor positive scale matters. NaN if a map is constant or not
    finite. Raises `InputError` where shapes differ.
    """
    x, y = as_pair(a, b)
    return jnp.clip((_standardise(x) * _standardise(y)).sum(), -1, 1)


def spearman(a: Map, b: GridMap) -> Scalar:
    """Spearman correlation of two maps: Pearson's of the ranks of their pixels.

    Equal values share the mean of their ranks. Range [-1, 1]; only order matters. NaN if a map is
    constant or contains a NaN. Ranks are steps, so the gradient is 0. Raises `InputError` where
    shapes differ.

    Spearman (1904), doi:10.2307/1412159.
    """
    return pearson(rank_values(a), rank_values(b))


def ssim(a: Map, b: GridMap, *, window: int = 7, data_range: Number = 1.0) -> Scalar:
    r"""Mean structural similarity of two maps over uniform windows: the mean of `ssim_map`.

    Range [-1, 1]; 1 for equal maps. A map of exactly one window is compared once, globally.
    `data_range` is 255 for 8-bit maps. Differentiable. Raises `InputError` where shapes differ, or
    the window is below 2 or larger than the map.

    Wang et al. (2004), doi:10.1109/TIP.2003.819861, eq. 13, with the window of scikit-image.
    """
    return ssim_map(a, b, window=window, data_range=data_range).mean()


def ssim_map(
    a: Map, b: GridMap, *, window: int = 7, data_range: Number = 1.0
) -> Float[Array, "*windows"]:
    r"""Structural similarity of two maps in each window that lies inside them.

    $\frac{(2\mu_a\mu_b + C_1)(2 s_{ab} + C_2)}{(\mu_a^2 + \mu_b^2 + C_1)(s_a^2 + s_b^2 + C_2)}$
    with sample covariances (over N - 1), $C_1 = (0.01 L)^2$, $C_2 = (0.03 L)^2$ and
    L = `data_range`. Range, errors and source as `ssim`.
    """
    x, y = as_pair(a, b)
    check_value("data_range", data_range, DATA_RANGE)
    check_value("window", window, WINDOW_OF_MAP)
    if window < 2 or min(x.shape, default=0) < window:
        raise InputError(f"a window of {window} does not fit maps of shape {x.shape}")
    scale = jnp.asarray(data_range, x.dtype)
    c1, c2 = (0.01 * scale) ** 2, (0.03 * scale) ** 2
    # Covariances are differences of squares, and invariant to offsets: without the mean of each
    # map the squares are smaller, so less is lost to rounding.
    offset_x, offset_y = lax.stop_gradient((x.mean(), y.mean()))
    x, y = x - offset_x, y - offset_y
    pixels = window**x.ndim
    sample = pixels / (pixels - 1)
    mx, my = _window_mean(x, window), _window_mean(y, window)
    vx = sample * (_window_mean(x * x, window) - mx * mx)
    vy = sample * (_window_mean(y * y, window) - my * my)
    vxy = sample * (_window_mean(x * y, window) - mx * my)
    ux, uy = mx + offset_x, my + offset_y
    luminance = (2 * ux * uy + c1) / (ux * ux + uy * uy + c1)
    return luminance * (2 * vxy + c2) / (vx + vy + c2)


def rank_values(map: GridMap) -> Float[Array, "*grid"]:
    """Return the ranks of a map's values from 1; equal ones share their mean rank."""
    x = as_float(map)
    # a NaN makes every rank NaN
    return rankdata(x.ravel(), nan_policy="propagate").astype(x.dtype).reshape(x.shape)


def _standardise(x: Array) -> Array:
    """Centre on 0 and divide by the norm; NaN for a constant.

    Mapping the range onto [0, 1] first keeps squares finite, and detects constants exactly: the
    rounded mean of equal values may differ from them, which would correlate rounding errors.
    """
    low = x.min()
    span = x.max() - low
    unit = (x - low) / jnp.where(span > 0, span, jnp.nan)
    centred = unit - unit.mean()
    return centred / jnp.sqrt((centred * centred).sum())


def _window_mean(x: Array, window: int) -> Array:
    """Mean over every window that lies inside the map, one axis after another."""
    zero = np.zeros((), x.dtype)  # a concrete zero: only then is the sum differentiable
    for axis in range(x.ndim):
        shape = tuple(window if i == axis else 1 for i in range(x.ndim))
        x = lax.reduce_window(x, zero, lax.add, shape, (1,) * x.ndim, "VALID") / window
    return x
