"""Integrated gradients: completeness, measured order of the rules, baselines."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.attribution import (
    CAM,
    METHODS,
    Gradient,
    InputXGradient,
    IntegratedGradients,
    SmoothGrad,
)
from salix.preprocess import Preprocess
from salix.scores import logit
from salix.spec import parse
from salix.store import describe
from salix.typing import InputError, Score

KEY = jax.random.key(0)
IMAGE = np.random.default_rng(0).uniform(0.2, 1, size=(4, 3, 2))


def exponential(x):
    return jnp.exp(3 * x.mean()) + (jnp.sin(2 * x) * x[::-1]).sum()


def error(rule, steps, score=exponential, image=IMAGE):
    """Distance from completeness, in double precision."""
    with jax.enable_x64(True):
        total = IntegratedGradients(steps=steps, rule=rule)(score, image, KEY).sum()
        return abs(float(total - score(image) + score(jnp.zeros_like(image))))


@pytest.mark.parametrize(("rule", "ends"), [("midpoint", 0), ("trapezoid", 1)])
def test_order_two(rule, ends):
    panels = np.array([8, 16, 32, 64])
    errors = [error(rule, int(n) + ends) for n in panels]
    order = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    np.testing.assert_allclose(order, 2, atol=0.05)


def test_midpoint_errs_half_as_much_as_trapezoid_and_with_the_other_sign():
    with jax.enable_x64(True):
        exact = exponential(IMAGE) - exponential(jnp.zeros_like(IMAGE))
        methods = IntegratedGradients(steps=64), IntegratedGradients(steps=65, rule="trapezoid")
        off = [float(m(exponential, IMAGE, KEY).sum() - exact) for m in methods]
    assert off[1] / off[0] == pytest.approx(-2, rel=1e-2)


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
def test_gauss_legendre_is_exact_to_degree_twice_the_steps_and_no_further(steps):
    power = lambda d: lambda x: (x**d).sum()  # noqa: E731
    assert error("gauss_legendre", steps, power(2 * steps)) < 1e-13
    assert error("gauss_legendre", steps, power(2 * steps + 1)) > 1e-9


def test_gauss_legendre_converges_faster_than_any_power():
    assert error("gauss_legendre", 8) < 1e-8 < error("midpoint", 1000)


@pytest.mark.parametrize("rule", ["midpoint", "trapezoid", "gauss_legendre"])
@pytest.mark.parametrize("steps", [2, 3, 32])
def test_linear_score_is_exact_because_weights_sum_to_one(rule, steps):
    weights = np.random.default_rng(1).normal(size=IMAGE.shape)
    with jax.enable_x64(True):
        out = IntegratedGradients(steps=steps, rule=rule)(lambda x: (weights * x).sum(), IMAGE, KEY)
        np.testing.assert_allclose(out, weights * IMAGE, rtol=1e-13)


@pytest.mark.parametrize(
    ("rule", "nodes", "weights"),
    [
        ("midpoint", [0.125, 0.375, 0.625, 0.875], [0.25] * 4),
        ("trapezoid", [0, 1 / 3, 2 / 3, 1], [1 / 6, 1 / 3, 1 / 3, 1 / 6]),
        (
            "gauss_legendre",
            [0.0694318442029737, 0.3300094782075719, 0.6699905217924281, 0.9305681557970263],
            [0.1739274225687269, 0.3260725774312731, 0.3260725774312731, 0.1739274225687269],
        ),
    ],
)
def test_agrees_with_a_plain_loop(rule, nodes, weights):
    baseline = 0.3
    with jax.enable_x64(True):
        out = IntegratedGradients(baseline, 4, rule)(lambda x: (x**5).sum(), IMAGE, KEY)
    slow = np.zeros_like(IMAGE)
    for t, w in zip(nodes, weights, strict=True):
        slow += w * 5 * (baseline + t * (IMAGE - baseline)) ** 4
    np.testing.assert_allclose(out, (IMAGE - baseline) * slow, rtol=1e-12)


def test_one_midpoint_is_the_gradient_half_way():
    out = IntegratedGradients(steps=1)(exponential, IMAGE, KEY)
    half = Gradient()(exponential, IMAGE / 2, KEY)
    np.testing.assert_allclose(out, IMAGE * half, rtol=1e-5)


def test_steps_count_evaluations_of_the_gradient():
    points = []

    def score(x):
        jax.debug.callback(lambda v: points.append(float(v)), x[0, 0, 0])
        return (x**2).sum()

    for rule in ("midpoint", "trapezoid", "gauss_legendre"):
        points.clear()
        IntegratedGradients(steps=7, rule=rule)(score, IMAGE, KEY)
        jax.effects_barrier()
        assert len(points) == 7, rule
        assert np.ptp(np.array(points) + np.sort(points)[::-1]) < 1  # on the path, and
        np.testing.assert_allclose(np.mean(points), IMAGE[0, 0, 0] / 2, rtol=1e-6)  # symmetric


@pytest.mark.parametrize(
    "baseline",
    [0.25, 1, (0.1, -0.2), np.full(IMAGE.shape, 0.4), np.linspace(0, 1, 24).reshape(IMAGE.shape)],
    ids=["number", "integer", "channels", "constant array", "array"],
)
def test_baselines(baseline):
    # f = sum x^2 has A = x^2 - x'^2 pixel by pixel, and the midpoint rule is exact for it
    out = IntegratedGradients(baseline)(lambda x: (x**2).sum(), IMAGE, KEY)
    np.testing.assert_allclose(out, IMAGE**2 - np.asarray(baseline) ** 2, rtol=1e-5, atol=1e-6)


def test_the_image_as_its_own_baseline_gets_nothing():
    np.testing.assert_array_equal(IntegratedGradients(IMAGE)(exponential, IMAGE, KEY), 0)


def test_zero_baseline_of_a_homogeneous_score_is_input_x_gradient():
    score = lambda x: jnp.abs(x - 2 * x[::-1]).sum()  # noqa: E731
    out = IntegratedGradients(steps=5)(score, IMAGE, KEY)
    np.testing.assert_allclose(out, InputXGradient()(score, IMAGE, KEY), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("baseline", [(0.0, 0.0, 0.0), (0.0,), np.zeros((4, 3))])
def test_a_baseline_of_another_shape_is_refused(baseline):
    with pytest.raises(InputError, match=r"\(4, 3, 2\)"):
        IntegratedGradients(baseline)(exponential, IMAGE, KEY)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("rule", ["midpoint", "trapezoid", "gauss_legendre"])
def test_sums_over_many_steps_are_in_32_bits(dtype, rule):
    # Halves and eighths are exact in 8 bits of mantissa: only the sum over the steps can round.
    weights = np.random.default_rng(0).integers(-8, 9, IMAGE.shape) / 8
    image = np.random.default_rng(1).integers(1, 17, IMAGE.shape) / 16
    score = lambda x: (x * jnp.asarray(weights, x.dtype)).sum()  # noqa: E731
    method = IntegratedGradients(steps=50, rule=rule, baseline=0.25)
    out = method(score, jnp.asarray(image, dtype), KEY)
    assert out.dtype == jnp.float32
    np.testing.assert_allclose(out, (image - 0.25) * weights, rtol=1e-5)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_other_methods_sum_in_32_bits_too(dtype):
    image = jnp.asarray(np.random.default_rng(1).integers(1, 17, (8, 8, 3)) / 16, dtype)
    weights = jnp.asarray(np.random.default_rng(0).integers(-8, 9, (8, 8, 3)) / 8, dtype)
    score = lambda x: (x * weights).sum()  # noqa: E731
    smooth = SmoothGrad(samples=300)(score, image, KEY)
    np.testing.assert_allclose(smooth, weights.astype(np.float32), rtol=1e-5)
    trunk = lambda x: x * jnp.asarray(2000, dtype)  # noqa: E731
    cam = CAM()(Score(lambda f: f.sum(), trunk), image, KEY)  # 64 x 3 x 2000 overflows 16 bits
    exact = 2000 * 64 * np.asarray(image, np.float32).sum(-1, keepdims=True)
    np.testing.assert_allclose(cam, exact, rtol=0.01)


BLACK, WHITE = (-0.5, -0.3), (2.0, 1.5)  # of the two channels


def black_white(score, image=IMAGE, steps=32, rule="gauss_legendre"):
    return IntegratedGradients("black_white", steps, rule)(score, image, KEY)


def test_black_white_is_the_mean_over_both_baselines_and_complete():
    score = Score(exponential, black=BLACK, white=WHITE)
    with jax.enable_x64(True):
        both = black_white(score)
        each = [
            IntegratedGradients(b, 32, "gauss_legendre")(score, IMAGE, KEY) for b in (BLACK, WHITE)
        ]
        np.testing.assert_allclose(both, np.mean(each, 0), rtol=1e-13)
        ends = np.mean(
            [exponential(jnp.asarray(np.broadcast_to(b, IMAGE.shape))) for b in (BLACK, WHITE)]
        )
        assert float(both.sum()) == pytest.approx(float(exponential(IMAGE) - ends), rel=1e-10)


def test_black_white_of_a_square_in_closed_form():
    # d x^2 = 2x: along the path from b the mean gradient is x + b, so that A = x^2 - b^2.
    with jax.enable_x64(True):
        plain = black_white(lambda x: (x**2).sum(), steps=2)  # black 0, white 1
        np.testing.assert_allclose(plain, IMAGE**2 - 0.5, rtol=1e-12)
        scaled = black_white(Score(lambda x: (x**2).sum(), black=BLACK, white=WHITE), steps=2)
    means = (np.square(BLACK) + np.square(WHITE)) / 2
    np.testing.assert_allclose(scaled, IMAGE**2 - means, rtol=1e-12)


def test_black_white_evaluates_twice_as_many_gradients():
    calls = []

    def counted(x):
        jax.debug.callback(lambda: calls.append(1))
        return (x**2).sum()

    jax.block_until_ready(IntegratedGradients("black_white", 8)(counted, IMAGE, KEY))
    jax.effects_barrier()
    assert len(calls) == 16


def test_a_model_names_black_and_white_by_its_preprocessing(tiny):
    model, params = tiny
    preprocess = Preprocess((16, 16), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    score = replace(model, preprocess=preprocess).score(params, logit(1))
    for value, pixels in ((score.black, 0), (score.white, 255)):
        image = preprocess(np.full((16, 16, 3), pixels, np.uint8))
        np.testing.assert_allclose(
            image, np.broadcast_to(np.float32(value), image.shape), rtol=1e-6
        )
    grey = Preprocess((16, 16), 1, std=(0.5,))
    assert (grey.normalised(0), grey.normalised(1)) == ((0,), (2,))


def test_the_text_of_black_white_reads_back():
    method = IntegratedGradients("black_white", 50)
    assert parse(repr(method), METHODS) == method
    assert describe(method) == repr(method)
    with pytest.raises(InputError, match=r"baseline is 'white'.*black_white"):
        IntegratedGradients("white")
