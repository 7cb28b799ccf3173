"""DeepLIFT: differences from a reference, carried exactly through every function."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array

from salix.attribution.integrated_gradients import BASELINE, broadcast_baselines
from salix.attribution.program import explain_difference
from salix.hyperparameters import check_fields
from salix.typing import AnyArray, Attribution, Image, Passes, PRNGKey, ScoreLike


@dataclass(frozen=True)
class DeepLIFT:
    r"""DeepLIFT with the rescale rule, $A = m \odot (x - x')$, m the product of multipliers.

    Multipliers from a score back to the image take the place of derivatives. Each function y of
    values $a_i$ has multipliers with $\sum_i m_i (a_i - a_i') = y - y'$, where $'$ marks the values
    at the baseline x', so that $\sum A = f(x) - f(x')$ up to rounding on every network. A is
    signed, in units of the score.

    - Linear functions: their coefficients.
    - A function g of one value u, place by place (ReLU, sigmoid, GELU, $u\,\sigma(u)$, ...): the
      rescale rule $(g(u) - g(u')) / (u - u')$, and $g'(u)$ where u and u' are equal.
    - A product of two values (gates, attention): the mean of the other at x and x', which is the
      Shapley value; a quotient is the product with the reciprocal. A softmax is exponentials, their
      sum and a quotient.
    - A maximum: to the position of the maximum at x where it rises, and at x' where it falls.
    - An index that depends on the image, such as the predicted class, is kept as it is at x; the
      effect of a stopped gradient is not attributed.

    `baseline` is as for `IntegratedGradients`; "black_white" is the mean over both.
    Raises `InputError` for a primitive without a rule, such as a choice between two values that
    depends on the image, and for a baseline that does not fit.

    Shrikumar, Greenside and Kundaje (2017), arXiv:1704.02685, sec. 3.1 to 3.5.1; products and
    maxima after Lundberg and Lee (2017), arXiv:1705.07874, sec. 4.2.
    """

    baseline: float | int | tuple[float | int, ...] | str | AnyArray = 0.0

    def __post_init__(self) -> None:
        check_fields(self, baseline=BASELINE)

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the model passes of one image."""
        del shape
        count = 2 if isinstance(self.baseline, str) else 1
        return Passes(evaluations=1, gradients=count)  # the image is evaluated once

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Attribution:
        del key  # deterministic
        image = jnp.asarray(image)
        starts = self.baselines(score, image)
        if len(starts) == 1:
            return explain_difference(score, image, starts[0])
        explain = lambda start: explain_difference(score, image, start)  # noqa: E731
        return jax.lax.map(explain, jnp.stack(starts)).mean(0)

    def baselines(self, score: ScoreLike, image: Image) -> tuple[Array, ...]:
        """Return the images to whose mean score the attribution is complete."""
        return broadcast_baselines(self.baseline, score, image)
