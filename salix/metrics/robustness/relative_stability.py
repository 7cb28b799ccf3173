"""Relative change of an attribution per change of input, logits or features."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.hyperparameters import check_value, number
from salix.metrics.explainer import as_explainer, raw_attribution
from salix.metrics.samples import is_attribution, map_samples, norm, perturb
from salix.precision import widen
from salix.typing import Explain, Explanation, Image, PRNGKey, Scalar

FLOOR = number(lambda n: n > 0, remedy="give a number above 0")


def relative_input_stability(
    explain: Explain,
    image: Image,
    key: PRNGKey,
    *,
    radius: float = 0.2,
    samples: int = 200,
    floor: float = 1e-6,
    chunk: int = 1,
) -> Scalar:
    r"""Greatest relative change of an attribution per relative change of the image.

    $\max_{x'} \frac{\lVert (a(x) - a(x')) / a(x) \rVert_2}
    {\max(\lVert (x - x') / x \rVert_2, \varepsilon)}$ over `samples` draws of $x' = x + u$, $u$
    uniform in $[-r, r]^n$, for which the model predicts the class that it predicts for $x$; those
    that flip the prediction are excluded. Division is entry by entry; an entry of $a(x)$ or $x$
    smaller than $\varepsilon$ (`floor`) is replaced by it, so that a single zero does not make the
    change infinite. `radius` $r$ is in units of the model's input. Range [0, infinity), lower is
    more stable; it has no unit.

    NaN where every sample flips the prediction, where the attribution is zero everywhere, and where
    it is not finite at the image or at a sample without a flip. Samples are scanned, `chunk` of
    them in one batch: one explanation each, of the class explained at $x$, and one of the image.
    Raises `InputError` for options out of range.

    Agarwal et al. (2022), arXiv:2203.06877, sec. 3, eq. 2. Defaults as in Quantus.
    """

    def change(near: Image, clean: Explanation, moved: Explanation) -> Scalar:
        del clean, moved
        return _relative(widen(image), widen(near), floor)

    return _stability(explain, image, key, change, radius, samples, floor, chunk)


def relative_output_stability(
    explain: Explain,
    image: Image,
    key: PRNGKey,
    *,
    radius: float = 0.2,
    samples: int = 200,
    floor: float = 1e-6,
    chunk: int = 1,
) -> Scalar:
    r"""Greatest relative change of an attribution per change of the logits.

    $\max_{x'} \frac{\lVert (a(x) - a(x')) / a(x) \rVert_2}
    {\max(\lVert z(x) - z(x') \rVert_2, \varepsilon)}$ with the logits $z$, whose change is
    absolute. Draws, exclusion of flips, NaN, cost and errors are those of
    `relative_input_stability`. Range [0, infinity), per unit of the logits, lower is more stable.

    Agarwal et al. (2022), arXiv:2203.06877, sec. 3, eq. 5.
    """

    def change(near: Image, clean: Explanation, moved: Explanation) -> Scalar:
        del near
        return norm(widen(clean.logits) - widen(moved.logits))

    return _stability(explain, image, key, change, radius, samples, floor, chunk)


def relative_representation_stability(
    explain: Explain,
    image: Image,
    key: PRNGKey,
    *,
    radius: float = 0.2,
    samples: int = 200,
    floor: float = 1e-6,
    chunk: int = 1,
) -> Scalar:
    r"""Greatest relative change of an attribution per relative change of the model's features.

    $\max_{x'} \frac{\lVert (a(x) - a(x')) / a(x) \rVert_2}
    {\max(\lVert (L(x) - L(x')) / L(x) \rVert_2, \varepsilon)}$, where $L$ are the features of the
    model's trunk averaged over their grid. Draws, exclusion of flips, NaN and errors are those of
    `relative_input_stability`; each sample also passes the trunk. Range [0, infinity), lower is
    more stable. Raises `InputError` for a model without a trunk.

    Agarwal et al. (2022), arXiv:2203.06877, sec. 3, eq. 3.
    """
    explainer = as_explainer(explain)
    features = explainer.features(image)

    def change(near: Image, clean: Explanation, moved: Explanation) -> Scalar:
        del clean, moved
        return _relative(features, explainer.features(near), floor)

    return _stability(explain, image, key, change, radius, samples, floor, chunk)


def _relative(a: Float[Array, "..."], b: Float[Array, "..."], floor: float) -> Scalar:
    return norm((a - b) / jnp.maximum(jnp.abs(a), floor))


def _stability(
    explain: Explain,
    image: Image,
    key: PRNGKey,
    change: Callable[[Image, Explanation, Explanation], Scalar],
    radius: float,
    samples: int,
    floor: float,
    chunk: int,
) -> Scalar:
    check_value("floor", floor, FLOOR)
    explainer = as_explainer(explain)
    clean = explainer(image)
    before, predicted = raw_attribution(clean), jnp.argmax(clean.logits)

    def ratio(draw: PRNGKey) -> tuple[Scalar, Any]:
        near = perturb(image, draw, radius)
        explanation = explainer(near, clean.target)
        moved = _relative(before, raw_attribution(explanation), floor)
        value = moved / jnp.maximum(change(near, clean, explanation), floor)
        return value, jnp.argmax(explanation.logits) == predicted

    ratios, same = map_samples(ratio, key, samples, chunk)
    defined = same.any() & is_attribution(before)
    return jnp.where(defined, jnp.where(same, ratios, -jnp.inf).max(), jnp.nan)
