"""Attacks on the pixels of a region: closed forms of a linear score, and the estimate of NES."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.perturb.attack_steps import log_odds
from salix.perturb.attacks import ATTACK, ATTACKS, NES, SignGradient
from salix.spec import parse
from salix.typing import InputError

rng = np.random.default_rng(0)
KEY = jax.random.key(0)
SIDE = 6
IMAGE = rng.uniform(0.3, 0.7, (SIDE, SIDE, 2)).astype(np.float32)
SLOPE = rng.choice([-1, 1], IMAGE.shape) * rng.uniform(0.5, 1.5, IMAGE.shape)
REGION = np.zeros((SIDE, SIDE), bool)
REGION[1:3, 2:5] = True
EPSILON = 0.05


def linear(image):
    return (jnp.asarray(SLOPE, jnp.float32) * image).sum()


def attacked(attack, function=linear, image=IMAGE, **options):
    call = jax.jit(lambda x: attack(function, x, REGION, KEY, **options))
    return np.asarray(call(image))


@pytest.mark.parametrize(
    "attack", [SignGradient(6, 0.01, EPSILON), NES(400, 0.1, 6, 0.01, EPSILON)], ids=repr
)
def test_the_fall_of_a_linear_score_is_the_radius_times_the_gradient_inside(attack):
    result = attacked(attack, chunk=7)
    fall = float(linear(IMAGE) - linear(result))
    assert fall == pytest.approx(EPSILON * np.abs(SLOPE[REGION]).sum(), rel=1e-4)
    np.testing.assert_array_equal(result[~REGION], IMAGE[~REGION])
    assert np.abs(result - IMAGE).max() == pytest.approx(EPSILON, rel=1e-4)


def test_limits_bound_the_values_and_leave_those_beyond_them():
    image = IMAGE.copy()
    image[1, 2] = -0.2, 1.3
    result = attacked(SignGradient(20, 0.1, None), image=image, limits=(0.0, 1.0))
    inside = result[REGION]
    rising = SLOPE[REGION] < 0  # lowered by a brighter pixel
    low, high = np.minimum(image[REGION], 0), np.maximum(image[REGION], 1)
    np.testing.assert_array_equal(inside, np.where(rising, high, low))


@pytest.mark.parametrize("grey", [False, True])
def test_the_estimate_of_nes_is_the_gradient_in_expectation(grey):
    """Of a curved function, of which the smoothed gradient is known: the sum of cubes."""
    sigma, n = 0.3, 40_000
    nes = NES(n, sigma, grey=grey)
    cubes = lambda x: (x**3).sum()  # noqa: E731
    estimate = jax.jit(lambda k: nes.estimate(cubes, IMAGE, REGION, k, chunk=2000))(KEY)
    # E[u (f(x + su) - f(x - su))] / 2s = E[f'(x + su)] = 3 x^2 + 3 s^2
    slope = np.where(REGION[..., None], 3 * IMAGE**2 + 3 * sigma**2, 0)
    slope = np.broadcast_to(slope.sum(-1, keepdims=True), slope.shape) if grey else slope
    deviation = np.sqrt((slope**2).sum() + 2 * (slope**2).max()) / np.sqrt(n)
    np.testing.assert_allclose(estimate, slope, atol=5 * deviation)
    assert (np.asarray(estimate)[~REGION] == 0).all()


def test_the_passes_are_those_stated_and_an_attack_ends_where_it_succeeds():
    calls = []

    def function(x):
        value = linear(x)
        jax.debug.callback(calls.append, value)
        return value

    nes = NES(6, 0.1, 5, 0.01, None)
    attacked(nes, function, chunk=4)
    jax.effects_barrier()
    assert len(calls) == nes.passes.evaluations == 60
    needed = 0.021 * np.abs(SLOPE[REGION]).sum()  # the third step passes it
    result = attacked(
        SignGradient(50, 0.01, None), succeeded=lambda x: linear(x) < linear(IMAGE) - needed
    )
    np.testing.assert_allclose(np.abs(result - IMAGE)[REGION], 0.03, atol=1e-6)


def test_log_odds_have_a_slope_where_the_probability_rounds_to_one():
    logits = jnp.array([60.0, 2.0, 1.0])
    assert float(jax.nn.softmax(logits)[0]) == 1
    expected = 60 - np.log(np.exp(2) + np.exp(1))
    assert float(log_odds(logits, 0)) == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(jax.grad(log_odds)(logits, 0)[0], 1)
    with pytest.raises(InputError, match="the model has one class"):
        log_odds(jnp.ones(1), 0)


@pytest.mark.parametrize(
    "text", ["NES(samples=3, radius=None, grey=True)", "SignGradient(steps=4, rate=0.5)"]
)
def test_text_reads_back(text):
    attack = parse(text, ATTACKS)
    assert parse(repr(attack), ATTACKS) == attack == ATTACK.plain(attack)
    with pytest.raises(InputError, match="samples is 0: give a whole number, 1 or more"):
        NES(samples=0)
    with pytest.raises(InputError, match="rate is 0: give a number above 0"):
        SignGradient(rate=0)
