"""Infidelity: squared error of the changes of a score that an attribution predicts."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from salix.hyperparameters import FLAG, Hyperparameter, check_value, choice, integer, number
from salix.metrics.faithfulness.ranking import enlarge_linearly
from salix.metrics.faithfulness.replacement import Replacement, replacement_image
from salix.metrics.faithfulness.segments import scan_batches
from salix.metrics.inputs import as_float
from salix.metrics.presets import choose_options
from salix.precision import widen
from salix.typing import GridMap, Image, PRNGKey, Scalar, ScoreLike, as_score

PERTURBATIONS = ("noisy_baseline", "square", "noise")
UNITS = ("gradient", "contribution")
Perturb = Callable[[Any, Any], Any]  # (image, key) -> the perturbation, subtracted from the image
WIDTH = number(lambda n: n > 0, remedy="give a number above 0")
# Captum leaves perturbations to its caller: those of its documentation's example are noise.
INFIDELITY: Mapping[str, Mapping[str, Any]] = {
    "paper": {
        "perturbation": "noisy_baseline", "samples": 100, "noise": 0.2, "side": 8, "fill": 0.0,
    },
    "quantus": {
        "perturbation": "square", "samples": 10, "noise": 0.2, "side": 4, "fill": "minimum",
    },
    "captum": {
        "perturbation": "noise", "samples": 10, "noise": 0.003, "side": 8, "fill": 0.0,
    },
}  # fmt: skip


def _plain_perturbation(value: Any) -> Any:
    return value if callable(value) else choice(PERTURBATIONS).plain(value)


PERTURBATION = Hyperparameter(
    _plain_perturbation,
    f"choose one of {', '.join(PERTURBATIONS)}, or give a function of (image, key)",
)


def infidelity(
    score: ScoreLike,
    image: Image,
    map: GridMap,
    key: PRNGKey,
    *,
    preset: str = "paper",
    perturbation: str | Perturb | None = None,
    samples: int | None = None,
    noise: float | int | None = None,
    side: int | None = None,
    fill: Replacement | None = None,
    units: str = "gradient",
    normalise: bool = False,
    chunk: int = 1,
) -> Scalar:
    r"""Mean squared error of the changes of a score that an attribution predicts.

    $\mathrm{E}_I[(I^\top a - (f(x) - f(x - I)))^2]$ over `samples` perturbations I, in squared
    units of the explained score: 0 is best, unbounded above. I is x less a baseline of `fill` with
    normal noise ("noisy_baseline"), x less `fill` in one square of `side` pixels at a random place
    ("square"), normal ("noise"), or what a function of (image, key) returns; `noise` is a share of
    white minus black.

    `units` of the attribution [*space c]: "gradient", per unit of the input, as in the formula; or
    "contribution", shares of the score that add up to a difference, as of integrated gradients:
    $I^\top a$ becomes $\sum_i a_i I_i / (x_i - x'_i)$ with x' the image of `fill`, and $a_i I_i$
    where they are equal. A map [*space] is shared evenly by its channels. `normalise` multiplies
    the attribution by the factor of least error, $\sum (I^\top a) \Delta / \sum (I^\top a)^2$: the
    paper's optimal scale, and Captum's `normalize`.

    `preset` "paper": 100 noisy baselines of 0 with a deviation of 0.2; "quantus": 10 squares of 4
    pixels, by the lowest value of the image; "captum": 10 times noise of deviation 0.003.
    Perturbations depend on image and key alone. Passes: samples + 1, scanned, `chunk` of them in
    one batch. NaN where the map is not finite. Raises `InputError` for unusable options and a map
    that does not fit.

    Yeh et al. (2019), arXiv:1901.09392, sec. 2.
    """
    chosen = choose_options(
        "infidelity", preset, INFIDELITY, perturbation=perturbation, samples=samples, noise=noise,
        side=side, fill=fill,
    )  # fmt: skip
    check_value("units", units, choice(UNITS))
    scale = check_value("normalise", normalise, FLAG)
    image = widen(image)
    attribution = spread_over_channels(map, image)
    start = widen(score(image))
    baseline, perturb = choose_perturbation(score, image, key, **chosen)
    distance = image - baseline
    divisor = jnp.where(distance == 0, 1, distance) if units == "contribution" else 1

    def compare(draw_key: PRNGKey) -> tuple[Array, Array]:
        step = perturb(draw_key)
        predicted = (attribution * (step / divisor)).sum()
        return predicted, start - widen(score(image - step))

    draws = check_value("samples", chosen["samples"], integer(1))
    keys = jax.random.split(jax.random.fold_in(key, 1), draws)
    predicted, changes = scan_batches(compare, keys, chunk)
    if scale:
        power = (predicted**2).sum()
        factor = (predicted * changes).sum() / jnp.where(power > 0, power, 1)
        predicted = factor * predicted
    error = ((predicted - changes) ** 2).mean()
    return jnp.where(jnp.isfinite(attribution).all(), error, jnp.nan)


def choose_perturbation(
    score: ScoreLike,
    image: Array,
    key: PRNGKey,
    *,
    perturbation: str | Perturb,
    samples: int,
    noise: float | int,
    side: int,
    fill: Replacement,
) -> tuple[Image, Callable[[PRNGKey], Image]]:
    """Return the image of `fill`, and the function from a key to a perturbation of the image."""
    del samples
    check_value("perturbation", perturbation, PERTURBATION)
    described = as_score(score)
    span = jnp.asarray(described.white, image.dtype) - jnp.asarray(described.black, image.dtype)
    deviation = check_value("noise", noise, WIDTH) * span.reshape((1,) * (image.ndim - 1) + (-1,))
    check_value("side", side, integer(1))
    baseline = replacement_image(fill, score, image, jax.random.fold_in(key, 0))

    def perturb(draw_key: PRNGKey) -> Image:
        if callable(perturbation):
            return jnp.asarray(perturbation(image, draw_key), image.dtype)
        if perturbation == "square":
            return jnp.where(draw_square(draw_key, image.shape[:-1], side), image - baseline, 0)
        draw = deviation * jax.random.normal(draw_key, image.shape, image.dtype)
        return draw if perturbation == "noise" else image - baseline - draw

    return baseline, perturb


def draw_square(key: PRNGKey, space: tuple[int, ...], side: int) -> Array:
    """Return a mask [*space 1] of a square at a random place inside the image."""
    inside = jnp.ones((*space, 1), bool)
    for axis, axis_key in enumerate(jax.random.split(key, len(space))):
        length = min(side, space[axis])
        first = jax.random.randint(axis_key, (), 0, space[axis] - length + 1)
        place = lax.broadcasted_iota(jnp.int32, inside.shape, axis)
        inside = inside & (place >= first) & (place < first + length)
    return inside


def spread_over_channels(map: GridMap, image: Array) -> Array:
    """Return an attribution of an image's shape; a map is enlarged and shared by its channels."""
    if map.shape == image.shape:
        return as_float(map)
    pixels = enlarge_linearly(map, image.shape[:-1])
    return jnp.broadcast_to(pixels[..., None] / image.shape[-1], image.shape)
