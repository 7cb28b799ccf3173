"""Terms of a training loss: cross-entropy, distance of the CAM to a mask, entropy of the CAM."""

import math
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp

from salix.metrics import scale
from salix.metrics.inputs import as_float
from salix.model import Tapped
from salix.typing import Features, Flag, Index, InputError, Logits, Map, ReferenceMask, Scalar

Head = Callable[[Features], Logits]
Parts = dict[str, Any]
Target = Literal["predicted", "true"]


def loss_parts(
    head: Head,
    features: Features,
    tapped: Tapped,
    label: Index,
    reference_mask: ReferenceMask | None,
    target: Target,
) -> Parts:
    """Return the parts of the loss of one image except `loss`: see `salix.train.losses`."""
    logits, pull = jax.vjp(head, features)
    index = label if target == "true" else jnp.argmax(logits)
    (weights,) = pull(jax.nn.one_hot(index, logits.size, dtype=logits.dtype))
    cam = class_activation_map(weights, tapped)
    human, usable = map_distance(cam, reference_mask)
    return {
        "cross_entropy": -jax.nn.log_softmax(as_float(logits))[label],
        "human": human,
        "cam_entropy": map_entropy(cam),
        "has_reference_mask": usable.astype(cam.dtype),
        "logits": logits,
    }


def weighted_sum(parts: Parts, *, cross_entropy: float, human: float, cam_entropy: float) -> Parts:
    """Return the parts with their weighted sum as `loss`."""
    weights = {"cross_entropy": cross_entropy, "human": human, "cam_entropy": cam_entropy}
    # A term of weight 0 is left out: its gradient would be computed, and might be NaN.
    terms = [weight * parts[name] for name, weight in weights.items() if weight]
    return {"loss": sum(terms), **parts}


def mean_loss(parts: Parts) -> Scalar:
    """Return the loss of a batch, the mean of its images' losses."""
    return parts["loss"].mean()


def class_activation_map(weights: Features, tapped: Tapped) -> Map:
    r"""Return the CAM, $\sum_k w_k f_k$ with $w_k = \sum_{ij} \partial z_c / \partial F_{ijk}$.

    `weights` is that derivative of the class's logit with respect to the head's features F, before
    its sum over grid positions: for a head of global average pooling and a linear layer the sum is
    the layer's weights. `tapped` is f. No bias, no ReLU; scaled to [0, 1] by its own range, with
    gradients through its minimum and maximum. A constant map is all zero.

    Raises `InputError` where f has other channels than F.
    """
    if weights.shape[-1] != tapped.shape[-1]:
        raise InputError(
            f"the head has weights for {weights.shape[-1]} channels and the tap has "
            f"{tapped.shape[-1]}: tap features with as many channels as the trunk returns"
        )
    summed = as_float(weights).sum(tuple(range(weights.ndim - 1)))
    return scale(as_float(tapped) @ summed)[0]


def map_distance(cam: Map, reference_mask: ReferenceMask | None) -> tuple[Scalar, Flag]:
    r"""Return $\frac{1}{mn} \sum (g - s)^2$ of mask and CAM, in [0, 1], and whether it is defined.

    The reference mask is resized to the CAM's grid, linearly and antialiased, and then scaled to
    [0, 1] by its own range, as published. Where it is constant, or None, the distance is 0.

    Raises `InputError` for a reference mask with another number of axes.
    """
    if reference_mask is None:
        return jnp.zeros((), cam.dtype), jnp.array(False)
    mask = as_float(reference_mask).astype(cam.dtype)
    if mask.ndim != cam.ndim:
        raise InputError(f"a reference mask of shape {mask.shape} for a CAM of shape {cam.shape}")
    resized, constant = scale(jax.image.resize(mask, cam.shape, "linear", antialias=True))
    # Resizing leaves rounding errors on a constant mask, which scaling by its range would amplify.
    defined = (mask.max() > mask.min()) & ~constant
    return jnp.where(defined, jnp.square(resized - cam).mean(), 0), defined


def map_entropy(cam: Map) -> Scalar:
    r"""Return the spatial entropy, $-\sum p \ln p / \ln mn$ with $p = s / (\sum s + e) + e$.

    $e = 10^{-10}$. In [0, 1]: 0 for all salience at one grid position, for a constant map and for
    a single grid position; 1 for equal salience everywhere.
    """
    if cam.size == 1:
        return jnp.zeros((), cam.dtype)
    p = cam / (cam.sum() + 1e-10) + 1e-10
    return -(p * jnp.log(p)).sum() / math.log(cam.size)
