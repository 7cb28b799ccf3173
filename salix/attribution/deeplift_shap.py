"""DeepLIFT-SHAP: DeepLIFT averaged over reference images."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from salix.attribution.expected_gradients import REFERENCES
from salix.attribution.integrated_gradients import broadcast_baselines
from salix.attribution.program import explain_difference
from salix.hyperparameters import check_fields
from salix.precision import widen
from salix.typing import AnyArray, Attribution, Image, Passes, PRNGKey, ScoreLike


@dataclass(frozen=True)
class DeepLIFTSHAP:
    r"""DeepLIFT-SHAP, the mean of `DeepLIFT` over reference images x'.

    $A = \frac{1}{n} \sum_{x'} m(x, x') \odot (x - x')$ over all `references`, so that $\sum A =
    f(x) - \overline{f(x')}$ up to rounding. It approximates the Shapley values of the pixels where
    absent ones are drawn from the references. Signed, in units of the score.

    `references` are images [n *space c] in the input's units (from Python only), best a sample of
    the training data; or one image, one number, one a channel; by default the two images "black"
    and "white" of the `Score`, as for `IntegratedGradients`. They are scanned, in constant memory.
    Raises `InputError` for references of another shape or not finite, and as `DeepLIFT` does.

    Lundberg and Lee (2017), arXiv:1705.07874, sec. 4.2.
    """

    references: float | int | tuple[float | int, ...] | str | AnyArray = "black_white"

    def __post_init__(self) -> None:
        check_fields(self, references=REFERENCES)

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the model passes of one image of a shape [*space c]."""
        count = 2 if isinstance(self.references, str) else 1
        if isinstance(self.references, AnyArray) and np.ndim(self.references) == len(shape) + 1:
            count = len(self.references)
        return Passes(evaluations=1, gradients=count)  # the image is evaluated once

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Attribution:
        del key  # deterministic: all references are used
        image = jnp.asarray(image)
        references = jnp.stack(self.baselines(score, image))

        def add(total: Array, reference: Array) -> tuple[Array, None]:
            return total + explain_difference(score, image, reference), None

        total, _ = jax.lax.scan(add, jnp.zeros_like(widen(image)), references)
        return total / len(references)

    def baselines(self, score: ScoreLike, image: Image) -> tuple[Array, ...]:
        """Return the images to whose mean score the attribution is complete."""
        image, references = jnp.asarray(image), self.references
        several = isinstance(references, AnyArray) and np.ndim(references) == image.ndim + 1
        each = list(jnp.asarray(references)) if several else [references]
        return tuple(b for r in each for b in broadcast_baselines(r, score, image))
