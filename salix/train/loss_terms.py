"""The parts of a training loss: cross-entropy, and what it sees of a model's salience."""

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


def measured(
    head: Head,
    features: Features,
    tapped: Tapped,
    label: Index,
    reference_mask: ReferenceMask | None,
    target: Target,
) -> Parts:
    """Return the parts of any loss of one image, but for `loss`: see `salix.train.losses`."""
    logits, pull = jax.vjp(head, features)
    chosen = label if target == "true" else jnp.argmax(logits)
    (weights,) = pull(jax.nn.one_hot(chosen, logits.size, dtype=logits.dtype))
    cam = class_map(weights, tapped)
    human, guided = distance(cam, reference_mask)
    return {
        "cross_entropy": -jax.nn.log_softmax(as_float(logits))[label],
        "human": human,
        "cam_entropy": spread(cam),
        "guided": guided.astype(cam.dtype),
        "logits": logits,
    }


def weighed(parts: Parts, cross_entropy: float, human: float, cam_entropy: float) -> Parts:
    """Return the parts with their weighed sum as `loss`."""
    weights = {"cross_entropy": cross_entropy, "human": human, "cam_entropy": cam_entropy}
    # A term of weight 0 is left out: its gradient would be computed, and might be NaN.
    terms = [weight * parts[name] for name, weight in weights.items() if weight]
    return {"loss": sum(terms), **parts}


def mean(parts: Parts) -> Scalar:
    """Return the loss of a batch: the mean of its images' totals."""
    return parts["loss"].mean()


def class_map(weights: Features, tapped: Tapped) -> Map:
    r"""Return the CAM, $\sum_k w_k f_k$ with $w_k = \sum_{cells} \partial z_c / \partial F_k$.

    `weights` is that derivative of the class's logit by the head's features F, before its sum over
    cells: for a head of global average pooling and a linear layer the sum is the layer's weights.
    `tapped` is f. No bias, no ReLU; scaled to [0, 1] by its own range. The derivative flows through
    all of it, least and greatest values included. One without contrast counts as zeros.

    Raises `InputError` where f has other channels than F.
    """
    if weights.shape[-1] != tapped.shape[-1]:
        raise InputError(
            f"the head weighs {weights.shape[-1]} channels and the tap has {tapped.shape[-1]}: tap "
            "features of as many channels as the trunk returns"
        )
    summed = as_float(weights).sum(tuple(range(weights.ndim - 1)))
    return scale(as_float(tapped) @ summed)[0]


def distance(cam: Map, reference_mask: ReferenceMask | None) -> tuple[Scalar, Flag]:
    r"""Return $\frac{1}{mn} \sum (g - s)^2$ of reference mask and CAM, in [0, 1], and whether it is defined.

    The reference mask is resized to the CAM's grid, linearly and antialiased, and then scaled to [0, 1] by
    its own range, as published. Where it has no contrast, or is None, the distance is 0.

    Raises `InputError` for a reference mask of another number of axes.
    """
    if reference_mask is None:
        return jnp.zeros((), cam.dtype), jnp.array(False)
    marked = as_float(reference_mask).astype(cam.dtype)
    if marked.ndim != cam.ndim:
        raise InputError(f"a reference mask of shape {marked.shape} for a CAM of shape {cam.shape}")
    small, constant_map = scale(jax.image.resize(marked, cam.shape, "linear", antialias=True))
    # Resizing leaves rounding on a constant reference mask, which its own range would blow up.
    defined = (marked.max() > marked.min()) & ~constant_map
    return jnp.where(defined, jnp.square(small - cam).mean(), 0), defined


def spread(cam: Map) -> Scalar:
    r"""Return the spatial entropy, $-\sum p \ln p / \ln mn$ with $p = s / (\sum s + e) + e$.

    $e = 10^{-10}$. In [0, 1]: 0 where one cell holds everything, and for a CAM without contrast or
    of a single cell; 1 where all cells hold the same.
    """
    if cam.size == 1:
        return jnp.zeros((), cam.dtype)
    p = cam / (cam.sum() + 1e-10) + 1e-10
    return -(p * jnp.log(p)).sum() / math.log(cam.size)
