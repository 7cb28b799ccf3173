r"""Losses of one image, as functions of one forward pass of the network.

    loss(head, features, tapped, label, mask) -> parts

`head`: features -> logits, a function of traced parameters. `features` [*grid k] are the output
of the trunk; `tapped` [*grid k] are those for the CAM, the features themselves where a model has
no tap of its own: `Model.tapped` gives both in one pass. `label` is the index of the true class.
`mask` is the reference mask, in [0, 1] and of any size; a constant one, or None, has no effect.

Every loss returns the same `parts`, so that runs under different losses can be compared:

- `loss`: the total of this image;
- `cross_entropy`: in nats;
- `human`: mean squared distance of CAM and reference mask, in [0, 1]; 0 without a mask;
- `cam_entropy`: spatial entropy of the CAM, in [0, 1];
- `has_reference_mask`: 1 where the image has a reference mask with contrast, else 0;
- `logits` [classes].

The loss of a batch is `loss.combine(parts)`, with each part [n ...] over its images. That is the
mean of the totals, except where weights depend on the batch (`Viser`). For a batch of one it is
the image's `loss`.
"""

from dataclasses import dataclass
from typing import Any, Protocol, get_args, runtime_checkable

import jax

from salix.model import Tapped
from salix.train.loss_terms import Head, Parts, Target, loss_parts, mean_loss, weighted_sum
from salix.typing import Features, Index, InputError, ReferenceMask, Scalar

OptionalMask = ReferenceMask | None


@runtime_checkable
class Loss(Protocol):
    """A loss: a frozen dataclass whose fields are its weights and the class of its CAM."""

    def __call__(
        self, head: Head, features: Features, tapped: Tapped, label: Index, mask: OptionalMask
    ) -> Parts:
        """Return the parts of the loss of one image."""
        ...

    def combine(self, parts: Parts) -> Scalar:
        """Return the loss of a batch from the parts of its images."""
        ...


@dataclass(frozen=True)
class CrossEntropy:
    r"""Cross-entropy of the true class, $-\log \mathrm{softmax}(z)_y$, in nats.

    The other parts, for the predicted class, have weight 0.
    """

    def __call__(
        self, head: Head, features: Features, tapped: Tapped, label: Index, mask: OptionalMask
    ) -> Parts:
        parts = loss_parts(head, features, tapped, label, mask, "predicted")
        return weighted_sum(parts, cross_entropy=1, human=0, cam_entropy=0)

    combine = staticmethod(mean_loss)


@dataclass(frozen=True)
class CYBORG:
    r"""Cross-entropy blended with the distance of the model's CAM from a reference mask.

    $\alpha\,L_{CE} + (1 - \alpha)\,\frac{1}{mn} \sum (g - s)^2$, with $s$ the plain CAM (no ReLU,
    no bias) of `target`, scaled to [0, 1] by its own range, and g the reference mask on its grid,
    likewise scaled; the gradient flows through the features, the head and the scaling. An image
    without a reference mask has no second term. `alpha` in [0, 1]: 1 is cross-entropy, to the last
    bit. A constant CAM is all zero.

    Boyd et al. (2023), WACV, arXiv:2112.00686; `target` "predicted" as in its code, "true" as in
    the code of its follow-ups.
    """

    alpha: float = 0.5
    target: Target = "predicted"

    def __post_init__(self):
        if not 0 <= self.alpha <= 1:
            raise InputError(f"alpha is {self.alpha}: give a weight in [0, 1]")
        _check_target(self.target)

    def __call__(
        self, head: Head, features: Features, tapped: Tapped, label: Index, mask: OptionalMask
    ) -> Parts:
        parts = loss_parts(head, features, tapped, label, mask, self.target)
        return weighted_sum(parts, cross_entropy=self.alpha, human=1 - self.alpha, cam_entropy=0)

    combine = staticmethod(mean_loss)


@dataclass(frozen=True)
class ModelFocus:
    r"""Cross-entropy and the spatial entropy of the CAM, $L_{CE} + w\,H / \ln mn$: a narrow focus.

    $H = -\sum p \ln p$ with $p = s / (\sum s + 10^{-10}) + 10^{-10}$ of the CAM s of `target`, as
    in `CYBORG`. `weight` is at least 0; no value of it is published.

    After Piland, Czajka and Sweet (2023), arXiv:2303.00818, whose terms are described and not
    printed: H is that of its first author's later code, the sum that of Schoettl (2020).
    """

    weight: float = 1.0
    target: Target = "predicted"

    def __post_init__(self):
        if not self.weight >= 0:
            raise InputError(f"weight is {self.weight}: give a number of at least 0")
        _check_target(self.target)

    def __call__(
        self, head: Head, features: Features, tapped: Tapped, label: Index, mask: OptionalMask
    ) -> Parts:
        parts = loss_parts(head, features, tapped, label, mask, self.target)
        return weighted_sum(parts, cross_entropy=1, human=0, cam_entropy=self.weight)

    combine = staticmethod(mean_loss)


@dataclass(frozen=True)
class Blend:
    r"""Classification, human salience and low entropy: $a\,L_{CE} + b\,L_{human} + c\,H / \ln mn$.

    The distance from the reference mask is `CYBORG`'s and the entropy `ModelFocus`'s;
    $a + b + c = 1$, none below 0. $c = 0$ is `CYBORG`, $b = 0$ low entropy alone.

    A reconstruction: Piland, Czajka and Sweet (2023), arXiv:2303.00818, report that the three
    together do best; their formula and weights are not published, and the defaults are equal.
    """

    a: float = 1 / 3
    b: float = 1 / 3
    c: float = 1 / 3
    target: Target = "predicted"

    def __post_init__(self):
        weights = self.a, self.b, self.c
        if not (min(weights) >= 0 and abs(sum(weights) - 1) < 1e-6):
            raise InputError(f"the weights are {weights}: give three from 0 that add up to 1")
        _check_target(self.target)

    def __call__(
        self, head: Head, features: Features, tapped: Tapped, label: Index, mask: OptionalMask
    ) -> Parts:
        parts = loss_parts(head, features, tapped, label, mask, self.target)
        return weighted_sum(parts, cross_entropy=self.a, human=self.b, cam_entropy=self.c)

    combine = staticmethod(mean_loss)


@dataclass(frozen=True)
class Viser:
    r"""CYBORG whose weight follows the batch: $\alpha = L_{CE} / (L_{CE} + L_{human} + 10^{-8})$.

    Means over the batch, images without a reference mask included; the larger of the two terms has
    the larger weight. The gradient does not flow through $\alpha$. The `loss` of an image is
    that of a batch of one.

    VISER (2026), arXiv:2603.17859; whether its gradient flows through $\alpha$ is not known here.
    """

    target: Target = "predicted"

    def __post_init__(self):
        _check_target(self.target)

    def __call__(
        self, head: Head, features: Features, tapped: Tapped, label: Index, mask: OptionalMask
    ) -> Parts:
        parts = loss_parts(head, features, tapped, label, mask, self.target)
        return {"loss": self.combine(parts), **parts}

    def combine(self, parts: Parts) -> Scalar:
        """Return the blend of the two means, weighted by the means themselves."""
        cross_entropy, human = parts["cross_entropy"].mean(), parts["human"].mean()
        # With a gradient through it the blend is (c^2 + h^2) / (c + h), which falls as c grows
        # while c < (sqrt 2 - 1) h: a step would unlearn the classes to follow the reference masks.
        alpha = jax.lax.stop_gradient(cross_entropy / (cross_entropy + human + 1e-8))
        return alpha * cross_entropy + (1 - alpha) * human


LOSSES: dict[str, type[Any]] = {
    "CrossEntropy": CrossEntropy,
    "CYBORG": CYBORG,
    "ModelFocus": ModelFocus,
    "Blend": Blend,
    "Viser": Viser,
}


def _check_target(target: str) -> None:
    if target not in (known := get_args(Target)):
        raise InputError(f"target is {target!r}: choose one of {', '.join(known)}")
