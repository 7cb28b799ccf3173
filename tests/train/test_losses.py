"""The CYBORG loss and its gradient against an independent float64 version."""

import jax
import numpy as np
import pytest
from scipy.special import log_softmax

from salix.spec import parse
from salix.train import CYBORG, LOSSES, CrossEntropy
from salix.typing import InputError

rng = np.random.default_rng(0)
F, W, B = rng.normal(size=(4, 5, 3)), rng.normal(size=(3, 2)), rng.normal(size=2)
GUIDE = rng.random((4, 5))


def slow(f, w, b, label, guide, alpha, target):
    """The loss written out in NumPy from the published formula."""
    logits = np.array([sum(f[..., k].mean() * w[k, c] for k in range(3)) + b[c] for c in (0, 1)])
    chosen = label if target == "true" else int(np.argmax(logits))
    cam = sum(w[k, chosen] * f[..., k] for k in range(3))
    cam = cam - cam.min()
    cam = cam / cam.max()
    return -alpha * log_softmax(logits)[label] + (1 - alpha) * ((guide - cam) ** 2).mean()


def fast(f, w, b, label, guide, loss):
    return loss(lambda x: x.mean((0, 1)) @ w + b, f, np.int32(label), guide)


@pytest.mark.parametrize("target", ["true", "predicted"])
@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.8])
def test_cyborg_and_its_gradient(alpha, label, target):
    with jax.enable_x64():
        loss = CYBORG(alpha, target)
        value, gradients = jax.value_and_grad(fast, (0, 1, 2))(F, W, B, label, GUIDE, loss)
        assert value == pytest.approx(slow(F, W, B, label, GUIDE, alpha, target), rel=1e-12)
        for which, found in enumerate(gradients):
            for at in list(np.ndindex(found.shape))[:12]:
                moved = []
                for step in (1e-6, -1e-6):
                    args = [F.copy(), W.copy(), B.copy()]
                    args[which][at] += step
                    moved.append(slow(*args, label, GUIDE, alpha, target))
                assert found[at] == pytest.approx((moved[0] - moved[1]) / 2e-6, abs=1e-7)


def test_alpha_one_is_cross_entropy_bit_for_bit():
    arguments = [a.astype(np.float32) for a in (F, W, B)]
    guide = GUIDE.astype(np.float32)
    one, plain = (fast(*arguments, 1, guide, loss) for loss in (CYBORG(1.0), CrossEntropy()))
    assert one == plain
    logits = F.mean((0, 1)) @ W + B
    assert plain == pytest.approx(-log_softmax(logits)[1], rel=1e-5)


def test_an_image_without_a_guide_has_no_second_term():
    arguments = [a.astype(np.float32) for a in (F, W, B)]
    nothing = np.zeros((4, 5), np.float32)
    half = fast(*arguments, 1, nothing, CYBORG(0.5))
    assert half == pytest.approx(0.5 * float(fast(*arguments, 1, nothing, CrossEntropy())))


def test_a_flat_map_has_a_finite_gradient():
    flat = np.ones((4, 5, 3), np.float32)
    w, b, guide = W.astype(np.float32), B.astype(np.float32), GUIDE.astype(np.float32)
    value, gradient = jax.value_and_grad(fast)(flat, w, b, 1, guide, CYBORG(0.5))
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_losses_are_read_from_their_own_words():
    loss = CYBORG(alpha=0.25, target="true")
    assert parse(repr(loss), LOSSES) == loss
    with pytest.raises(InputError, match="alpha is 2"):
        CYBORG(2)
