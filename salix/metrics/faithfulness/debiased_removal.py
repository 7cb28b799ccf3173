"""Remove and debias (ROAD): a score while pixels are replaced by their neighbours' means."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from salix.hyperparameters import check_value, choice, number, several
from salix.metrics.faithfulness.curves import Curve, Fractions, trapezoid_mean
from salix.metrics.faithfulness.ranking import (
    RISING,
    is_ranked,
    order_pixels,
    pixel_counts,
    rank_pixels,
)
from salix.metrics.faithfulness.segments import scan_batches
from salix.metrics.presets import choose_options
from salix.perturb.inpainting import fill_from_neighbours
from salix.precision import widen
from salix.typing import GridMap, Image, PRNGKey, Scalar, ScoreLike, as_score

REMOVALS = ("most", "least", "combined")
NOISE = number(lambda n: n >= 0, remedy="give a number, 0 or more")
BELOW_ONE = several(
    number(lambda n: 0 <= n < 1), remedy="give two or more, rising, in [0, 1)", low=2
)
TOLERANCE = 2e-6  # of the fill: an error of 1e-5, a hundredth of the noise or less
TENTHS = tuple(i / 10 for i in range(1, 10))
ROAD: Mapping[str, Mapping[str, Any]] = {
    "paper": {"fractions": TENTHS, "order": "most", "noise": 0.01},
    "quantus": {
        "fractions": tuple(i / 100 for i in range(1, 100, 2)), "order": "most", "noise": 0.01,
    },
    "pytorch_grad_cam": {"fractions": TENTHS, "order": "combined", "noise": 0.01},
}  # fmt: skip


def road(
    score: ScoreLike,
    image: Image,
    map: GridMap,
    key: PRNGKey,
    *,
    preset: str = "paper",
    fractions: Fractions | None = None,
    order: str | None = None,
    noise: float | int | None = None,
    chunk: int = 1,
) -> Curve:
    r"""Score while ranked pixels are replaced by noisy means of their neighbours (ROAD).

    $v_j = f(x_j)$, where the first share $q_j$ of the pixels is removed, `fractions`, in (0, 1).
    Each removed pixel is the mean of its eight neighbours, weighted by 1/6 along an axis and 1/12
    diagonally, solved jointly (`fill_from_neighbours`, to 1e-5 of the image's range), plus normal
    noise of `noise` times white minus black: so little of the mask's shape is visible to a model.
    The area is the trapezoid's mean over the range of the fractions. Of the softmax probability of
    the target, in [0, 1].

    `order` "most" removes the most salient first (a lower area means a better map), "least" the
    least (higher), and "combined" is half the difference, least minus most, in [-1/2, 1/2]
    (higher). `preset` "paper": tenths of the pixels, "most"; "quantus": 1, 3, … 99 %;
    "pytorch_grad_cam": tenths, "combined". Peers average over the fractions without weights.

    Passes: one a fraction, twice for "combined", scanned, `chunk` of them in one batch. Images of
    two axes beside the channels. NaN where the map is constant or not finite, or no pixel is left.
    Raises `InputError` for unusable options, other images, and a map that does not fit.

    Rong et al. (2022), arXiv:2202.00449; the combination is that of pytorch-grad-cam.
    """
    chosen = choose_options("road", preset, ROAD, fractions=fractions, order=order, noise=noise)
    check_value("fractions", check_value("fractions", chosen["fractions"], RISING), BELOW_ONE)
    removal = check_value("order", chosen["order"], choice(REMOVALS))
    image = widen(image)
    described = as_score(score)
    span = jnp.asarray(described.white, image.dtype) - jnp.asarray(described.black, image.dtype)
    scale = check_value("noise", chosen["noise"], NOISE) * span
    noises = jax.random.normal(key, image.shape, image.dtype)
    noises = noises * scale.reshape((1,) * (image.ndim - 1) + (-1,))

    def curve(order: str) -> Array:
        places = order_pixels(rank_pixels(map, image.shape[:-1], key, order))

        def evaluate(count: Array) -> Scalar:
            removed = places < count
            debiased = fill_from_neighbours(image, removed, tolerance=TOLERANCE) + noises
            return widen(score(jnp.where(removed[..., None], debiased, image)))

        counts = jnp.asarray(pixel_counts(chosen["fractions"], places.size))
        return scan_batches(evaluate, counts, chunk)

    combined = removal == "combined"
    values = (curve("least") - curve("most")) / 2 if combined else curve(removal)
    values = jnp.where(is_ranked(map), values, jnp.nan)
    points = jnp.asarray(chosen["fractions"], values.dtype)
    return Curve(points, values, trapezoid_mean(values, chosen["fractions"]))
