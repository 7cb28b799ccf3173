"""Scores of an image multiplied by its map: average drop, increase in confidence, and ADCC."""

import jax
import jax.numpy as jnp

from salix.hyperparameters import check_value
from salix.metrics.explainer import as_explainer
from salix.metrics.faithfulness.curves import BLACK, Black
from salix.metrics.faithfulness.ranking import is_ranked
from salix.metrics.inputs import as_float
from salix.metrics.normalisation import scale
from salix.metrics.similarity import pearson
from salix.precision import widen
from salix.typing import (
    Explain,
    Flag,
    GridMap,
    Image,
    Index,
    InputError,
    Logits,
    Map,
    PRNGKey,
    Scalar,
    ScoreLike,
)


def average_drop(
    score: ScoreLike, image: Image, map: GridMap, key: PRNGKey, *, black: Black = 0.0
) -> Scalar:
    r"""Relative fall of the score when the image is multiplied by its map.

    $\max(0, y - o) / y$, where $y$ is the score of the image, a probability, and $o$ that of the
    image with each pixel moved towards black by its map: $b + m\,(x - b)$ for a map $m$ scaled to
    [0, 1] by its range and enlarged linearly to the image, and `black` $b$ in units of the model's
    input (one number, or one a channel). With the default 0 it is the product of map and input,
    as peers compute it. Range [0, 1], lower is better; papers give its mean over images times 100.
    NaN where the map is constant or not finite. Two passes of the score; the key is not used.

    Chattopadhay et al. (2018), arXiv:1710.11063, sec. 4.1.
    """
    del key
    before, after, defined = _scores(score, image, map, black)
    return jnp.where(defined, jnp.maximum(before - after, 0) / before, jnp.nan)


def increase(
    score: ScoreLike, image: Image, map: GridMap, key: PRNGKey, *, black: Black = 0.0
) -> Scalar:
    r"""Whether the score rises when the image is multiplied by its map: 1 or 0.

    $[y < o]$ with the scores $y$ and $o$ of `average_drop`, so that its mean over images is the
    share of images whose confidence increases. Higher is better. NaN, cost and errors as there.

    Chattopadhay et al. (2018), arXiv:1710.11063, sec. 4.1.
    """
    del key
    before, after, defined = _scores(score, image, map, black)
    return jnp.where(defined, (before < after).astype(before.dtype), jnp.nan)


def adcc(explain: Explain, image: Image, key: PRNGKey, *, black: Black = 0.0) -> Scalar:
    r"""Harmonic mean of a map's coherency, simplicity and preserved confidence.

    $3 / (C^{-1} + (1 - K)^{-1} + (1 - D)^{-1})$. $D$ is the `average_drop` of the probability of
    the explained class for the map $m$ in [0, 1]; the complexity $K$ is the mean of $m$ over the
    pixels; the coherency $C$ is $(1 + \rho) / 2$ with Pearson's $\rho$ between $m$ and the map of
    the masked image, explained for the same class. Range [0, 1], higher is better; 0 where one of
    the three is 0. NaN where either map is constant or not finite. Two explanations; the key is not
    used. `black` and errors as in `average_drop`.

    Poppi et al. (2021), arXiv:2104.10252, sec. 3.
    """
    del key
    check_value("black", black, BLACK)
    explainer = as_explainer(explain)
    clean = explainer(image)
    map = as_float(clean.map)
    masked = explainer(mask_image(image, map, black), clean.target)
    before, after = (_probability(e.logits, clean.target) for e in (clean, masked))
    drop = jnp.maximum(before - after, 0) / before
    coherency = (1 + pearson(map, as_float(masked.map))) / 2
    parts = jnp.stack([coherency, 1 - map.mean(), 1 - drop])
    # A factor of 0 makes the harmonic mean 0, NaN stays.
    mean = jnp.where((parts == 0).any(), 0, 3 / (1 / jnp.where(parts == 0, 1, parts)).sum())
    defined = is_ranked(map) & is_ranked(masked.map)
    return jnp.where(defined, mean, jnp.nan)


def mask_image(image: Image, map: GridMap, black: Black = 0.0) -> Image:
    r"""Return $b + m (x - b)$ for a map $m$ in [0, 1], enlarged linearly to the image.

    `black` $b$ is one number, or one a channel. Raises `InputError` for a map that does not fit.
    """
    level = jnp.asarray(check_value("black", black, BLACK), jnp.float32)
    x = jnp.asarray(image)
    share = place_on_image(as_float(map), x.shape[:-1])[..., None]
    level = level.reshape((1,) * (x.ndim - 1) + (-1,)).astype(share.dtype)
    wide = widen(x).astype(share.dtype)
    return (level + share * (wide - level)).astype(x.dtype)


def place_on_image(map: GridMap, space: tuple[int, ...]) -> Map:
    """Return a map on the grid of an image, enlarged linearly where its own is smaller.

    Raises `InputError` for a map that has other axes than the image or is larger.
    """
    fits = len(map.shape) == len(space) and all(
        m <= s for m, s in zip(map.shape, space, strict=True)
    )
    if not fits:
        raise InputError(f"a map of shape {map.shape} does not fit an image of {space} pixels")
    return map if map.shape == space else jax.image.resize(map, space, "linear")


def _scores(
    score: ScoreLike, image: Image, map: GridMap, black: Black
) -> tuple[Scalar, Scalar, Flag]:
    masked = mask_image(image, scale(as_float(map))[0], black)
    return widen(score(image)), widen(score(masked)), is_ranked(map)


def _probability(logits: Logits, target: Index) -> Scalar:
    return jax.nn.softmax(widen(logits))[target]
