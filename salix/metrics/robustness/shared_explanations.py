"""Consistency and sufficiency: predictions of the images that share an explanation."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Num, Shaped

from salix.hyperparameters import check_value, integer, number
from salix.typing import AnyArray, InputError

THRESHOLD = number(lambda n: n >= 0, remedy="give a number, 0 or more")
TOP = integer(1)


@dataclass(frozen=True, eq=False)
class SharedExplanation:
    """Agreement of predictions among images of one explanation.

    `values`, one an image, are the shares of the others with its explanation that have its
    prediction, NaN where no other has it; `mean` is over the images for which it is defined, NaN
    for none, and `defined` their number.
    """

    values: Float[np.ndarray, " images"]
    mean: float
    defined: int


def consistency(
    maps: Num[AnyArray, "images *space"],
    predictions: Shaped[AnyArray, " predictions"],
    *,
    top: int = 5,
) -> SharedExplanation:
    r"""Share of the images with the same discrete explanation that have the same prediction.

    $P(f(x') = f(x) \mid e(x') = e(x))$ over the other images $x'$ of the data set, where $e$ is the
    set of the `top` pixels of greatest absolute value with their signs (equal values: the first).
    Range [0, 1], higher is better. Explanations of many pixels are seldom equal: average maps down
    first. NaN, per image, where no other image has its explanation or its map is not finite.
    Images are compared one by one with all others. Raises `InputError` for arrays that do not fit
    and for a `top` beyond the number of pixels.

    Dasgupta, Frost and Moshkovitz (2022), arXiv:2202.00734, sec. 3, with this discretisation.
    """
    flat, classes = _checked(maps, predictions)
    pixels = flat.shape[1]
    check_value("top", top, integer(1, pixels))

    def code(map: Float[Array, " pixels"]) -> Array:
        order = jnp.sort(jnp.argsort(-jnp.abs(map), stable=True)[:top])
        return 3 * order + jnp.sign(map[order]).astype(order.dtype)

    codes = jax.lax.map(code, flat)
    return _agreement(flat, classes, lambda i: (codes == codes[i][None]).all(1))


def sufficiency(
    maps: Num[AnyArray, "images *space"],
    predictions: Shaped[AnyArray, " predictions"],
    *,
    threshold: float = 0.6,
) -> SharedExplanation:
    r"""Share of the images with a close explanation that have the same prediction.

    $P(f(x') = f(x) \mid d(a(x'), a(x)) \le \tau)$ over the other images $x'$ of the data set, with
    the standardised distance $d(a, b) = \sqrt{\frac{1}{n} \sum_i (a_i - b_i)^2 / s_i^2}$, $s_i^2$
    the sample variance of pixel $i$ over the data set; pixels of no variance are left out. Range
    [0, 1], higher is better. The mean over the $n$ pixels makes the `threshold` $\tau$ independent
    of their number; Quantus sums instead, so that its 0.6 is $0.6 / \sqrt n$ here. NaN, per image,
    where no other image is as close or its map is not finite. Images are compared one by one with
    all others. Raises `InputError` for arrays that do not fit.

    Dasgupta, Frost and Moshkovitz (2022), arXiv:2202.00734, sec. 3, with this distance.
    """
    flat, classes = _checked(maps, predictions)
    check_value("threshold", threshold, THRESHOLD)
    finite = np.isfinite(np.asarray(flat)).all(1)
    clean = np.asarray(flat, np.float64)[finite]
    variance = clean.var(0, ddof=1) if len(clean) > 1 else np.zeros(flat.shape[1])
    varies = variance > 0
    inverse = jnp.asarray(np.where(varies, 1 / np.where(varies, variance, 1), 0), flat.dtype)
    count = max(int(varies.sum()), 1)

    def is_close(i: Array) -> Bool[Array, " images"]:
        change = flat - flat[i][None]
        return (change * change) @ inverse / count <= threshold**2

    return _agreement(flat, classes, is_close)


def _checked(
    maps: Num[AnyArray, "images *space"], predictions: Shaped[AnyArray, " predictions"]
) -> tuple[Float[Array, "images pixels"], Array]:
    if len(maps) != len(predictions) or len(maps) < 2 or np.prod(maps.shape) == 0:
        raise InputError(
            f"maps of shape {maps.shape} with {len(predictions)} predictions: give two or more "
            "images, with one map and one predicted class each"
        )
    wide = np.asarray(maps, np.promote_types(np.asarray(maps).dtype, np.float32))
    _, classes = np.unique(np.asarray(predictions), return_inverse=True)
    return jnp.asarray(wide.reshape(len(wide), -1)), jnp.asarray(classes)


def _agreement(
    flat: Float[Array, "images pixels"],
    classes: Array,
    is_alike: Callable[[Array], Bool[Array, " images"]],
) -> SharedExplanation:
    index = jnp.arange(len(flat))
    finite = jnp.isfinite(flat).all(1)

    def share(i: Array) -> Float[Array, ""]:
        others = is_alike(i) & (index != i) & finite & finite[i]
        same = (others & (classes == classes[i])).sum()
        return jnp.where(others.any(), same / jnp.maximum(others.sum(), 1), jnp.nan)

    values = np.asarray(jax.lax.map(share, index))
    defined = np.isfinite(values)
    mean = float(values[defined].mean()) if defined.any() else float("nan")
    return SharedExplanation(values, mean, int(defined.sum()))
