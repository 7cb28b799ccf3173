"""Completeness: whether an attribution sums to the difference of scores that it explains."""

import jax
import jax.numpy as jnp

from salix.hyperparameters import FLAG, check_value, number, optional
from salix.metrics.explainer import as_explainer, raw_attribution
from salix.precision import widen
from salix.typing import Explain, Image, PRNGKey, Scalar

BASELINE = optional(number())
TOLERANCE = number(lambda n: n >= 0, remedy="give a number, 0 or more")


def completeness(
    explain: Explain,
    image: Image,
    key: PRNGKey,
    *,
    baseline: float | None = None,
    relative: bool = True,
    signed: bool = False,
    tolerance: float = 0.0,
) -> Scalar:
    r"""Residual of an attribution's sum to the difference of scores that it should explain.

    $|\sum_i a_i - \Delta| / |\Delta|$ with $\Delta = f(x) - f(x')$, where $f$ is the explained
    scalar and $f(x')$ its mean over the method's own baselines, or, for a method without any, that
    of an image of zeros; a `baseline` in units of the model's input takes their place. Range
    [0, infinity), lower is better, 0 for a complete attribution; a residual of at most `tolerance`
    is 0. With `relative=False` it is in units of the score; with `signed=True` it is above 0 where
    the attribution sums to too much. Peers test for equality, which rounding decides.

    NaN where the attribution is not finite, and for a relative residual where $\Delta$ is 0. One
    explanation, and one pass for each baseline; the key is not used. Raises `InputError` for
    options out of range.

    Sundararajan, Taly and Yan (2017), arXiv:1703.01365, sec. 3, proposition 1.
    """
    del key
    check_value("baseline", baseline, BASELINE)
    check_value("relative", relative, FLAG)
    check_value("signed", signed, FLAG)
    check_value("tolerance", tolerance, TOLERANCE)
    explainer, image = as_explainer(explain), jnp.asarray(image)
    clean = explainer(image)
    if baseline is None and explainer.baselines is not None:
        starts = jnp.stack([jnp.asarray(start) for start in explainer.baselines(image)])
    else:
        starts = jnp.full_like(image, baseline or 0)[None]
    start = jax.lax.map(lambda x: widen(explainer.score(x, clean.target)), starts).mean()
    difference = widen(explainer.score_of(clean.logits, clean.target)) - start
    residual = raw_attribution(clean).sum() - difference
    if relative:
        size = jnp.abs(difference)
        residual = jnp.where(size > 0, residual / jnp.where(size > 0, size, 1), jnp.nan)
    residual = jnp.where(jnp.abs(residual) <= tolerance, 0, residual)
    value = residual if signed else jnp.abs(residual)
    return jnp.where(jnp.isfinite(value), value, jnp.nan)
