"""Effective complexity, total variation and the units of the spatial entropy."""

import math

import jax
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from salix import metrics
from salix.typing import InputError

count = jax.jit(metrics.effective_complexity, static_argnames=("eps", "normalise"))
variation = jax.jit(metrics.total_variation, static_argnames="normalise")
entropy = jax.jit(metrics.spatial_entropy, static_argnames=("normalise", "unit"))
shape = st.sampled_from([(9,), (4, 5), (3, 4, 2)])
maps = hnp.arrays(np.int8, shape, elements=st.integers(-8, 8)).filter(np.any)


@settings(deadline=None, max_examples=25)
@given(maps)
def test_counts_equal_numpy(map):
    a = np.abs(map.astype(float)) / np.abs(map.astype(float)).max()
    for scale in (1, -1, 2.0**100):
        scaled = map.astype(np.float32) * np.float32(scale)
        assert float(count(scaled)) == (a > 0).sum()
        assert float(count(scaled, eps=0.5)) == (a > 0.5).sum()
    assert float(count(map.astype(np.float32), normalise=True)) == pytest.approx((a > 0).mean())


@settings(deadline=None, max_examples=25)
@given(maps)
def test_variation_equals_numpy(map):
    wide = map.astype(float)
    differences = [np.abs(np.diff(wide, axis=i)) for i in range(wide.ndim)]
    raw = float(variation(map.astype(np.float32), normalise=False))
    assert raw == pytest.approx(sum(d.sum() for d in differences), abs=1e-4)
    a = np.abs(wide) / np.abs(wide).max()
    pairs = np.concatenate([np.abs(np.diff(a, axis=i)).ravel() for i in range(a.ndim)])
    for scale in (1, -1, 2.0**90):
        value = float(variation(map.astype(np.float32) * np.float32(scale)))
        assert value == pytest.approx(pairs.mean(), abs=1e-6)
    assert float(variation(np.flip(map).astype(np.float32))) == pytest.approx(value, abs=1e-6)


def test_extremes():
    board = (np.indices((6, 6)).sum(0) % 2).astype(np.float32)
    flat, ramp = np.full((6, 6), -3, np.float32), np.arange(5, dtype=np.float32)
    assert float(variation(board)) == 1
    assert float(variation(flat)) == 0
    assert float(variation(ramp, normalise=False)) == 4  # of monotone values: the range
    assert (float(count(flat)), float(count(board))) == (36, 18)
    spike = np.zeros((6, 6), np.float32)
    spike[2, 3] = 1
    assert float(count(spike + np.float32(1e-6))) == 1


@pytest.mark.parametrize("map", [np.random.default_rng(0).exponential(size=(8, 9)), np.eye(8)])
def test_entropy_in_nats_and_bits(map):
    map = map.astype(np.float32)
    nats = scipy.stats.entropy(np.abs(map.astype(float)).ravel())
    assert float(entropy(map, normalise=False, unit="nats")) == pytest.approx(nats, rel=1e-5)
    bits = float(entropy(map, normalise=False))
    assert bits == pytest.approx(nats / math.log(2), rel=1e-5)
    assert (
        float(entropy(map, unit="nats"))
        == float(entropy(map))
        == pytest.approx(bits / math.log2(map.size))
    )


def test_undefined_is_nan():
    map = np.ones((3, 3), np.float32)
    for bad in (np.nan, np.inf, -np.inf):
        map[1, 1] = bad
        for metric in (count, variation, lambda m: variation(m, normalise=False)):
            assert np.isnan(metric(map))
    zero = np.zeros((3, 3), np.float32)
    assert np.isnan(count(zero))
    assert np.isnan(variation(zero))
    assert float(variation(zero, normalise=False)) == 0
    one = np.ones((1, 1), np.float32)
    assert np.isnan(variation(one))
    assert float(count(one)) == 1


def test_gradients():
    map = np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)
    assert not np.asarray(jax.grad(count)(map)).any()
    gradient = np.asarray(jax.grad(lambda m: variation(m, normalise=False))(map))
    step = np.float32(1e-2) * np.sign(gradient)
    assert float(variation(map + step, normalise=False)) > float(variation(map, normalise=False))
    assert np.isfinite(jax.grad(variation)(map)).all()


def test_unusable_options():
    map = np.ones((3, 3), np.float32)
    with pytest.raises(InputError, match=r"eps is 1: .*\[0, 1\)"):
        metrics.effective_complexity(map, eps=1)
    with pytest.raises(InputError, match="unit is 'bans': choose one of bits, nats"):
        metrics.spatial_entropy(map, unit="bans")
