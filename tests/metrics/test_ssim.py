"""SSIM against scikit-image, at every size, and its laws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.metrics import structural_similarity

from salix import metrics
from salix.typing import InputError

ssim = jax.jit(metrics.ssim, static_argnames=("window",))  # one compilation a shape
rng = np.random.default_rng(0)
units = hnp.arrays(np.float32, (8, 8), elements=st.floats(0, 1, width=32, allow_subnormal=False))


def peer(a, b, **settings):
    return float(np.asarray(structural_similarity(a, b, **settings)))


def pair(shape, dtype: type = np.float32):
    a = rng.uniform(size=shape)
    b = np.clip(a + rng.normal(scale=0.2, size=shape), 0, 1)
    return a.astype(dtype), b.astype(dtype)


SIZES = [(7, 7), (7, 8), (8, 8), (10, 10), (224, 224), (40,), (7,), (7, 7, 7)]
OTHER_WINDOWS = [((3, 3), 3), ((9, 8, 7), 3), ((16, 13), 5), ((12, 12), 11)]


@pytest.mark.parametrize(("shape", "window"), [*((size, 7) for size in SIZES), *OTHER_WINDOWS])
def test_floats_agree_with_scikit_image(shape, window):
    a, b = pair(shape)
    expected = peer(a.astype(np.float64), b.astype(np.float64), win_size=window, data_range=1.0)
    assert 0.1 < expected < 0.99
    np.testing.assert_allclose(ssim(a, b, window=window), expected, rtol=2e-5)
    with jax.enable_x64(True):
        double = ssim(a.astype(np.float64), b.astype(np.float64), window=window)
        np.testing.assert_allclose(double, expected, rtol=1e-12)


@pytest.mark.parametrize("shape", [(7, 7), (8, 8), (60, 50), (7, 7, 9)])
def test_8_bit_maps_agree_with_scikit_image(shape):
    a, b = ((255 * v).astype(np.uint8) for v in pair(shape))
    np.testing.assert_allclose(
        ssim(a, b, data_range=255), peer(a, b), rtol=2e-5
    )  # scikit-image takes the range of uint8 to be 255


def test_one_window_is_the_published_formula():
    a, b = pair((7, 7), np.float64)
    c1, c2 = 0.01**2, 0.03**2
    cov = np.cov(a.ravel(), b.ravel())  # over N - 1
    expected = ((2 * a.mean() * b.mean() + c1) * (2 * cov[0, 1] + c2)) / (
        (a.mean() ** 2 + b.mean() ** 2 + c1) * (cov[0, 0] + cov[1, 1] + c2)
    )
    np.testing.assert_allclose(ssim(a, b), expected, rtol=1e-5)


def test_faint_texture_on_a_bright_map_does_not_cancel():
    # float32 squares of 255 carry an error of 0.004: without the offset it swamps the texture
    a, b = (250 + rng.normal(scale=0.05, size=(32, 32)) for _ in range(2))
    a, b = a.astype(np.float32), b.astype(np.float32)
    expected = peer(a.astype(np.float64), b.astype(np.float64), data_range=1.0)
    np.testing.assert_allclose(ssim(a, b), expected, atol=1e-3)


def test_flat_maps():
    flat = lambda v: np.full((9, 9), v, np.float32)  # noqa: E731
    x, y, c1 = 0.2, 0.7, 0.01**2
    np.testing.assert_allclose(
        ssim(flat(x), flat(y)), (2 * x * y + c1) / (x * x + y * y + c1), rtol=1e-6
    )
    np.testing.assert_allclose(ssim(flat(0), flat(0)), 1)


@settings(deadline=None, max_examples=50)
@given(units, units)
def test_laws(a, b):
    assert float(ssim(a, a)) == pytest.approx(1, abs=1e-5)
    value = float(ssim(a, b))
    assert -1 - 1e-5 <= value <= 1 + 1e-5
    assert float(ssim(b, a)) == pytest.approx(value, abs=1e-5)
    for turn in (np.fliplr, np.flipud, np.transpose):
        assert float(ssim(turn(a).copy(), turn(b).copy())) == pytest.approx(value, abs=1e-4)
    assert float(ssim(255 * a, 255 * b, data_range=255)) == pytest.approx(value, abs=1e-4)


def test_an_inverted_map_is_unlike():
    a, _ = pair((9, 9))
    assert float(ssim(a, 1 - a)) < -0.5


def test_a_traced_data_range():
    a, b = pair((9, 9))
    spread = jax.jit(
        lambda a, b: ssim(a, b, window=5, data_range=jnp.maximum(jnp.ptp(a), jnp.ptp(b)))
    )(a, b)
    expected = peer(a, b, win_size=5, data_range=max(np.ptp(a), np.ptp(b)))
    np.testing.assert_allclose(spread, expected, rtol=1e-4)


def test_gradient_is_that_of_finite_differences():
    a, b = pair((8, 7), np.float64)
    with jax.enable_x64(True):
        gradient = np.asarray(jax.grad(ssim)(a, b))
        slow, h = np.zeros_like(a), 1e-6
        for pixel in np.ndindex(a.shape):
            step = np.zeros_like(a)
            step[pixel] = h
            slow[pixel] = (ssim(a + step, b) - ssim(a - step, b)) / (2 * h)
    np.testing.assert_allclose(gradient, slow, rtol=1e-5, atol=1e-8)
    flat = jnp.zeros((7, 7))
    assert np.isfinite(jax.grad(ssim)(flat, flat)).all()


@pytest.mark.parametrize(
    ("shape", "window"), [((6, 9), 7), ((9, 6), 7), ((9, 9), 1), ((9, 9), 0), ((), 7)]
)
def test_a_window_that_does_not_fit_is_refused(shape, window):
    m = np.zeros(shape, np.float32)
    with pytest.raises(InputError, match=rf"{window}.*\({', '.join(map(str, shape))}"):
        ssim(m, m, window=window)


def test_nan_spreads():
    a, b = pair((7, 7))
    a[0, 0] = np.nan
    assert np.isnan(ssim(a, b))
