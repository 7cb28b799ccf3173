"""Guided Grad-CAM: guided backpropagation where Grad-CAM is positive."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

from salix.attribution.gradcam import GradCAM
from salix.attribution.guided_backprop import GuidedBackprop
from salix.precision import widen
from salix.typing import Attribution, Image, Passes, PRNGKey, ScoreLike


@dataclass(frozen=True)
class GuidedGradCAM:
    r"""Guided Grad-CAM, guided backpropagation times the enlarged Grad-CAM map.

    $A = G \odot \uparrow\!L$, G as by `GuidedBackprop()` and $L \ge 0$ as by `GradCAM()`, enlarged
    linearly ($\uparrow$, bilinearly for images) from the trunk's grid to the image's. Signed, of
    the image's shape. Raises `InputError` as both do: for a score without a trunk, and for a
    program without a ReLU or with a primitive that has no rule.

    Selvaraju et al. (2017), arXiv:1610.02391, sec. 3.1.
    """

    reads_trunk: ClassVar[bool] = True

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the model passes of one image of a shape [*space c]."""
        return GuidedBackprop().passes(shape) + GradCAM().passes(shape)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Attribution:
        image = jnp.asarray(image)
        map = GradCAM()(score, image, key)
        enlarged = jax.image.resize(map, (*image.shape[:-1], 1), "linear")
        return widen(GuidedBackprop()(score, image, key)) * enlarged
