"""Terms of TP-GAN's losses as functions of batches."""

from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.nn.conv import conv
from salix.typing import AnyArray, Scalar

ImageBatch = Float[AnyArray, "b h w c"]
Adversarial = Literal["minimax", "smoothed", "hinge"]
Reduction = Literal["mean", "sum"]


def reduce_pixels(values: ImageBatch, reduction: Reduction) -> Scalar:
    """Return the mean over batch and channels of the mean, or the sum, over pixels."""
    mean = values.mean()
    return mean if reduction == "mean" else mean * (values.shape[1] * values.shape[2])


def pixel_loss(images: ImageBatch, targets: ImageBatch, reduction: Reduction = "mean") -> Scalar:
    """Return the absolute difference of images and targets."""
    return reduce_pixels(jnp.abs(jnp.asarray(images) - targets), reduction)


def laplacian(images: ImageBatch) -> Float[Array, "b h w c"]:
    """Return the sum of 8 neighbours less 8 times the pixel, for each channel, 0 beyond the edge.

    The released code names 8 neighbours; the edge is reconstructed.
    """
    images = jnp.asarray(images)
    kernel = jnp.ones((3, 3), images.dtype).at[1, 1].set(-8)
    channels = images.shape[-1]
    return conv(images, jnp.tile(kernel[..., None, None], (1, 1, 1, channels)), groups=channels)


def symmetry_loss(
    images: ImageBatch, reduction: Reduction = "mean", *, stopped: bool = False
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


def total_variation(images: ImageBatch) -> Scalar:
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
