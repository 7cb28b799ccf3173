"""The CAM family: published formulas in plain loops, laws on linear heads, grids of tokens."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.attribution import (
    CAM,
    EigenCAM,
    GradCAM,
    GradCAMPlusPlus,
    HiResCAM,
    LayerCAM,
    XGradCAM,
)
from salix.attribution.token_grid import patch_grid
from salix.typing import InputError, Score

KEY = jax.random.key(0)
rng = np.random.default_rng(0)
IMAGE = rng.uniform(size=(8, 6, 3)).astype(np.float32)
MIX = rng.normal(size=(3, 5)).astype(np.float32)
WEIGHTS, BIAS = rng.normal(size=5).astype(np.float32), np.float32(7)
PLACE = rng.normal(size=(4, 3, 5)).astype(np.float32)


def trunk(x):
    return jax.nn.relu(x[::2, ::2] @ MIX + np.float32(0.5))


def pooled_linear(features):
    return features.mean((0, 1)) @ WEIGHTS + BIAS


def curved(features):
    return (PLACE * features).sum() + 0.2 * (PLACE * features**2).sum()


FEATURES = np.asarray(trunk(IMAGE), np.float64)
GRADIENT = PLACE + 0.4 * PLACE * FEATURES  # of `curved`, written out
POSITIONS = list(np.ndindex(4, 3))
POOLED, CURVED = Score(pooled_linear, trunk), Score(curved, trunk)


def run(method, score):
    return np.asarray(jax.jit(partial(method, score))(IMAGE, KEY))


def weighted(weights):
    """Return sum_k w_k f_k for weights [k]."""
    out = np.zeros((4, 3, 1))
    for y, x in POSITIONS:
        out[y, x, 0] = sum(weights[k] * FEATURES[y, x, k] for k in range(5))
    return out


def plus_plus_weights():
    """Return the weights of Grad-CAM++ from the derivatives of exp(score), less that factor."""
    weights = np.zeros(5)
    for k in range(5):
        total = sum(FEATURES[p][k] for p in POSITIONS)
        for p in POSITIONS:
            first, second, third = (GRADIENT[p][k] ** n for n in (1, 2, 3))
            weights[k] += second / (2 * second + total * third) * max(first, 0)
    return weights


def xgrad_weights():
    weights = np.zeros(5)
    for k in range(5):
        total = sum(FEATURES[p][k] for p in POSITIONS)
        weights[k] = sum(FEATURES[p][k] / total * GRADIENT[p][k] for p in POSITIONS)
    return weights


def by_position(gradient):
    out = np.zeros((4, 3, 1))
    for p in POSITIONS:
        out[p][0] = sum(gradient[p][k] * FEATURES[p][k] for k in range(5))
    return out


SLOW = {
    GradCAMPlusPlus: lambda: weighted(plus_plus_weights()),
    XGradCAM: lambda: weighted(xgrad_weights()),
    HiResCAM: lambda: by_position(GRADIENT),
    LayerCAM: lambda: by_position(np.maximum(GRADIENT, 0)),
}


@pytest.mark.parametrize("method", SLOW, ids=lambda m: m.__name__)
def test_the_published_formula_in_loops(method):
    slow = SLOW[method]()
    assert slow.max() > 0.1
    np.testing.assert_allclose(run(method(relu=False), CURVED), slow, rtol=2e-5, atol=1e-5)
    positive = np.maximum(slow, 0)
    np.testing.assert_allclose(run(method(relu=True), CURVED), positive, rtol=2e-5, atol=1e-5)
    assert method().relu == (method is not HiResCAM)  # the paper's


def test_the_factor_of_grad_cam_plus_plus_follows_from_derivatives_of_the_exponential():
    """Equation 19 with the derivatives of exp(S) by automatic differentiation, S linear."""
    slope, total = 0.7, 2.3
    y = lambda f: jnp.exp(slope * f)  # noqa: E731
    second, third = (g(0.4) for g in (jax.grad(jax.grad(y)), jax.grad(jax.grad(jax.grad(y)))))
    alpha = second / (2 * second + total * third)
    np.testing.assert_allclose(alpha, slope**2 / (2 * slope**2 + total * slope**3), rtol=1e-5)


def test_a_pooled_linear_head_makes_four_methods_one():
    cam = np.asarray(run(CAM(), POOLED)) / 12
    for method in (GradCAM(relu=False), HiResCAM(), XGradCAM(relu=False)):
        np.testing.assert_allclose(run(method, POOLED), cam, rtol=1e-4, atol=1e-6)
    positive = weighted(np.maximum(WEIGHTS, 0)) / 12
    np.testing.assert_allclose(run(LayerCAM(), POOLED), positive, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", [HiResCAM(), XGradCAM(relu=False)], ids=repr)
def test_completeness_on_piecewise_linear_heads(method):
    linear = Score(lambda f: (PLACE * f).sum() + BIAS, trunk)
    np.testing.assert_allclose(
        run(method, linear).sum(), linear(IMAGE) - BIAS, rtol=1e-4, atol=1e-4
    )
    hidden = lambda f: jax.nn.relu(f.reshape(-1) @ PLACE.reshape(60, 1))  # noqa: E731
    deep = Score(lambda f: hidden(f) @ np.ones(1, np.float32) + f.sum(), trunk)
    np.testing.assert_allclose(run(method, deep).sum(), deep(IMAGE), rtol=1e-4)


def test_only_positions_that_the_head_reads_are_attributed_by_hirescam():
    reads = np.zeros((4, 3, 1), np.float32)
    reads[1, 2] = 1
    score = Score(lambda f: ((reads * f) @ WEIGHTS).sum(), trunk)
    outside = reads[..., 0] == 0
    assert np.abs(run(HiResCAM(), score))[outside].max() == 0
    assert np.abs(run(GradCAM(relu=False), score))[outside].max() > 0.01


@pytest.mark.parametrize(
    "method", [GradCAMPlusPlus(), XGradCAM(), LayerCAM(), HiResCAM()], ids=repr
)
def test_a_constant_added_to_the_score_changes_nothing(method):
    shifted = Score(lambda f: curved(f) + 3, trunk)
    np.testing.assert_allclose(run(method, shifted), run(method, CURVED), rtol=1e-5, atol=1e-5)


def test_channels_of_zeros_add_nothing():
    blank = Score(
        lambda f: curved(f[..., :5]) + f[..., 5].sum(),
        lambda x: jnp.pad(trunk(x), ((0, 0), (0, 0), (0, 1))),
    )
    for method in (GradCAMPlusPlus(), XGradCAM(), LayerCAM(), HiResCAM(), EigenCAM()):
        np.testing.assert_allclose(run(method, blank), run(method, CURVED), rtol=1e-5, atol=1e-5)


def test_features_that_cancel_have_no_xgradcam():
    score = Score(lambda f: f.sum(), lambda x: jnp.stack([jnp.ones(4), -jnp.ones(4)])[..., None])
    assert np.isnan(run(XGradCAM(), score)).any()


@pytest.mark.parametrize("grid", [(4, 3), (2, 2)], ids=["tall", "wide"])
@pytest.mark.parametrize("centred", [False, True])
def test_eigencam_is_the_first_term_of_the_singular_value_decomposition(grid, centred):
    values = rng.normal(size=(*grid, 7)).astype(np.float32) + 0.3
    flat = values.reshape(-1, 7).astype(np.float64)
    matrix = flat - flat.mean(0) if centred else flat
    _, _, v = np.linalg.svd(matrix, full_matrices=False)
    slow = matrix @ v[0]
    slow *= np.sign(slow @ np.linalg.norm(flat, axis=1))
    score = Score(lambda f: f.sum(), lambda x: jnp.asarray(values))
    out = run(EigenCAM(centred=centred), score)
    assert out.shape == (*grid, 1)
    np.testing.assert_allclose(out.reshape(-1), slow, rtol=1e-4, atol=1e-4)


def test_eigencam_of_rectified_features_is_positive_whatever_the_class():
    out = run(EigenCAM(), CURVED)
    assert out.min() >= -1e-6
    np.testing.assert_array_equal(out, run(EigenCAM(), POOLED))
    for scale in (1e-25, 1e25):  # whose squares are no float32
        scaled = Score(curved, lambda x, scale=scale: scale * trunk(x))
        np.testing.assert_allclose(run(EigenCAM(), scaled) / scale, out, rtol=1e-4, atol=1e-5)


def test_eigencam_does_not_run_the_head():
    def head(features):
        raise AssertionError

    assert EigenCAM()(Score(head, trunk), IMAGE, KEY).shape == (4, 3, 1)


@pytest.mark.parametrize(
    ("count", "space", "expected"),
    [
        (196, (224, 224), (0, (14, 14))),
        (197, (224, 224), (1, (14, 14))),
        (198, (224, 224), (2, (14, 14))),
        (261, (224, 224), (5, (16, 16))),
        (33, (32, 64), (1, (4, 8))),
        (12, (8, 6), (0, (4, 3))),
        (8, (4, 4, 4), (0, (2, 2, 2))),
        (50, (224, 224), (1, (7, 7))),
    ],
)
def test_tokens_have_the_grid_of_the_patches(count, space, expected):
    assert patch_grid(count, space) == expected


def test_tokens_that_fit_no_grid_are_refused():
    with pytest.raises(InputError, match=r"195 tokens fit no grid .* 224 x 224.*give a trunk"):
        patch_grid(195, (224, 224))


@pytest.mark.parametrize("method", [CAM(), GradCAM(), *(m() for m in SLOW), EigenCAM()], ids=repr)
def test_tokens_are_explained_as_their_grid_is(method):
    """Behind a class token the twelve patches [12 k] give the map of [4 3 k]."""
    token = np.ones((1, 5), np.float32)
    tokens = lambda x: jnp.concatenate([token, trunk(x).reshape(12, 5)])  # noqa: E731
    score = Score(lambda f: curved(f[1:].reshape(4, 3, 5)) + (f[:1] ** 2).sum(), tokens)
    np.testing.assert_allclose(run(method, score), run(method, CURVED), rtol=1e-5, atol=1e-5)
