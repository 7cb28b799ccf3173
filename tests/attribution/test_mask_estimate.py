"""Standard errors of RISE and Kernel SHAP, and where a tolerance ends their samples."""

from dataclasses import replace
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.attribution import ARGUMENTS, METHODS, RISE, KernelSHAP
from salix.attribution.segment_game import segment_game
from salix.perturb.partition import Grid, Superpixels
from salix.spec import parse
from salix.store.identity import describe
from salix.typing import InputError, Passes, Score
from tests.attribution.passes import PassCounter

KEY = jax.random.key(0)
IMAGE = np.random.default_rng(0).uniform(0.5, 1, size=(6, 5, 1))
WEIGHTS = np.random.default_rng(1).normal(size=IMAGE.shape)
SEGMENTS = 9
GRID = KernelSHAP(Grid(3), 200, chunk=5)
METHODS_AT = {"expectation": RISE(60, 3), "masks": RISE(60, 3, norm="masks"), "segments": GRID}


def curved(x, np=jnp):
    return np.tanh((x * WEIGHTS.astype(x.dtype)).sum()) + (x[2:4, 1:3].sum() / 4) ** 2


def offset(x):
    return curved(x) + 1000


@cache
def drawn(method):
    """The masks or coalitions of a method at the key, with the scores: all in 64 bits."""
    with jax.enable_x64(True):
        if isinstance(method, RISE):
            draw = method._sampler(curved, IMAGE, KEY)
            return tuple(map(np.asarray, jax.jit(jax.vmap(draw))(np.arange(method.masks))))
        game, key = segment_game(curved, IMAGE, KEY, method.partition, method.fill)
        sets = jax.jit(jax.vmap(lambda i: method._draw(game, key, i)))(np.arange(method.samples))
        return np.asarray(jax.jit(jax.vmap(game))(sets)), np.asarray(sets)


def slow_rise(method, count):
    scores, masks = (x[:count] for x in drawn(method))
    terms = scores[:, None, None] * masks
    if method.norm == "expectation":
        return terms.mean(0) / 0.5, terms.std(0, ddof=1) / np.sqrt(count) / 0.5
    mean = terms.sum(0) / masks.sum(0)
    residuals = terms - mean * masks
    return mean, np.sqrt((residuals**2).sum(0) * count / (count - 1)) / masks.sum(0)


def slow_shap(method, count):
    """The fit without a constraint: the last value is what the others leave of the total."""
    scores, z = (x[:count].astype(float) for x in drawn(method))
    empty = curved(np.zeros_like(IMAGE), np)
    total = curved(IMAGE, np) - empty
    x, y = z[:, :-1] - z[:, -1:], scores - empty - total * z[:, -1]
    rest = np.linalg.lstsq(x, y, rcond=None)[0]
    hat, bread = x @ np.linalg.pinv(x), np.linalg.inv(x.T @ x)
    draws = np.arange(count) // (2 if method.antithetic else 1)
    covariance = np.zeros_like(bread)
    for d in np.unique(draws):
        rows = draws == d
        change = bread @ x[rows].T @ (y - x @ rest)[rows]
        covariance += np.outer(change, change) / (1 - np.trace(hat[rows][:, rows]))
    spread = np.vstack([np.eye(len(rest)), -np.ones(len(rest))])  # the last value
    errors = np.sqrt(np.diag(spread @ covariance @ spread.T))
    labels = np.asarray(method.partition(IMAGE))
    return np.array([*rest, total - rest.sum()])[labels], errors[labels]


def slow(method, count):
    return (slow_rise if isinstance(method, RISE) else slow_shap)(method, count)


def estimate(method, score=curved, image=IMAGE, key=KEY):
    return jax.jit(lambda x, k: method.estimate(score, x, k))(image, key)


@pytest.mark.parametrize(
    "method",
    [*METHODS_AT.values(), replace(GRID, samples=77), replace(GRID, antithetic=False, chunk=8)],
    ids=repr,
)
def test_values_and_standard_errors_are_those_of_numpy(method):
    with jax.enable_x64(True):
        out = estimate(method)
    count = method.masks if isinstance(method, RISE) else method.samples
    values, errors = slow(method, count)
    np.testing.assert_allclose(out.attribution[..., 0], values, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(out.standard_error[..., 0], errors, rtol=1e-7)
    assert out.samples == count


@pytest.mark.parametrize("name", ["masks", "segments"])
def test_a_large_score_costs_no_digits(name):
    image = IMAGE.astype(np.float32)
    plain, large = (estimate(METHODS_AT[name], s, image) for s in (curved, offset))
    # Scores of 1000 are rounded to 6e-5 each; their squares in 32 bits would be to 0.06
    np.testing.assert_allclose(large.standard_error, plain.standard_error, rtol=2e-3)


@pytest.mark.parametrize("name", METHODS_AT)
def test_standard_errors_are_the_spread_over_keys_and_intervals_cover(name):
    method, image, count = METHODS_AT[name], IMAGE.astype(np.float32), 400
    keys = jax.random.split(KEY, count)
    out = jax.jit(jax.vmap(partial(method.estimate, curved, image)))(keys)
    values, errors = np.asarray(out.attribution), np.asarray(out.standard_error)
    stated = np.sqrt((errors**2).mean(0))
    # The spread of 400 values is known to 4 %, that of its mean over pixels to less.
    np.testing.assert_allclose((stated / values.std(0)).mean(), 1, atol=0.08)
    covered = np.abs(values - values.mean(0)) <= 1.96 * errors
    assert 0.91 < covered.mean() < 0.97


@pytest.mark.parametrize("name", METHODS_AT)
@pytest.mark.parametrize("is_loose", [True, False])
def test_it_stops_at_the_first_check_within_the_tolerance(name, is_loose):
    tolerance = (0.04 if name == "segments" else 0.085) if is_loose else 1e-9
    most = {"masks": 907} if isinstance(METHODS_AT[name], RISE) else {"samples": 453}
    method = replace(METHODS_AT[name], chunk=8, tolerance=tolerance, **most)
    (limit,) = most.values()
    counter = PassCounter(Score(curved))
    with jax.enable_x64(True):
        out = estimate(method, counter.score)
    expected = limit
    for count in range(104, limit, 104):  # 13 chunks of 8
        if name == "segments" and count // 2 < 2 * SEGMENTS:
            continue
        values, errors = slow(replace(method, tolerance=0.0), count)
        if errors.max() <= tolerance * np.ptp(values):
            expected = count
            break
    assert (104 < expected < limit) == is_loose
    assert out.samples == expected
    assert counter.passes() == Passes(expected + (2 if name == "segments" else 0))
    np.testing.assert_allclose(
        out.attribution[..., 0], slow(replace(method, tolerance=0.0), expected)[0]
    )
    assert method.passes(IMAGE.shape).evaluations == limit + (2 if name == "segments" else 0)


@pytest.mark.parametrize("name", METHODS_AT)
def test_batches_stop_each_image_by_itself(name):
    most = {"masks": 2000} if isinstance(METHODS_AT[name], RISE) else {"samples": 500}
    method = replace(METHODS_AT[name], chunk=20, tolerance=0.12, **most)
    batch = np.stack([IMAGE, IMAGE * 0.3, IMAGE * 0, IMAGE[::-1]]).astype(np.float32)
    explain, one = partial(method.estimate, curved), jax.jit(partial(method.estimate, curved))
    together = jax.jit(jax.vmap(explain, (0, None)))(batch, KEY)
    assert len(np.unique(together.samples)) > 1
    close = partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5)
    for i, image in enumerate(batch):
        alone = one(image, KEY)
        assert together.samples[i] == alone.samples
        close(together.attribution[i], alone.attribution)
        close(together.standard_error[i], alone.standard_error)


def test_a_range_of_zero_is_no_reason_to_stop():
    image = IMAGE.astype(np.float32)
    for method in (
        RISE(300, 3, norm="masks", tolerance=0.5),
        KernelSHAP(Grid(3), 300, tolerance=1),
    ):
        explain = jax.jit(lambda c, m=method: m.estimate(lambda x: x.sum() * 0 + c, image, KEY))
        for constant in (0.0, 3.0):
            out = explain(constant)
            assert out.samples == 300
            value = constant if isinstance(method, RISE) else 0
            np.testing.assert_allclose(out.attribution, value, rtol=1e-6)
            np.testing.assert_allclose(out.standard_error, 0, atol=1e-6)


def test_an_additive_score_has_no_error_and_stops_with_twice_as_many_draws_as_segments():
    image = np.random.default_rng(2).uniform(size=(7, 7, 1)).astype(np.float32)
    weights = np.random.default_rng(3).normal(size=image.shape).astype(np.float32)
    out = estimate(KernelSHAP(samples=400, tolerance=1e-3), lambda x: (x * weights).sum(), image)
    assert out.samples == 208  # not at 104, with three pairs more than values that are free
    assert np.max(out.standard_error) < 1e-5
    np.testing.assert_allclose(out.attribution, weights * image, atol=1e-4)


def test_errors_of_all_coalitions_are_zero_and_of_too_few_undefined():
    image = IMAGE.astype(np.float32)
    exact = estimate(KernelSHAP(Grid(2), 20, tolerance=0.1), image=image)
    assert (exact.samples, np.abs(exact.standard_error).max()) == (14, 0)
    assert np.isnan(estimate(replace(GRID, samples=10), image=image).standard_error).all()
    assert np.isnan(estimate(RISE(1), image=image).standard_error).all()
    assert estimate(KernelSHAP(Grid(1)), image=image).samples == 0


def test_unused_segments_have_no_error():
    image = np.zeros((8, 8, 3), np.float32)
    image[:, 4:] = 1
    method = KernelSHAP(Superpixels(12), 400, -1.0, tolerance=0.3)
    out = estimate(method, lambda x: jnp.tanh(x).sum() ** 2 + x[0, 0, 0], image)
    assert np.isfinite(out.standard_error).all()
    assert out.samples < 400


def test_volumes_in_sixteen_bits():
    image = np.random.default_rng(2).uniform(size=(4, 4, 3, 2)).astype(jnp.bfloat16)
    for method in (RISE(200, 3, tolerance=0.3), KernelSHAP(Grid(3), 100, tolerance=0.3)):
        out = estimate(method, lambda x: jnp.tanh(x.sum()) + x.max(), image)
        assert out.attribution.shape == out.standard_error.shape == (4, 4, 3, 1)
        assert out.attribution.dtype == out.standard_error.dtype == jnp.float32
        assert np.isfinite(out.attribution).all()


@pytest.mark.parametrize("method", [RISE(40), KernelSHAP(samples=40)], ids=repr)
def test_without_a_tolerance_nothing_more_is_computed_and_the_text_is_as_before(method):
    assert "tolerance" not in repr(method) + describe(method)
    assert describe(replace(method, tolerance=0)) == describe(method) == repr(method)
    changed = replace(method, tolerance=0.05)
    assert repr(changed) == describe(changed) == f"{repr(method)[:-1]}, tolerance=0.05)"
    assert parse(repr(changed), METHODS, ARGUMENTS) == changed
    program = jax.make_jaxpr(partial(method, curved))(IMAGE, KEY)
    assert "while" not in {e.primitive.name for e in program.eqns}
    scans = [e.params["num_carry"] for e in program.eqns if e.primitive.name == "scan"]
    # The sum of masks alone; the matrix and the right side, and the two ends without a carry
    assert sorted(scans) == ([1] if isinstance(method, RISE) else [0, 2])
    image = IMAGE.astype(np.float32)
    plain = jax.jit(partial(method, curved))(image, KEY)
    np.testing.assert_array_equal(plain, estimate(method, image=image).attribution)


@pytest.mark.parametrize("value", ["-0.1", "True", "1e999"])
@pytest.mark.parametrize("name", ["RISE", "KernelSHAP"])
def test_a_tolerance_that_makes_no_sense_is_refused(name, value):
    with pytest.raises(InputError, match=r"tolerance is .*: give a share of the attrib"):
        parse(f"{name}(tolerance={value})", METHODS, ARGUMENTS)
    with pytest.raises(InputError, match="tolerance is nan"):
        METHODS[name](tolerance=float("nan"))
