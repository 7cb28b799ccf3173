"""Loss of TP-GAN's generator, with the weights as published and as released."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
from jaxtyping import Float

from salix.hyperparameters import check_fields, number
from salix.models.tpgan import Synthesis
from salix.nn import avg_pool
from salix.studies.frontal.loss_terms import (
    Adversarial,
    Reduction,
    adversarial_loss,
    class_loss,
    identity_loss,
    laplacian,
    pixel_loss,
    symmetry_loss,
    total_variation,
)
from salix.typing import AnyArray, InputError, Scalar

Sized = Float[AnyArray, "b _ _ c"]  # images of several sizes
NOT_NEGATIVE = number(lambda n: n >= 0, remedy="give a number of at least 0")


@dataclass(frozen=True)
class FrontalLoss:
    """Weights of the terms of TP-GAN's generator, and the forms of its terms.

    `scales` are the weights of the pixel loss at full, half and quarter size; `local` that of the
    patches, `symmetry` of pixels and their Laplacian, `identity` of the recogniser's features and
    `classes` of the cross-entropy of identities. `reduction` is over pixels. A weight of 0 leaves
    a term out. Total variation is always a sum.

    `PUBLISHED`: Huang et al. (2017), arXiv:1704.04086, sec. 3.2; the four weights are confirmed by
    ports, that of the classes is recalled, equal weights of scales are reconstructed. `RELEASED`:
    weights and forms of the released code.
    """

    scales: tuple[float, float, float] = (1.0, 1.0, 1.0)
    local: float = 1.0
    symmetry: float = 0.3
    adversarial: float = 1e-3
    identity: float = 3e-3
    variation: float = 1e-4
    classes: float = 1e-3
    reduction: Reduction = "mean"
    stopped: bool = False
    kind: Adversarial = "minimax"

    def __post_init__(self) -> None:
        terms = {f.name: NOT_NEGATIVE for f in fields(self) if f.type is float}
        check_fields(self, **terms)
        if len(self.scales) != 3 or min(self.scales) < 0:
            raise InputError(f"scales are {self.scales}: give three weights of at least 0")
        if self.kind not in ("minimax", "smoothed", "hinge"):
            raise InputError(f"kind is {self.kind!r}: give minimax, smoothed or hinge")

    def weights(self) -> dict[str, float]:
        """Return the weights of the terms by name, that of pixels is 1."""
        names = ("local", "symmetry", "adversarial", "identity", "variation", "classes")
        return {"pixel": 1.0, **{name: getattr(self, name) for name in names}}

    def symmetry_terms(self, images: Sequence[Sized]) -> Scalar:
        """Return the symmetry losses of images at full, half and quarter size.

        As released the full size is pooled by 2, and the others have their Laplacian as channels.
        """
        if not self.stopped:
            both = [(image, laplacian(image)) for image in images]
            return sum(
                (symmetry_loss(x, self.reduction) for pair in both for x in pair),
                start=jnp.zeros((), jnp.float32),
            )
        full, *rest = map(jnp.asarray, images)
        total = symmetry_loss(avg_pool(full, 2, 2), self.reduction, stopped=True)
        for image in rest:
            beside = jnp.concatenate([image, laplacian(image)], -1)
            total += symmetry_loss(beside, self.reduction, stopped=True)
        return total

    def terms(
        self,
        synthesis: Synthesis,
        targets: Sequence[Sized],
        local_targets: Sequence[Sized],
        labels: AnyArray,
        logits: AnyArray,
        features: tuple[AnyArray, AnyArray],
        target_features: tuple[AnyArray, AnyArray],
    ) -> dict[str, Scalar]:
        """Return the terms by name; `targets` are at full, half and quarter size.

        `logits` are the discriminator's of the synthesis, `features` the recogniser's. The local
        term is 0 without pathways. The loss is `weighted_loss` of the terms.
        """
        zero: Any = jnp.zeros((), jnp.float32)
        scales = zip(self.scales, synthesis.images, targets, strict=True)
        pairs = list(zip(synthesis.locals, local_targets, strict=False))
        return {
            "pixel": sum((w * pixel_loss(i, t, self.reduction) for w, i, t in scales), start=zero),
            "local": sum((pixel_loss(i, t, self.reduction) for i, t in pairs), start=zero),
            "symmetry": self.symmetry_terms(synthesis.images),
            "variation": total_variation(synthesis.images[0]),
            "classes": class_loss(synthesis.identity, labels),
            "adversarial": adversarial_loss(logits, self.kind),
            "identity": identity_loss(features, target_features, self.reduction),
        }


def weighted_loss(terms: Mapping[str, Any], weights: Mapping[str, Any]) -> Scalar:
    """Return the sum of terms times their weights, which may be traced: one program for all."""
    return sum((weights[name] * terms[name] for name in sorted(terms)), start=jnp.zeros(()))


PUBLISHED = FrontalLoss()
RELEASED = FrontalLoss(
    scales=(1.0, 1.0, 1.5),
    local=3.0,
    adversarial=20.0,
    identity=40.0,
    variation=1e-3,
    classes=10.0,
    reduction="sum",
    stopped=True,
    kind="smoothed",
)
LOSSES: Mapping[str, FrontalLoss] = MappingProxyType({"published": PUBLISHED, "released": RELEASED})
