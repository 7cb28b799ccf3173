"""Losses and their gradients against torch's autograd, in float64."""

from typing import Any

import jax
import numpy as np
import pytest

from salix.train.losses import CYBORG, Blend, CrossEntropy, ModelFocus, Viser

torch: Any = pytest.importorskip("torch")

LOSSES = [
    CrossEntropy(),
    CYBORG(0.5),
    CYBORG(0.2, "true"),
    ModelFocus(0.8, "true"),
    Blend(0.2, 0.3, 0.5),
    Viser(),
]


def theirs(loss: Any, f: Any, t: Any, w: Any, b: Any, labels: Any, reference_masks: Any) -> Any:
    """The loss of a batch as a training script in torch writes it, channels first."""
    logits = f.mean((2, 3)) @ w.T + b
    chosen = labels if getattr(loss, "target", "") == "true" else logits.argmax(1)
    cam = (w[chosen][:, :, None, None] * t).sum(1)
    flat = cam.flatten(1)
    flat = flat - flat.min(1, keepdim=True).values
    flat = flat / flat.max(1, keepdim=True).values
    entropy = torch.nn.functional.cross_entropy(logits, labels)
    human = torch.nn.functional.mse_loss(flat.reshape(reference_masks.shape), reference_masks)
    p = flat / (flat.sum(1, keepdim=True) + 1e-10) + 1e-10
    spread = -(p * p.log()).sum(1).mean() / np.log(flat.shape[1])
    match loss:
        case CYBORG(alpha):
            return alpha * entropy + (1 - alpha) * human
        case ModelFocus(weight):
            return entropy + weight * spread
        case Blend(first, second, third):
            return first * entropy + second * human + third * spread
        case Viser():
            alpha = (entropy / (entropy + human + 1e-8)).detach()
            return alpha * entropy + (1 - alpha) * human
        case _:
            return entropy


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_value_and_gradients_of_a_batch(loss: Any) -> None:
    rng = np.random.default_rng(3)
    f, t = rng.normal(size=(2, 5, 7, 6, 16))
    w, b, labels = rng.normal(size=(16, 2)), rng.normal(size=2), np.arange(5) % 2
    reference_masks = rng.random((5, 7, 6))
    reference_masks -= reference_masks.min((1, 2), keepdims=True)
    reference_masks /= reference_masks.max((1, 2), keepdims=True)

    def ours(f: Any, t: Any, w: Any, b: Any) -> Any:
        def one(f: Any, t: Any, label: Any, reference_mask: Any) -> Any:
            return loss(lambda x: x.mean((0, 1)) @ w + b.reshape(2), f, t, label, reference_mask)

        return loss.combine(jax.vmap(one)(f, t, labels, reference_masks))

    with jax.enable_x64(True):
        value, gradients = jax.jit(jax.value_and_grad(ours, (0, 1, 2, 3)))(f, t, w, b)
    tensors = [torch.tensor(a, requires_grad=True) for a in (f, t, w, b)]
    first, tapped = (a.permute(0, 3, 1, 2) for a in tensors[:2])
    expected = theirs(
        loss,
        first,
        tapped,
        tensors[2].T,
        tensors[3],
        torch.tensor(labels),
        torch.tensor(reference_masks),
    )
    slopes = torch.autograd.grad(expected, tensors, allow_unused=True, materialize_grads=True)
    assert value == pytest.approx(expected.item(), rel=1e-12)
    for ours_, theirs_ in zip(gradients, slopes, strict=True):
        np.testing.assert_allclose(ours_, theirs_.numpy(), rtol=1e-9, atol=1e-14)
