"""The bank of blurs against SciPy, scikit-image and exact whole numbers."""

from fractions import Fraction
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.filters import gaussian

from salix.perturb import blurs as module
from salix.perturb.blur_kernels import (
    BASIS,
    BASIS_ERROR,
    BLURRING,
    LEVELS,
    basis_weights,
    gaussian_kernel,
    kernel_radius,
    level_sigma,
)
from salix.perturb.blurs import blur_planes, fixed_point_digits, fold_levels

rng = np.random.default_rng(0)
SHAPES = [(3, 40, 33), (1, 9, 70), (2, 5, 4)]  # blocks cut short, and images below one kernel


@partial(jax.jit, static_argnames="eight_bit")
def _bank(planes, eight_bit):
    def write(all, level, blurred):
        return all.at[level].set(blurred)

    return fold_levels(planes, write, jnp.repeat(planes[None], LEVELS, 0), eight_bit=eight_bit)


def bank(planes, eight_bit):
    """Return the image at every level."""
    return np.asarray(_bank(planes, eight_bit))


def texture(shape):
    return rng.integers(0, 256, shape).astype(np.float32)


def test_levels_follow_the_quartic_curve():
    assert level_sigma(100) == pytest.approx(10)
    assert level_sigma(50) == pytest.approx(0.625)
    assert level_sigma(0) == 0
    assert [kernel_radius(level_sigma(b)) for b in (33, 34, 44, 45, 100)] == [0, 1, 1, 2, 40]
    assert tuple(range(34, 101)) == BLURRING


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_floats_agree_with_scipy_and_scikit_image_at_every_level(shape):
    planes = texture(shape)
    result = bank(planes, eight_bit=False)
    for level in range(LEVELS):
        sigma = level_sigma(level)
        for plane, mine in zip(planes.astype(float), result[level], strict=True):
            expected = gaussian_filter(plane, sigma)
            np.testing.assert_allclose(mine, expected, atol=2e-4)
            peer = gaussian(plane, sigma, mode="reflect", preserve_range=True)
            np.testing.assert_allclose(mine, peer, atol=2e-4)


@pytest.mark.parametrize("shape", SHAPES[:2], ids=str)
def test_8_bits_agree_with_scipy_pixel_by_pixel(shape):
    planes = texture(shape)
    result = bank(planes, eight_bit=True)
    wrong = [
        mine - gaussian_filter(plane.astype(np.uint8), level_sigma(level)).astype(float)
        for level in BLURRING
        for plane, mine in zip(planes, result[level], strict=True)
    ]
    assert np.abs(wrong).max() <= 1
    assert np.mean(np.array(wrong) != 0) < 1e-3  # where SciPy's own sums are whole by chance


def test_8_bits_are_exact_in_rational_arithmetic():
    row = texture((1, 1, 60))
    result = bank(row, eight_bit=True)  # down a column of one pixel, mirrored, nothing changes
    for level in (34, 40, 41, 47, 60, 75, 88, 100):
        sigma = level_sigma(level)
        reach = kernel_radius(sigma)
        weights = [Fraction(float(w)) for w in gaussian_kernel(sigma, reach)]
        complete = [w / sum(weights) for w in weights]
        padded = [Fraction(int(v)) for v in np.pad(row[0, 0], reach, mode="symmetric")]
        expected = [
            sum(w * v for w, v in zip(complete, padded[i:], strict=False)) // 1 for i in range(60)
        ]
        np.testing.assert_array_equal(result[level, 0, 0], [int(v) for v in expected])


@pytest.mark.parametrize("eight_bit", [False, True])
def test_flat_ground_stays(eight_bit):
    for grey in (0, 1, 128, 254, 255):
        result = bank(np.full((1, 6, 35), grey, np.float32), eight_bit)
        if eight_bit:
            assert (result == grey).all()
        else:
            np.testing.assert_allclose(result, grey, rtol=1e-6)


@pytest.mark.slow
def test_one_blur_is_the_bank_at_that_sigma_and_scipys_of_the_map():
    planes = texture((2, 50, 40))
    smooth = jax.jit(lambda p: blur_planes(p, 5.0, eight_bit=True))
    for eight_bit in (False, True):
        result = bank(planes, eight_bit)
        alone = jax.jit(lambda p, e=eight_bit: blur_planes(p, level_sigma(90), eight_bit=e))(planes)
        np.testing.assert_allclose(alone, result[90], atol=1e-4)
    for grey in (planes[0], np.maximum(planes[0] - 200, 0), 255 - np.maximum(planes[0] - 200, 0)):
        result = smooth(grey[None])[0]
        np.testing.assert_array_equal(result, gaussian_filter(grey.astype(np.uint8), 5))


def test_more_blur_is_less_detail_and_the_mean_stays():
    planes = texture((1, 64, 64))
    result = bank(planes, eight_bit=False)[:, 0]
    assert (np.diff(result.std((1, 2))[35:]) < 0).all()  # from where 32 bits show it
    np.testing.assert_allclose(result.mean((1, 2)), planes.mean(), rtol=1e-4)  # mirrored edges
    assert (result[:34] == planes[0]).all()


def test_digits_are_the_weights():
    for level in BLURRING:
        weights = gaussian_kernel(level_sigma(level), 40)
        first, second = fixed_point_digits(weights)
        complete = first * 2**15 + second
        assert complete.sum() == 2**30
        assert first.max() <= 2**15
        assert (second < 2**15).all()
        if weights[41] >= module.SMALLEST_WEIGHT:
            np.testing.assert_allclose(complete / 2**30, weights, atol=1e-8)


def test_batches_are_loops_and_transposes_commute():
    images = texture((2, 1, 40, 40))
    alone = jax.jit(lambda p: blur_planes(p, 3.0))
    together = jax.jit(jax.vmap(lambda p: blur_planes(p, 3.0)))(images)
    for image, blurred in zip(images, together, strict=True):
        np.testing.assert_allclose(alone(image), blurred, atol=1e-4)
        turned = np.swapaxes(image, 1, 2).copy()
        np.testing.assert_allclose(np.swapaxes(alone(turned), 1, 2), blurred, atol=1e-4)


def test_every_level_is_a_sum_of_the_basis_within_the_stated_error():
    kernels = [gaussian_filter(np.eye(1, 161, 80)[0], level_sigma(b)) for b in range(LEVELS)]
    kernels = np.array([np.outer(k, k).ravel() for k in kernels])
    weights = basis_weights()
    assert weights.shape == (LEVELS, 1 + len(BASIS))
    basis = kernels[[0, *BASIS]]
    error = np.abs(weights @ basis - kernels).sum(1) / 2  # of any image of values in [0, 1]
    assert 0.9 * BASIS_ERROR < error.max() <= BASIS_ERROR
    assert error[[0, 20, *BASIS]].max() < 1e-12
    assert np.sqrt(((weights @ basis - kernels) ** 2).sum(1)).max() < 2e-5
    np.testing.assert_allclose(weights.sum(1), 1, atol=BASIS_ERROR)
    assert np.abs(weights).sum(1).max() < 7  # rounding is not amplified


def test_a_subset_of_levels_is_folded_in_their_order_and_sampled_by_the_stride():
    planes = jnp.asarray(texture((1, 40, 72)))
    levels = (40, 62, 90)
    add = lambda total, level, blurred: (*total[1:], (level, blurred))  # noqa: E731
    empty = lambda shape: ((jnp.int32(0), jnp.zeros(shape)),) * 3  # noqa: E731
    for stride, eight_bit in ((1, False), (4, False), (8, True)):
        initial = empty(planes[:, ::stride, ::stride].shape)
        chosen = fold_levels(
            planes, add, initial, levels=levels, stride=stride, eight_bit=eight_bit
        )
        assert [int(level) for level, _ in chosen] == list(levels)
        for level, blurred in chosen:
            expected = blur_planes(planes, level_sigma(int(level)), eight_bit=eight_bit)
            np.testing.assert_allclose(blurred, expected[:, ::stride, ::stride], atol=1e-4)
