"""PAIR's saliency package, run on a network in PyTorch, against ours.

Its values of guided integrated gradients, which do not run with NumPy 2.4, of XRAI and of
performance information curves are stored (`test_paths.py`, `test_xrai.py`, `test_pic.py`).
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pair = pytest.importorskip("saliency.core")

from salix.attribution import (  # noqa: E402
    BlurIG,
    GradCAM,
    Gradient,
    IntegratedGradients,
    Occlusion,
    SmoothGrad,
)
from salix.typing import Score  # noqa: E402

KEY = jax.random.key(0)
rng = np.random.default_rng(0)
KERNEL, LINEAR = rng.normal(size=(6, 3, 3, 3)), rng.normal(size=6)
IMAGE = rng.uniform(size=(9, 8, 3))


def model(images, call_model_args=None, expected_keys=None):
    """Score of tanh² features, their values and both gradients, as PAIR asks for them."""
    x = torch.tensor(np.moveaxis(images, -1, 1), requires_grad=True)
    features = torch.nn.functional.conv2d(x, torch.tensor(KERNEL), stride=2)
    score = features.tanh().square().mean((2, 3)) @ torch.tensor(LINEAR)
    by_image, by_features = torch.autograd.grad(score.sum(), (x, features))
    last = lambda t: np.moveaxis(t.detach().numpy(), 1, -1)  # noqa: E731
    return {
        pair.base.OUTPUT_LAYER_VALUES: score.detach().numpy(),
        pair.base.INPUT_OUTPUT_GRADIENTS: last(by_image),
        pair.base.CONVOLUTION_LAYER_VALUES: last(features),
        pair.base.CONVOLUTION_OUTPUT_GRADIENTS: last(by_features),
    }


def ours(method):
    def trunk(x):
        dims = ("NHWC", "OIHW", "NHWC")
        return jax.lax.conv_general_dilated(
            x[None], jnp.asarray(KERNEL), (2, 2), "VALID", dimension_numbers=dims
        )[0]

    with jax.enable_x64(True):
        score = Score(lambda f: jnp.asarray(LINEAR) @ (jnp.tanh(f) ** 2).mean((0, 1)), trunk)
        return np.asarray(jax.jit(lambda x: method(score, x, KEY))(jnp.asarray(IMAGE)))


def check(mine, theirs):
    assert np.abs(theirs).max() > 1e-3
    np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-7)  # it sums in single precision


def test_gradient():
    check(ours(Gradient()), pair.GradientSaliency().GetMask(IMAGE, model))


def test_smoothgrad_is_by_default_that_of_squares():
    state = np.random.get_state()
    np.random.seed(0)
    theirs = pair.GradientSaliency().GetSmoothedMask(IMAGE, model, stdev_spread=0.1, nsamples=3000)
    np.random.set_state(state)
    mine = ours(SmoothGrad(samples=3000, noise=0.1, square=True))
    np.testing.assert_allclose(mine, theirs, atol=0.06 * theirs.max())


def test_integrated_gradients_weigh_both_ends_in_full():
    """Its mean over n nodes is n - 1 steps of the trapezoid and half of both ends, over n."""
    n = 7
    theirs = pair.IntegratedGradients().GetMask(IMAGE, model, x_baseline=0 * IMAGE, x_steps=n)
    gradient = lambda x: model(x[None])[pair.base.INPUT_OUTPUT_GRADIENTS][0]  # noqa: E731
    ends = IMAGE * (gradient(0 * IMAGE) + gradient(IMAGE)) / 2
    mine = ours(IntegratedGradients(0.0, n, "trapezoid"))
    check(((n - 1) * mine + ends) / n, theirs)
    change = np.diff(model(np.stack([0 * IMAGE, IMAGE]))[pair.base.OUTPUT_LAYER_VALUES])
    assert abs(mine.sum() - change) < abs(theirs.sum() - change)


def test_occlusion_is_the_sum_over_the_windows_that_fit():
    theirs = pair.Occlusion().GetMask(IMAGE, model, size=3, value=0.25)
    check(ours(Occlusion(3, 1, 0.25, combine="sum")).repeat(3, -1), theirs)


def test_gradcam():
    theirs = pair.GradCam().GetMask(IMAGE, model, should_resize=False, three_dims=False)
    check(ours(GradCAM())[..., 0], theirs)


def test_blur_integrated_gradients():
    theirs = pair.BlurIG().GetMask(IMAGE, model, max_sigma=5, steps=8)
    check(ours(BlurIG(5, 8)), theirs)
