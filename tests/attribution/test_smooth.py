"""SmoothGrad: the statistics of its noise, read through methods that report their input."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.attribution import (
    CAM,
    GradCAM,
    Gradient,
    InputXGradient,
    IntegratedGradients,
    SmoothGrad,
    VarGrad,
)
from salix.store import describe
from salix.typing import Score

KEY = jax.random.key(0)
IMAGE = np.random.default_rng(0).uniform(-1, 3, size=(6, 5, 3)).astype(np.float32)
RANGE = float(IMAGE.max() - IMAGE.min())
SAMPLES = 4096


@dataclass(frozen=True)
class Power:
    """A method that reports a power of the noise it was given: it sees every copy."""

    of: int

    def __call__(self, score, image, key):
        return (image - IMAGE) ** self.of


def moment(of, **settings):
    return np.asarray(SmoothGrad(Power(of), **settings)(jnp.sum, IMAGE, KEY))


@pytest.mark.slow
def test_noise_has_mean_zero_in_every_pixel_and_the_stated_variance():
    sigma = 0.2 * RANGE
    mean = moment(1, samples=SAMPLES, noise=0.2)
    variance = moment(2, samples=SAMPLES, noise=0.2)
    # 90 pixels: five standard errors of a mean and of a variance of normal draws
    assert np.abs(mean).max() < 5 * sigma / np.sqrt(SAMPLES)
    assert np.abs(variance / sigma**2 - 1).max() < 5 * np.sqrt(2 / SAMPLES)
    # over all pixels the variance is known ten times better: 0.2 and 0.205 are distinguished
    assert variance.mean() / sigma**2 == pytest.approx(
        1, abs=5 * np.sqrt(2 / variance.size / SAMPLES)
    )
    assert variance.mean() / (0.205 * RANGE) ** 2 != pytest.approx(1, abs=0.02)


def test_noise_is_normal():
    sigma = 0.2 * RANGE
    fourth = moment(4, samples=SAMPLES, noise=0.2).mean()
    assert fourth / sigma**4 == pytest.approx(3, rel=0.03)  # 1.8 if it were uniform


def test_one_sample_has_independent_noise_in_every_pixel():
    noise = moment(1, samples=1, noise=0.15)
    assert len(np.unique(noise)) == noise.size
    assert noise.std() == pytest.approx(0.15 * RANGE, rel=0.3)


@pytest.mark.slow
def test_samples_are_independent():
    # copies that shared their noise would leave the mean as wide as a single copy
    wide, narrow = (moment(1, samples=n, noise=0.15).std() for n in (1, 64))
    assert wide / narrow == pytest.approx(8, rel=0.35)


def test_mean_over_noise_has_its_closed_form():
    # f = sum x^3: E 3 (x + e)^2 = 3 x^2 + 3 sigma^2, which no noiseless gradient gives
    sigma = 0.1 * RANGE
    out = SmoothGrad(samples=SAMPLES, noise=0.1)(lambda x: (x**3).sum(), IMAGE, KEY)
    spread = np.sqrt(36 * IMAGE**2 * sigma**2 + 18 * sigma**4) / np.sqrt(SAMPLES)
    expected = 3 * IMAGE**2 + 3 * sigma**2
    assert (np.abs(out - expected) / spread).max() < 5
    assert (np.abs(out - 3 * IMAGE**2) / spread).max() > 5


@pytest.mark.slow
@pytest.mark.parametrize(
    "method",
    [Gradient(), InputXGradient(), IntegratedGradients(steps=3), CAM(), GradCAM()],
    ids=lambda m: type(m).__name__,
)
def test_one_sample_without_noise_is_the_method(method):
    score = Score(lambda f: jnp.tanh(f.mean()), lambda x: jnp.sin(x[::2]))
    smooth = SmoothGrad(method, samples=1, noise=0)(score, IMAGE, KEY)
    np.testing.assert_allclose(smooth, method(score, IMAGE, KEY), rtol=1e-6, atol=1e-7)


def test_smoothing_a_linear_score_changes_nothing():
    weights = np.random.default_rng(1).normal(size=IMAGE.shape).astype(np.float32)
    out = SmoothGrad(noise=5.0)(lambda x: (weights * x).sum(), IMAGE, KEY)
    np.testing.assert_allclose(out, weights, rtol=1e-5)


def test_constant_image_gets_no_noise():
    out = SmoothGrad(InputXGradient())(lambda x: (x**2).sum(), np.full_like(IMAGE, 0.5), KEY)
    np.testing.assert_array_equal(out, 0.5)


def test_the_key_decides():
    score = lambda x: (x**3).sum()  # noqa: E731
    explain = jax.jit(lambda key: SmoothGrad()(score, IMAGE, key))
    one, same, other = (explain(jax.random.key(k)) for k in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.1


def test_a_random_method_gets_its_own_key_for_each_sample():
    @dataclass(frozen=True)
    class Draw:
        def __call__(self, score, image, key):
            return jax.random.normal(key, image.shape)

    draws = SmoothGrad(Draw(), samples=400, noise=1.0)(jnp.sum, IMAGE, KEY)
    assert np.asarray(draws).std() == pytest.approx(1 / 20, rel=0.35)


def explain(method, score):
    return jax.jit(lambda x: method(score, x, KEY))(IMAGE)


@pytest.mark.slow
def test_squares_and_variance_agree_with_numpy_over_the_same_copies():
    score, copies = lambda x: (x**3).sum(), []

    @dataclass(frozen=True)
    class Recorded:
        def __call__(self, score, image, key):
            out = jax.grad(score)(image)
            jax.debug.callback(lambda v: copies.append(np.float64(v)), out)
            return out

    explain(SmoothGrad(Recorded(), samples=5), score)
    jax.effects_barrier()
    assert len(copies) == 5
    for method, expected in (
        (SmoothGrad(samples=5), np.mean(copies, 0)),
        (SmoothGrad(samples=5, square=True), np.mean(np.square(copies), 0)),
        (VarGrad(samples=5), np.var(copies, 0)),
    ):
        np.testing.assert_allclose(explain(method, score), expected, rtol=1e-4, atol=1e-5)


def test_variance_of_a_linear_gradient_in_closed_form():
    # d x^2 = 2 (x + e): variance 4 sigma^2 everywhere, mean square 4 x^2 + 4 sigma^2
    sigma, square = 0.1 * RANGE, lambda x: (x**2).sum()
    variance = explain(VarGrad(samples=SAMPLES, noise=0.1), square)
    np.testing.assert_allclose(variance, 4 * sigma**2, rtol=5 * np.sqrt(2 / SAMPLES))
    squares = explain(SmoothGrad(samples=SAMPLES, noise=0.1, square=True), square)
    assert float(squares.mean()) == pytest.approx(4 * np.mean(IMAGE**2) + 4 * sigma**2, rel=0.01)
    assert np.corrcoef(np.ravel(squares), np.ravel(IMAGE**2))[0, 1] > 0.99


def test_a_large_mean_costs_the_variance_no_digits():
    # The gradient is 10^4 + 2e: of the mean of squares less the square of the mean 0.1 is lost.
    expected = explain(VarGrad(samples=64, noise=0.01), lambda x: ((x - IMAGE) ** 2).sum())
    shifted = lambda x: (1e4 * x + (x - IMAGE) ** 2).sum()  # noqa: E731
    out = explain(VarGrad(samples=64, noise=0.01), shifted)
    np.testing.assert_allclose(out, expected, rtol=0.05)


def test_wrappers_take_any_method_and_pass_on_its_pooling():
    score = Score(lambda f: jnp.tanh(f.mean()), lambda x: jnp.sin(x[::2]))
    for method in (VarGrad(CAM(), 3), SmoothGrad(CAM(), 3, square=True)):
        out = explain(method, score)
        assert out.shape == (3, 5, 1)
        assert (out > 0).all()
        assert (method.pooling, method.reads_trunk) == ("signed_sum", True)
    np.testing.assert_array_equal(explain(VarGrad(samples=1), lambda x: (x**3).sum()), 0)


def test_the_text_of_the_mean_is_as_it_was():
    for text in (repr, describe):
        assert text(SmoothGrad()) == "SmoothGrad(method=Gradient(), samples=16, noise=0.15)"
        assert text(SmoothGrad(square=True)).endswith("noise=0.15, square=True)")
