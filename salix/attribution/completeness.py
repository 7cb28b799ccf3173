"""Completeness of an attribution: its sum against the difference of the scores."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.precision import widen
from salix.typing import GridAttribution, Image, InputError, Method, Scalar, ScoreLike


def completeness_residual(
    method: Method, score: ScoreLike, image: Image, attribution: GridAttribution
) -> Scalar:
    r"""Completeness residual of an attribution, $\sum A - (f(x) - \overline{f(x')})$.

    The mean is over the baselines x' of the method. Signed, in units of the score; 0 for a complete
    attribution. NaN where the attribution or a score is. One pass for the image and one for each
    baseline. Raises `InputError` for a method that is not complete for any baseline: one without a
    function `baselines(score, image)`.

    Axiom 'completeness' of Sundararajan, Taly and Yan (2017), arXiv:1703.01365, sec. 3.
    """
    if not hasattr(method, "baselines"):
        raise InputError(
            f"{method!r} has no baselines for which its attributions are complete: choose a "
            f"method that has, as IntegratedGradients()"
        )
    starts = method.baselines(score, image)  # pyright: ignore[reportAttributeAccessIssue]
    ends = jnp.stack([widen(score(start)) for start in starts])
    change: Float[Array, ""] = widen(score(jnp.asarray(image))) - ends.mean()
    return widen(attribution).sum() - change
