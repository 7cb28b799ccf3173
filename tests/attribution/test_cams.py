"""CAM and Grad-CAM: published forms for pooled linear heads, plain loops for others."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.attribution import CAM, GradCAM, Gradient
from salix.typing import Score

KEY = jax.random.key(0)
rng = np.random.default_rng(0)
IMAGE = rng.uniform(size=(8, 6, 3)).astype(np.float32)
MIX = rng.normal(size=(3, 5)).astype(np.float32)
WEIGHTS, BIAS = rng.normal(size=5).astype(np.float32), np.float32(7)


def trunk(x):
    return jnp.sin(3 * x[::2, ::2] @ MIX)


def pooled_linear(features):
    return features.mean((0, 1)) @ WEIGHTS + BIAS


def plain_cam():
    features = np.asarray(trunk(IMAGE))
    out = np.zeros((4, 3, 1), np.float32)
    for y, x in np.ndindex(4, 3):
        out[y, x, 0] = sum(WEIGHTS[k] * features[y, x, k] for k in range(5))
    return out


def test_cam_of_a_pooled_linear_head_is_the_class_weights_times_features():
    np.testing.assert_allclose(
        CAM()(Score(pooled_linear, trunk), IMAGE, KEY), plain_cam(), rtol=1e-4, atol=1e-5
    )
    assert plain_cam().min() < -0.1  # it is signed: no ReLU hides in it


def test_cam_averages_to_the_logit_without_its_bias():
    score = Score(pooled_linear, trunk)
    np.testing.assert_allclose(CAM()(score, IMAGE, KEY).mean(), score(IMAGE) - BIAS, atol=1e-4)


def test_gradcam_is_the_positive_part_of_cam_over_the_grid():
    score = Score(pooled_linear, trunk)
    cam = plain_cam() / 12
    np.testing.assert_allclose(
        GradCAM()(score, IMAGE, KEY), np.maximum(cam, 0), rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(GradCAM(relu=False)(score, IMAGE, KEY), cam, rtol=1e-4, atol=1e-6)


def test_the_gradient_before_a_relu_counts_active_positions_only():
    features = np.maximum(np.asarray(trunk(IMAGE)), 0)
    active = (features > 0).mean((0, 1))  # the share of positions of each channel
    assert 0 < active.min() < active.max() < 1
    expected = np.maximum((WEIGHTS * active / 12 * features).sum(-1, keepdims=True), 0)
    score = Score(pooled_linear, lambda x: jax.nn.relu(trunk(x)))
    actual = GradCAM(before_relu=True)(score, IMAGE, KEY)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-6)
    assert np.abs(GradCAM()(score, IMAGE, KEY) - expected).max() > 0.01


def test_another_head_is_linearised():
    place = rng.normal(size=(4, 3, 5)).astype(np.float32)
    features = np.asarray(trunk(IMAGE))
    gradient = 2 * features * place  # of sum place f^2, written out
    slow = np.einsum("yxk,k->yx", features, gradient.sum((0, 1)))[..., None]
    score = Score(lambda f: (place * f**2).sum(), trunk)
    np.testing.assert_allclose(CAM()(score, IMAGE, KEY), slow, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        GradCAM()(score, IMAGE, KEY), np.maximum(slow / 12, 0), rtol=1e-4, atol=1e-5
    )


def test_a_map_against_which_everything_speaks_is_zero():
    score = Score(lambda f: -(f**2).mean(), trunk)
    against = Score(lambda f: -f.mean(), lambda x: jnp.abs(trunk(x)))
    assert np.abs(GradCAM(relu=False)(score, IMAGE, KEY)).max() > 0
    np.testing.assert_array_equal(GradCAM()(against, IMAGE, KEY), 0)


@pytest.mark.parametrize("method", [CAM(), GradCAM()], ids=repr)
def test_the_trunk_runs_once_and_is_not_differentiated(method):
    calls = []

    def loop(x):  # XLA cannot reverse a while loop: a gradient through it raises
        calls.append(None)
        return jax.lax.while_loop(lambda c: c.sum() < 100, lambda c: c * 2, x)

    score = Score(lambda f: f.mean((0, 1)).sum(), loop)
    assert method(score, IMAGE, KEY).shape == (8, 6, 1)
    assert len(calls) == 1
    with pytest.raises(ValueError, match="while_loop"):
        Gradient()(score, IMAGE, KEY)


@pytest.mark.parametrize("method", [CAM(), GradCAM()], ids=repr)
def test_features_without_a_grid_give_one_value(method):
    score = Score(lambda f: f @ WEIGHTS, lambda x: trunk(x).mean((0, 1)))
    features = np.asarray(trunk(IMAGE).mean((0, 1)))
    expected = float(features @ WEIGHTS)
    expected = max(expected, 0.0) if isinstance(method, GradCAM) else expected
    np.testing.assert_allclose(method(score, IMAGE, KEY), [expected], rtol=1e-5)
