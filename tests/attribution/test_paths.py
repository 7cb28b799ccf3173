"""Guided and blur integrated gradients beside PAIR's package, SciPy and slow NumPy versions."""

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from salix.attribution import BlurIG, GuidedIG, completeness_residual
from salix.typing import InputError, Score

KEY = jax.random.key(0)
ROOT = Path(__file__).parents[2]
PAIR = SimpleNamespace(**run_path(str(ROOT / "benchmarks/peers/path_reference.py")))
REFERENCE = np.load(Path(__file__).parent / "pair_paths.npz")
IMAGE, WEIGHTS = PAIR.image(), PAIR.weights()


def score(x):
    return jnp.tanh((WEIGHTS.astype(x.dtype) * jnp.sin(2 * x)).sum() / 5)


def explain(method, function=score, image=IMAGE):
    with jax.enable_x64(True):
        return np.asarray(jax.jit(lambda x: method(function, x, KEY))(jnp.asarray(image)))


def residual(method, function=score, image=IMAGE):
    with jax.enable_x64(True):
        image = jnp.asarray(image)
        off = lambda x: completeness_residual(method, function, x, method(function, x, KEY))  # noqa: E731
        return float(jax.jit(off)(image))


def test_the_formula_is_the_gradient():
    with jax.enable_x64(True):
        np.testing.assert_allclose(jax.grad(score)(IMAGE), PAIR.gradient(IMAGE), rtol=1e-10)


@pytest.mark.parametrize("name", PAIR.GUIDED)
def test_guided_is_that_of_pair(name):
    expected = REFERENCE[f"guided {name}"]
    np.testing.assert_allclose(explain(GuidedIG(**PAIR.GUIDED[name])), expected, atol=1e-10)


@pytest.mark.parametrize("name", PAIR.BLUR)
def test_blur_is_that_of_pair(name):
    expected = REFERENCE[f"blur {name}"]
    np.testing.assert_allclose(explain(BlurIG(**PAIR.BLUR[name])), expected, atol=1e-10)


def test_single_precision_is_close():
    for method, name in ((GuidedIG(), "guided default"), (BlurIG(), "blur default")):
        image = IMAGE.astype(np.float32)
        out = np.asarray(jax.jit(lambda x, m=method: m(score, x, KEY))(image))
        assert out.dtype == np.float32
        expected = REFERENCE[name]
        # A rounded tie may send a feature along another way.
        assert np.corrcoef(out.ravel(), expected.ravel())[0, 1] > 0.9999
        assert out.sum() == pytest.approx(expected.sum(), abs=1e-4 * np.abs(expected).sum())


def test_straight_paths_are_left_endpoints_of_integrated_gradients():
    slow = np.mean([IMAGE * PAIR.gradient(IMAGE * j / 20) for j in range(20)], 0)
    for options in ({"max_distance": 0}, {"fraction": 1}):
        np.testing.assert_allclose(explain(GuidedIG(steps=20, **options)), slow, atol=1e-10)


def test_features_of_small_gradients_move_first():
    points = []

    def linear(x):
        jax.debug.callback(lambda v: points.append(np.asarray(v)), x)
        return (jnp.asarray([3.0, -1.0, 2.0, -4.0], x.dtype)[:, None] * x).sum()

    image = np.ones((4, 1))
    explain(GuidedIG(steps=4, fraction=0.01, max_distance=1), linear, image)
    jax.effects_barrier()
    # One feature at a time, the smallest gradient first; the last step ends at the image.
    seen = np.sort(np.array(points)[..., 0], 0)
    np.testing.assert_allclose(seen[:, [1, 2, 0, 3]].sum(0), [3, 2, 1, 0], atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "order"), [(GuidedIG, 1), (lambda steps: BlurIG(4, steps, difference=1e-4), 1)]
)
def test_residuals_fall_with_the_steps(method, order):
    steps = np.array([50, 100, 200])
    errors = [abs(residual(method(steps=int(n)))) for n in steps]
    slope = np.polyfit(np.log2(steps), np.log2(errors), 1)[0]
    assert slope == pytest.approx(-order, abs=0.35)


def test_linear_scores():
    linear = lambda x: (WEIGHTS.astype(x.dtype) * x).sum()  # noqa: E731
    for baseline in (0.25, (0.1, 0.2, 0.3), IMAGE[::-1]):
        out = explain(GuidedIG(baseline, steps=7), linear)
        np.testing.assert_allclose(out, WEIGHTS * (IMAGE - np.asarray(baseline)), atol=1e-12)
    both = explain(GuidedIG("black_white", steps=5), Score(linear))
    np.testing.assert_allclose(both, WEIGHTS * (IMAGE - 0.5), atol=1e-12)
    # Of a linear score blur IG is the sum of the blurs' differences.
    blurred = gaussian_filter(IMAGE, [3, 3, 0], mode="constant")
    out = explain(BlurIG(3, 2000, difference=1e-5), linear)
    np.testing.assert_allclose(out, WEIGHTS * (IMAGE - blurred), atol=0.02)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 7.5, 50.0])
def test_the_most_blurred_image_is_that_of_scipy(sigma):
    with jax.enable_x64(True):
        (blurred,) = jax.jit(lambda x: BlurIG(sigma).baselines(score, x))(IMAGE)
    expected = gaussian_filter(IMAGE, [sigma, sigma, 0], mode="constant")
    np.testing.assert_allclose(blurred, expected, atol=1e-12)


def test_volumes_and_sequences_are_blurred_along_all_their_axes():
    image = np.random.default_rng(0).uniform(size=(5, 4, 6, 2))
    with jax.enable_x64(True):
        (blurred,) = jax.jit(lambda x: BlurIG(2).baselines(score, x))(image)
    np.testing.assert_allclose(
        blurred, gaussian_filter(image, [2, 2, 2, 0], mode="constant"), atol=1e-12
    )


def test_an_image_that_is_its_baseline_gets_nothing():
    np.testing.assert_array_equal(explain(GuidedIG(IMAGE, steps=5)), 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GuidedIG(fraction=1.5), r"fraction is 1.5: give a share, in \[0, 1\]"),
        (lambda: GuidedIG(max_distance=-0.1), "max_distance is -0.1"),
        (lambda: GuidedIG(steps=0), "steps is 0"),
        (lambda: GuidedIG("white"), "black_white"),
        (lambda: BlurIG(0), "max_sigma is 0: give a number of pixels greater than 0"),
        (lambda: BlurIG(difference=0), "difference is 0"),
        (lambda: BlurIG(spacing="log"), "spacing is 'log': choose one of linear, sqrt"),
        (lambda: GuidedIG(np.zeros((3, 3)))(score, IMAGE, KEY), r"\(14, 11, 3\)"),
    ],
)
def test_unusable_options(make, message):
    with pytest.raises(InputError, match=message):
        make()
