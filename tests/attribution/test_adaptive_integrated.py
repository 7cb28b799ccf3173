"""Steps by the completeness residual and by the score's changes, and the residual itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.attribution import (
    AdaptiveIntegratedGradients,
    Gradient,
    IntegratedGradients,
    NonuniformIntegratedGradients,
    completeness_residual,
)
from salix.attribution.adaptive_integrated_gradients import refinements
from salix.attribution.integrated_gradients import RULES
from salix.attribution.nonuniform_integrated_gradients import nonuniform_nodes
from salix.typing import InputError, Score
from tests.attribution.passes import PassCounter

KEY = jax.random.key(0)
IMAGE = np.random.default_rng(0).uniform(0.2, 1, size=(4, 3, 2))


def smooth(x):
    return jnp.exp(3 * x.mean()) + (jnp.sin(2 * x) * x[::-1]).sum()


def saturating(x):
    """A step in the first eighth of the path from black, and hardly a change after it."""
    return jax.nn.sigmoid(200 * (x.mean() / IMAGE.mean() - 0.06))


def residual(method, score=smooth, image=IMAGE):
    with jax.enable_x64(True):
        image = jnp.asarray(image)
        out = jax.jit(lambda x: method(score, x, KEY))(image)
        return float(completeness_residual(method, score, image, out))


@pytest.mark.parametrize("rule", ["midpoint", "trapezoid", "gauss_legendre"])
def test_levels_are_the_rule_itself(rule):
    estimate, steps, function = 0.0, 3, lambda t: np.exp(3 * t)
    levels = refinements(rule, 3, 50)
    for nodes, weights, again in levels:
        estimate = again * estimate + (weights * function(nodes)).sum()
        whole, all_weights = RULES[rule](steps)
        assert estimate == pytest.approx((all_weights * function(whole)).sum(), rel=1e-12)
        steps = {"midpoint": 3 * steps, "trapezoid": 2 * steps - 1}.get(rule, 2 * steps)
    spent = sum(len(nodes) for nodes, *_ in levels)
    assert spent == {"midpoint": 27, "trapezoid": 33, "gauss_legendre": 3 + 6 + 12 + 24 + 48}[rule]


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["midpoint", "trapezoid", "gauss_legendre"])
def test_it_stops_within_the_tolerance_and_not_before_or_later(rule):
    totals = np.cumsum([len(level[0]) for level in refinements(rule, 2, 20)])
    steps = {"midpoint": [2, 6, 18], "trapezoid": [2, 3, 5, 9, 17], "gauss_legendre": [2, 4, 8, 16]}
    with jax.enable_x64(True):
        image = jnp.asarray(IMAGE)
        change = abs(float(smooth(image) - smooth(jnp.zeros_like(image))))
        gradient = jax.jit(jax.grad(smooth))
        fixed = []
        for n in steps[rule]:
            nodes, weights = RULES[rule](n)
            mean = sum(w * gradient(t * image) for t, w in zip(nodes, weights, strict=True))
            off = completeness_residual(IntegratedGradients(), smooth, image, image * mean)
            fixed.append(float(off))
        for tolerance in (0.05, 1e-2, 1e-12):
            method = AdaptiveIntegratedGradients(0.0, tolerance, rule, first=2, steps=20)
            counter = PassCounter(Score(smooth))
            out = jax.jit(lambda x, m=method, s=counter.score: m(s, x, KEY))(image)
            level = int(np.flatnonzero(totals == counter.passes().gradients)[0])
            off = float(completeness_residual(method, smooth, image, out))
            assert off == pytest.approx(fixed[level], abs=1e-12)
            enough = [abs(f) <= tolerance * change for f in fixed]
            assert level == (enough.index(True) if any(enough) else len(fixed) - 1)


def test_batches_refine_each_image_by_itself():
    method = AdaptiveIntegratedGradients(tolerance=1e-3, first=2)
    batch = jnp.stack([jnp.asarray(IMAGE * s, jnp.float32) for s in (1, 0.1, 0)])
    explain = lambda x: method(smooth, x, KEY)  # noqa: E731
    together = jax.jit(jax.vmap(explain))(batch)
    one = jax.jit(explain)
    np.testing.assert_allclose(together, [one(x) for x in batch], rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_black_white_is_complete_for_both():
    score = Score(smooth, black=(-0.5, -0.3), white=(2.0, 1.5))
    method = AdaptiveIntegratedGradients("black_white", 1e-6, "gauss_legendre", first=4)
    assert method.passes((4, 3, 2)).evaluations == 3
    assert abs(residual(method, score)) < 1e-5
    assert abs(residual(NonuniformIntegratedGradients("black_white", 400), score)) < 1e-3


def test_a_linear_score_needs_the_first_level_only():
    counter = PassCounter(Score(lambda x: (2 * x).sum()))
    method = AdaptiveIntegratedGradients(0.25, 1e-5, first=3)
    out = jax.jit(lambda x: method(counter.score, x, KEY))(jnp.asarray(IMAGE, jnp.float32))
    np.testing.assert_allclose(out, 2 * (IMAGE - 0.25), rtol=1e-5)
    assert counter.passes().gradients == 3


@pytest.mark.parametrize(
    ("changes", "steps", "expected"),
    [
        ((0, 0, 0, 0), 8, (2, 2, 2, 2)),  # a flat score
        ((9, 1, 0, 0), 8, (4, 2, 1, 1)),  # square roots 3 and 1 share the four that are left
        ((1, 1, 1), 5, (2, 2, 1)),
        ((np.nan, 1), 6, (3, 3)),
    ],
)
def test_steps_by_square_roots_of_the_changes(changes, steps, expected):
    allocate = jax.jit(nonuniform_nodes, static_argnums=1)
    nodes, weights = allocate(jnp.asarray(changes, jnp.float32), steps)
    n = len(changes)
    slow_nodes, slow_weights = [], []
    for i, count in enumerate(expected):
        slow_nodes += [(i + (j + 0.5) / count) / n for j in range(count)]
        slow_weights += [1 / n / count] * count
    np.testing.assert_allclose(nodes, slow_nodes, rtol=1e-6)
    np.testing.assert_allclose(weights, slow_weights, rtol=1e-6)


def test_nonuniform_steps_have_order_two():
    steps = np.array([16, 32, 64, 128])
    errors = [abs(residual(NonuniformIntegratedGradients(steps=int(n)))) for n in steps]
    order = np.polyfit(np.log2(steps), np.log2(errors), 1)[0]
    assert order == pytest.approx(-2, abs=0.15)


def test_nonuniform_steps_help_where_the_score_saturates():
    uniform = abs(residual(IntegratedGradients(steps=16), saturating))
    assert abs(residual(NonuniformIntegratedGradients(steps=16), saturating)) < uniform / 4
    # With one interval it is the midpoint rule.
    one = residual(NonuniformIntegratedGradients(steps=16, intervals=1), saturating)
    assert abs(one) == pytest.approx(uniform, rel=1e-9)


def test_completeness_residual_is_signed():
    image = jnp.asarray(IMAGE, jnp.float32)
    exact = 2 * image
    off = completeness_residual(
        IntegratedGradients(), lambda x: 2 * x.sum(), image, exact.at[0, 0, 0].add(-0.5)
    )
    assert float(off) == pytest.approx(-0.5, abs=1e-5)
    bad = completeness_residual(IntegratedGradients(), jnp.sum, image, jnp.nan * image)
    assert np.isnan(bad)


def test_unusable_options():
    with pytest.raises(InputError, match=r"Gradient\(\) has no baselines.*IntegratedGradients"):
        completeness_residual(Gradient(), jnp.sum, IMAGE, IMAGE)
    with pytest.raises(InputError, match=r"tolerance is -0.1"):
        AdaptiveIntegratedGradients(tolerance=-0.1)
    with pytest.raises(InputError, match=r"first is 9: give at most the 8 of steps"):
        AdaptiveIntegratedGradients(steps=8)
    with pytest.raises(InputError, match=r"first is 1"):
        AdaptiveIntegratedGradients(rule="trapezoid", first=1)
    with pytest.raises(InputError, match=r"intervals is 5: give at most the 4 steps"):
        NonuniformIntegratedGradients(steps=4, intervals=5)
    for kind in (AdaptiveIntegratedGradients, NonuniformIntegratedGradients):
        with pytest.raises(InputError, match=r"\(4, 3, 2\)"):
            kind((1.0, 2.0, 3.0))(smooth, IMAGE, KEY)
