"""Losses of one image, as functions of its features: `loss(classify, features, label, guide)`.

`classify` is the head, features -> logits; `guide` is the map that says where to look, in [0, 1]
on the grid of the features, all zero where an image has none.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp

from salix.attribution import CAM
from salix.typing import Features, Index, InputError, Map, Scalar

Classify = Callable[[Features], jax.Array]


@dataclass(frozen=True)
class CrossEntropy:
    r"""Cross-entropy of the true class, $-\log \mathrm{softmax}(z)_y$, in nats."""

    def __call__(self, classify: Classify, features: Features, label: Index, guide: Map) -> Scalar:
        del guide
        return -jax.nn.log_softmax(classify(features))[label]


@dataclass(frozen=True)
class CYBORG:
    r"""Cross-entropy blended with the distance of the model's CAM from a guide.

    $\alpha\,L_{CE} + (1 - \alpha)\,\frac{1}{mn} \sum (g - s)^2$, with $s$ the plain CAM (no ReLU,
    no bias) of `target`, scaled to [0, 1] by its own range; the gradient flows through the
    features, the head and the scaling. An image without a guide has no second term. `alpha` in
    [0, 1]: 1 is cross-entropy. A CAM without contrast counts as zeros.

    Boyd et al. (2023), WACV, arXiv:2112.00686; `target` "predicted" as in its code, "true" as in
    the code of its follow-ups.
    """

    alpha: float = 0.5
    target: Literal["predicted", "true"] = "predicted"

    def __post_init__(self):
        if not 0 <= self.alpha <= 1:
            raise InputError(f"alpha is {self.alpha}: give a weight in [0, 1]")

    def __call__(self, classify: Classify, features: Features, label: Index, guide: Map) -> Scalar:
        entropy = CrossEntropy()(classify, features, label, guide)
        if self.alpha == 1:
            return entropy
        chosen = label if self.target == "true" else jnp.argmax(classify(features))
        cam = CAM()(lambda f: classify(f)[chosen], features, jax.random.key(0))[..., 0]
        distance = jnp.where(guide.max() > 0, jnp.square(guide - _unit(cam)).mean(), 0)
        return self.alpha * entropy + (1 - self.alpha) * distance


LOSSES = {"CrossEntropy": CrossEntropy, "CYBORG": CYBORG}


def _unit(map: Map) -> Map:
    """Scale a map to [0, 1] by its own range; the guard keeps the gradient of a flat one finite."""
    shifted = map - map.min()
    top = shifted.max()
    return jnp.where(top > 0, shifted / jnp.where(top > 0, top, 1), 0)
