"""Score-CAM, Ablation-CAM and Smooth Grad-CAM++: slow loops over channels, laws, few channels."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.attribution import AblationCAM, GradCAMPlusPlus, ScoreCAM, SmoothGradCAMPlusPlus
from salix.typing import InputError, Score

KEY = jax.random.key(0)
rng = np.random.default_rng(0)
IMAGE = rng.uniform(size=(8, 6, 3)).astype(np.float32)
MIX = rng.normal(size=(3, 5)).astype(np.float32)
PLACE = rng.normal(size=(4, 3, 5)).astype(np.float32)


def trunk(x):
    return jax.nn.relu(x[::2, ::2] @ MIX + np.float32(0.5))


def head(features):
    return (PLACE * features).sum() + 0.2 * (PLACE * features**2).sum() + 20


SCORE = Score(head, trunk)
score_of, head_of = jax.jit(SCORE), jax.jit(head)
FEATURES = np.asarray(trunk(IMAGE), np.float64)


def plain(method, score=SCORE, image=IMAGE, key=KEY):
    return np.asarray(jax.jit(partial(method, score))(image, key))


def enlarge(grid):
    """Linear interpolation between pixel centres, by loops; the edge is held."""
    out = np.zeros((8, 6))
    for y, x in np.ndindex(8, 6):
        at = [np.clip((i + 0.5) / 2 - 0.5, 0, n - 1) for i, n in ((y, 4), (x, 3))]
        y0, x0 = (int(a) for a in at)
        y1, x1 = min(y0 + 1, 3), min(x0 + 1, 2)
        v, u = at[0] - y0, at[1] - x0
        upper = (1 - u) * grid[y0, x0] + u * grid[y0, x1]
        lower = (1 - u) * grid[y1, x0] + u * grid[y1, x1]
        out[y, x] = (1 - v) * upper + v * lower
    return out


def confidences(fill):
    scores = []
    for k in range(5):
        wide = enlarge(FEATURES[..., k])
        mask = ((wide - wide.min()) / (wide.max() - wide.min()))[..., None]
        masked = (mask * IMAGE + (1 - mask) * fill).astype(np.float32)
        scores.append(float(score_of(masked) - score_of(np.full_like(IMAGE, fill))))
    return np.array(scores)


@pytest.mark.slow
@pytest.mark.parametrize("fill", [0.0, 0.5])
def test_scorecam_in_loops(fill):
    increase = confidences(fill)
    weights = np.exp(increase) / np.exp(increase).sum()
    slow = (weights * FEATURES).sum(-1, keepdims=True)
    for chunk in (1, 2):  # 5 channels: the last chunk is short
        out = plain(ScoreCAM(fill=fill, chunk=chunk))
        np.testing.assert_allclose(out, np.maximum(slow, 0), rtol=1e-4)
    raw = (increase * FEATURES).sum(-1, keepdims=True)
    out = plain(ScoreCAM(fill=fill, softmax=False, relu=False))
    np.testing.assert_allclose(out, raw, rtol=1e-4, atol=1e-4)


def test_scorecam_leaves_constant_maps_out():
    """A sixth channel of ones has no mask: neither weight nor influence on the other weights."""
    wide = Score(
        lambda f: head(f[..., :5]),
        lambda x: jnp.pad(trunk(x), ((0, 0), (0, 0), (0, 1)), constant_values=9),
    )
    np.testing.assert_allclose(plain(ScoreCAM(), wide), plain(ScoreCAM()), rtol=1e-5)
    flat = Score(head, lambda x: jnp.ones((4, 3, 5)))
    np.testing.assert_array_equal(plain(ScoreCAM(), flat), 0)
    np.testing.assert_array_equal(plain(ScoreCAM(softmax=False), flat), 0)


def test_scorecam_does_not_depend_on_a_constant_in_the_score_nor_overflow():
    shifted = Score(lambda f: head(f) + 1000, trunk)
    np.testing.assert_allclose(plain(ScoreCAM(), shifted), plain(ScoreCAM()), rtol=1e-3)


def test_scorecam_needs_features_on_a_grid():
    pooled = Score(lambda f: f.sum(), lambda x: trunk(x).mean((0, 1)))
    with pytest.raises(InputError, match=r"\(8, 6, 3\).*\(5,\).*give a trunk"):
        ScoreCAM()(pooled, IMAGE, KEY)


def test_ablationcam_in_loops():
    whole = float(head_of(FEATURES.astype(np.float32)))
    weights = np.zeros(5)
    for k in range(5):
        ablated = FEATURES.astype(np.float32)
        ablated[..., k] = 0
        weights[k] = (whole - float(head_of(ablated))) / whole
    slow = (weights * FEATURES).sum(-1, keepdims=True)
    for chunk in (1, 2):
        out = plain(AblationCAM(relu=False, chunk=chunk))
        np.testing.assert_allclose(out, slow, rtol=1e-4, atol=1e-6)
    against = Score(lambda f: 200 - head(f), trunk)
    assert plain(AblationCAM(relu=False), against).max() < 0
    np.testing.assert_array_equal(plain(AblationCAM(), against), 0)


def test_ablationcam_of_a_linear_head_is_the_gradient_times_the_features():
    bias = np.float32(3)
    score = Score(lambda f: (PLACE * f).sum() + bias, trunk)
    carried = (PLACE * FEATURES).sum((0, 1))
    expected = (carried * FEATURES).sum(-1, keepdims=True) / float(score(IMAGE))
    np.testing.assert_allclose(
        plain(AblationCAM(relu=False), score), expected, rtol=1e-4, atol=1e-6
    )


def test_ablationcam_of_a_score_of_zero_is_undefined():
    nothing = Score(lambda f: 0 * f.sum(), trunk)
    assert np.isnan(plain(AblationCAM(), nothing)).all()


def test_ablationcam_runs_the_trunk_once():
    calls = []

    def counted(x):
        calls.append(None)
        return trunk(x)

    AblationCAM()(Score(head, counted), IMAGE, KEY)
    assert len(calls) == 1


@pytest.mark.parametrize("method", [ScoreCAM, AblationCAM])
def test_the_channels_of_largest_variance_are_those_of_the_method_without_the_others(method):
    strong = np.argsort(-FEATURES.var((0, 1)))[:2]
    rest = np.setdiff1d(np.arange(5), strong)
    few = plain(method(channels=2, relu=False))
    if method is AblationCAM:
        whole = float(head_of(FEATURES.astype(np.float32)))
        expected = np.zeros((4, 3, 1))
        for k in strong:
            ablated = FEATURES.astype(np.float32)
            ablated[..., k] = 0
            expected[..., 0] += (whole - float(head_of(ablated))) / whole * FEATURES[..., k]
    else:
        increase = confidences(0.0)[strong]
        weights = np.exp(increase) / np.exp(increase).sum()
        expected = (weights * FEATURES[..., strong]).sum(-1, keepdims=True)
    np.testing.assert_allclose(few, expected, rtol=1e-4, atol=1e-6)
    assert len(rest) == 3
    np.testing.assert_array_equal(plain(method(channels=6)), plain(method()))
    with pytest.raises(InputError, match=rf"{method.__name__}\(channels=...\)"):
        method().passes((8, 6, 3))


def test_smooth_grad_cam_plus_plus_without_noise_is_grad_cam_plus_plus():
    smooth = plain(SmoothGradCAMPlusPlus(samples=3, noise=0, relu=False))
    np.testing.assert_allclose(smooth, plain(GradCAMPlusPlus(relu=False)), rtol=1e-4, atol=1e-5)


def test_smooth_grad_cam_plus_plus_in_loops():
    sigma = 0.3 * (IMAGE.max() - IMAGE.min())
    powers = np.zeros((3, 4, 3, 5))
    for key in jax.random.split(KEY, 4):
        noisy = IMAGE + sigma * np.asarray(jax.random.normal(key, IMAGE.shape))
        gradient = PLACE + 0.4 * PLACE * np.asarray(trunk(noisy), np.float64)
        powers += np.stack([gradient, gradient**2, gradient**3]) / 4
    weights = np.zeros(5)
    for k in range(5):
        total = FEATURES[..., k].sum()
        for p in np.ndindex(4, 3):
            first, second, third = powers[:, *p, k]
            weights[k] += second / (2 * second + total * third) * max(first, 0)
    slow = np.maximum((weights * FEATURES).sum(-1, keepdims=True), 0)
    assert slow.max() > 0.1
    out = plain(SmoothGradCAMPlusPlus(samples=4, noise=0.3))
    np.testing.assert_allclose(out, slow, rtol=1e-3, atol=1e-4)


def test_smooth_grad_cam_plus_plus_of_a_score_that_ignores_a_channel():
    blind = Score(
        lambda f: head(f[..., :5]), lambda x: jnp.concatenate([trunk(x), x[::2, ::2, :1]], -1)
    )
    method = SmoothGradCAMPlusPlus(samples=2)
    np.testing.assert_allclose(plain(method, blind), plain(method), rtol=1e-4, atol=1e-5)
