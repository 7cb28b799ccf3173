"""What every metric of maps promises, checked for all of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.metrics import METRICS, histogram_entropy
from salix.typing import InputError
from tests.metrics.conformance import names

OF_ONE = [METRICS[name].function for name in names(1)]
OF_TWO = [METRICS[name].function for name in names(2)]
SPACES = [(12,), (9, 8), (7, 8, 9)]
name = lambda f: f.__name__ if callable(f) else str(f)  # noqa: E731


def call(metric, a, b, wrap=jax.jit):
    return wrap(metric)(a) if metric in OF_ONE else wrap(metric)(a, b)


def maps(space, count=2, dtype=np.float32):
    return np.random.default_rng(0).uniform(size=(count, *space)).astype(dtype)


@pytest.mark.parametrize(
    "space",
    [pytest.param(s, marks=pytest.mark.slow) if len(s) != 2 else s for s in SPACES],
    ids=len,
)
@pytest.mark.parametrize("metric", OF_ONE + OF_TWO, ids=name)
def test_numpy_jax_and_jit_agree_on_a_float32_scalar(metric, space):
    a, b = maps(space)
    out = call(metric, a, b)
    assert (out.shape, out.dtype) == ((), jnp.float32)
    assert np.isfinite(out)
    if len(space) == 2:
        eager = call(metric, a, b, wrap=lambda f: f)
        assert float(call(metric, jnp.asarray(a), b, wrap=lambda f: f)) == float(eager)
        np.testing.assert_allclose(eager, out, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("metric", OF_ONE + OF_TWO, ids=name)
def test_vmap_is_a_loop_and_a_bad_neighbour_does_no_harm(metric):
    batch, other = maps((9, 8), 5), maps((9, 8), 10)[5:]
    batch[2], batch[3] = 0, np.nan
    together = jax.jit(jax.vmap(lambda a, b: call(metric, a, b)))(batch, other)
    alone = [call(metric, a, b) for a, b in zip(batch, other, strict=True)]
    np.testing.assert_allclose(together, np.stack(alone), rtol=1e-5, atol=1e-6)
    assert np.isfinite(np.asarray(together)[[0, 1, 4]]).all()
    assert np.isnan(together[3])


@pytest.mark.parametrize("metric", OF_ONE + OF_TWO, ids=name)
def test_float64_is_kept_and_closes_in_on_float32(metric):
    a, b = maps((9, 8))
    with jax.enable_x64(True):
        double = call(metric, a.astype(np.float64), b.astype(np.float64))
        assert double.dtype == jnp.float64
    tolerance = 0.1 if metric is histogram_entropy else 1e-5  # a pixel may cross a grey level
    np.testing.assert_allclose(double, call(metric, a, b), rtol=tolerance, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("metric", OF_ONE + OF_TWO, ids=name)
def test_half_precision_is_computed_in_single(metric):
    a, b = (jnp.asarray(m, jnp.bfloat16) for m in maps((9, 8)))
    half = call(metric, a, b)
    assert half.dtype == jnp.float32
    single = call(metric, a.astype(jnp.float32), b.astype(jnp.float32))
    assert float(half) == float(single)


@pytest.mark.slow
@pytest.mark.parametrize("metric", OF_TWO, ids=name)
def test_mixed_types_meet_in_the_wider(metric):
    a, b = maps((9, 8))
    grey = (255 * b).astype(np.uint8)
    value = jax.jit(metric)(a, grey)
    shares = "reference mask" in METRICS[metric.__name__].needs
    b = grey / np.float32(255) if shares else grey.astype(np.float32)
    expected = jax.jit(metric)(a, b)
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    with jax.enable_x64(True):
        assert jax.jit(metric)(a.astype(np.float64), b).dtype == jnp.float64
        assert np.isfinite(jax.jit(metric)(a, b.astype(np.float64)))


@pytest.mark.parametrize("metric", OF_TWO, ids=name)
def test_maps_of_two_shapes_are_refused_by_name(metric):
    a = np.ones((9, 8), np.float32)
    for b in (np.ones((8, 9), np.float32), np.ones((9, 1), np.float32)):  # nothing broadcasts
        with pytest.raises(InputError, match=rf"\(9, 8\).*\({b.shape[0]}, {b.shape[1]}\)"):
            metric(a, b)


@pytest.mark.parametrize("metric", OF_ONE + OF_TWO, ids=name)
def test_a_map_without_pixels_is_refused(metric):
    empty = np.zeros((0, 7), np.float32)
    with pytest.raises(InputError, match="no pixels"):
        call(metric, empty, empty)


@pytest.mark.parametrize("metric", OF_ONE + OF_TWO, ids=name)
def test_the_callers_map_is_not_changed(metric):
    a, b = maps((9, 8))
    before = a.copy(), b.copy()
    call(metric, a, b)
    np.testing.assert_array_equal(a, before[0])
    np.testing.assert_array_equal(b, before[1])
