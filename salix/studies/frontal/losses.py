"""Losses of TP-GAN, with the weights as published and as released."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.hyperparameters import check_fields, number
from salix.models.tpgan import Synthesis
from salix.nn import avg_pool
from salix.nn.conv import conv
from salix.typing import AnyArray, InputError, Scalar

Images = Float[AnyArray, "b h w c"]
Adversarial = Literal["minimax", "smoothed", "hinge"]
Reduction = Literal["mean", "sum"]
NOT_NEGATIVE = number(lambda n: n >= 0, remedy="give a number of at least 0")


def reduce_pixels(values: Images, reduction: Reduction) -> Scalar:
    """Return the mean over batch and channels of the mean, or the sum, over pixels."""
    mean = values.mean()
    return mean if reduction == "mean" else mean * (values.shape[1] * values.shape[2])


def pixel_loss(images: Images, targets: Images, reduction: Reduction = "mean") -> Scalar:
    """Return the absolute difference of images and targets."""
    return reduce_pixels(jnp.abs(jnp.asarray(images) - targets), reduction)


def laplacian(images: Images) -> Float[Array, "b h w c"]:
    """Return the sum of 8 neighbours less 8 times the pixel, for each channel, 0 beyond the edge.

    The released code names 8 neighbours; the edge is reconstructed.
    """
    images = jnp.asarray(images)
    kernel = jnp.ones((3, 3), images.dtype).at[1, 1].set(-8)
    channels = images.shape[-1]
    return conv(images, jnp.tile(kernel[..., None, None], (1, 1, 1, channels)), groups=channels)


def symmetry_loss(
    images: Images, reduction: Reduction = "mean", *, stopped: bool = False
) -> Scalar:
    r"""Return $\frac{2}{W H}\sum_{x \le W/2, y} |I(x, y) - I(W - x + 1, y)|$, mean over channels.

    With `stopped` the left half is constant, so that only the right one is drawn to it, as in the
    released code. With "sum" the mean over pixels is a sum.
    """
    images = jnp.asarray(images)
    half = images.shape[2] // 2
    left, right = images[:, :, :half], images[:, :, ::-1][:, :, :half]
    left = jax.lax.stop_gradient(left) if stopped else left
    return reduce_pixels(jnp.abs(left - right), reduction)


def total_variation(images: Images) -> Scalar:
    """Return the sum over pixels of |dx| + |dy|, mean over batch and channels.

    Its reduction over batch and channels is reconstructed.
    """
    images = jnp.asarray(images)
    dx, dy = jnp.diff(images, axis=2), jnp.diff(images, axis=1)
    count = images.shape[0] * images.shape[3]
    return (jnp.abs(dx).sum() + jnp.abs(dy).sum()) / count


def sigmoid_cross_entropy(logits: AnyArray, target: float) -> Scalar:
    """Return the mean of -t log s(z) - (1 - t) log(1 - s(z)), in nats."""
    logits = jnp.asarray(logits)
    return (jax.nn.softplus(logits) - target * logits).mean()


def discriminator_loss(real: AnyArray, fake: AnyArray, kind: Adversarial = "minimax") -> Scalar:
    r"""Return the loss of a discriminator from its logits.

    "minimax": $-\log D(x) - \log(1 - D(G))$; "smoothed": the same with a target of 0.9 for
    photographs, as released; "hinge": $\max(0, 1 - z) + \max(0, 1 + z_G)$.
    """
    if kind == "hinge":
        return jax.nn.relu(1 - jnp.asarray(real)).mean() + jax.nn.relu(1 + jnp.asarray(fake)).mean()
    target = 0.9 if kind == "smoothed" else 1.0
    return sigmoid_cross_entropy(real, target) + sigmoid_cross_entropy(fake, 0.0)


def adversarial_loss(fake: AnyArray, kind: Adversarial = "minimax") -> Scalar:
    r"""Return the loss of a generator from the discriminator's logits: $-\log D(G)$, or $-z_G$.

    With "smoothed" the target is 0.9, as released.
    """
    if kind == "hinge":
        return -jnp.asarray(fake).mean()
    return sigmoid_cross_entropy(fake, 0.9 if kind == "smoothed" else 1.0)


def identity_loss(
    features: tuple[AnyArray, AnyArray],
    targets: tuple[AnyArray, AnyArray],
    reduction: Reduction = "mean",
) -> Scalar:
    """Return the absolute difference of a recogniser's last maps plus that of its embeddings.

    The features are (maps [b h w k], embeddings [b d]) of images and of their targets.
    """
    maps = jnp.abs(jnp.asarray(features[0]) - targets[0])
    embeddings = jnp.abs(jnp.asarray(features[1]) - targets[1])
    return reduce_pixels(maps, reduction) + embeddings.mean()


def class_loss(logits: Float[AnyArray, "b k"], labels: AnyArray) -> Scalar:
    """Return the cross-entropy of identities, in nats; 0 without identities."""
    if not logits.shape[-1]:
        return jnp.zeros((), jnp.float32)
    log_p = jax.nn.log_softmax(logits)
    return -jnp.take_along_axis(log_p, jnp.asarray(labels)[:, None], axis=-1).mean()


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

    def symmetry_terms(self, images: Sequence[Images]) -> Scalar:
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
        targets: Sequence[Images],
        local_targets: Sequence[Images],
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
