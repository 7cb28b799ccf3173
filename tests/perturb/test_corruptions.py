"""The corruptions of an image, against scikit-image and SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.ndimage import gaussian_filter
from skimage.util import img_as_float, random_noise

from salix.perturb.corruptions import (
    CORRUPTIONS,
    gaussian_blur,
    gaussian_noise,
    salt_and_pepper,
)
from salix.perturb.grey import grey_levels
from salix.typing import Explainer, InputError

KEY = jax.random.key(0)
rng = np.random.default_rng(0)
IMAGE = (rng.integers(1, 255, (64, 64, 3)) / 255).astype(np.float32)  # neither salt nor pepper
GREYS = np.arange(256, dtype=np.uint8)


@pytest.mark.parametrize("amount", [0.01, 0.25, 0.75])
def test_salt_and_pepper_is_distributed_as_in_scikit_image(amount):
    shape = (200, 200, 3)
    ours = np.asarray(salt_and_pepper(jnp.full(shape, 0.5), amount, KEY))
    theirs = random_noise(np.full(shape, 0.5), mode="s&p", amount=amount, rng=1)
    for value in (0, 0.5, 1):
        n, m = (int((x == value).sum()) for x in (ours, theirs))
        total = ours.size
        assert stats.fisher_exact([[n, total - n], [m, total - m]]).pvalue > 1e-3
    # each channel by itself: all three are replaced as often as chance has it
    together = int((ours != 0.5).all(-1).sum())
    assert stats.binomtest(together, 200 * 200, amount**3).pvalue > 1e-3
    first, second = ours[(ours[..., :2] != 0.5).all(-1)][:, :2].T
    if first.size:
        assert stats.binomtest(int((first == second).sum()), first.size, 0.5).pvalue > 1e-3


def test_salt_and_pepper_at_its_ends():
    np.testing.assert_array_equal(salt_and_pepper(IMAGE, 0, KEY), IMAGE)
    assert set(np.unique(salt_and_pepper(IMAGE, 1, KEY))) == {0, 1}


def test_more_noise_keeps_what_less_replaced():
    few, many = (np.asarray(salt_and_pepper(IMAGE, amount, KEY)) for amount in (0.1, 0.5))
    replaced = few != IMAGE
    assert 0 < replaced.sum() < (many != IMAGE).sum()
    np.testing.assert_array_equal(many[replaced], few[replaced])


def test_gaussian_noise_is_distributed_as_in_scikit_image():
    ours = np.asarray(gaussian_noise(jnp.full((100, 100, 3), 0.7), 0.2, KEY)).ravel()
    theirs = random_noise(np.full((100, 100, 3), 0.7), mode="gaussian", var=0.04, rng=1).ravel()
    assert stats.ks_2samp(ours, theirs).pvalue > 1e-3
    assert ours.max() == 1  # clipped
    assert ours.min() >= 0
    twice = np.asarray(gaussian_noise(jnp.full((9, 9, 3), 0.5), 0.02, KEY)) - 0.5
    once = np.asarray(gaussian_noise(jnp.full((9, 9, 3), 0.5), 0.01, KEY)) - 0.5
    np.testing.assert_allclose(twice, 2 * once, atol=1e-6)  # one draw, scaled


@pytest.mark.parametrize("shape", [(17, 23, 3), (23, 17, 1), (40, 2), (5, 6, 7, 2), (1, 9, 3)])
def test_blur_is_that_of_scipy(shape):
    x = rng.uniform(size=shape).astype(np.float32)
    blur = jax.jit(gaussian_blur)
    for sigma in (0, 0.12, 0.3, 0.625, 1, 2.5, 6):
        sigmas = [min(sigma, side) for side in shape[:-1]] + [0]
        expected = gaussian_filter(x.astype(float), sigmas, mode="nearest", truncate=4)
        np.testing.assert_allclose(blur(x, jnp.float32(sigma), KEY), expected, atol=1e-6)
    np.testing.assert_array_equal(blur(x, jnp.float32(0), KEY), x)


@pytest.mark.parametrize("corrupt", [salt_and_pepper, gaussian_noise, gaussian_blur])
def test_over_strengths_vmap_is_a_loop_and_the_key_decides(corrupt):
    strengths, jitted = jnp.array([0.1, 0.5, 0.9]), jax.jit(corrupt)
    together = jax.jit(jax.vmap(lambda s: corrupt(IMAGE, s, KEY)))(strengths)
    alone = [jitted(IMAGE, s, KEY) for s in strengths]
    np.testing.assert_allclose(together, np.stack(alone), atol=1e-6)
    other = jitted(IMAGE, strengths[1], jax.random.key(1))
    assert bool((other == alone[1]).all()) == (corrupt is gaussian_blur)


def test_truncation_lowers_the_24_levels_that_the_released_files_lose():
    released = (img_as_float(GREYS) * 255).astype(np.uint8)
    result = grey_levels(jnp.asarray(GREYS[:, None] / 255, jnp.float32), "truncate")
    np.testing.assert_array_equal(result[:, 0], released)
    lowered = GREYS[released != GREYS]
    assert lowered.tolist() == [
        *(33, 37, 41, 45, 49, 53, 57, 61, 66, 74, 82, 90),
        *(98, 106, 114, 122, 132, 148, 164, 180, 196, 212, 228, 244),
    ]
    np.testing.assert_array_equal(released[lowered], lowered - 1)


@pytest.mark.parametrize(
    ("mean", "std"),
    [((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), ((0.5,), (0.5,)), ((0.0,), (1 / 255,))],
)
def test_levels_survive_normalisation(mean, std):
    explainer = Explainer(lambda image, target: image, mean, std)
    image = np.repeat(GREYS.reshape(16, 16, 1), 3, -1).astype(np.float32) / 255
    there = explainer.image(jnp.asarray(image))
    back = jax.jit(explainer.pixels)(there)
    np.testing.assert_array_equal(grey_levels(back), image * 255)
    expected = (img_as_float(GREYS) * 255).astype(np.uint8).reshape(16, 16)
    for channel in range(3):
        np.testing.assert_array_equal(grey_levels(back, "truncate")[..., channel], expected)


def test_values_between_levels_and_outside():
    x = jnp.array([[-0.2, 0.25 / 255, 99.4 / 255, 99.6 / 255, 1, 1.7]])
    assert grey_levels(x).tolist() == [[0, 0, 99, 100, 255, 255]]
    assert grey_levels(x, "truncate").tolist() == [[0, 0, 99, 99, 255, 255]]


def test_an_unknown_rounding_is_refused():
    with pytest.raises(InputError, match=r"ceil.*round, truncate"):
        grey_levels(jnp.zeros((2, 2, 1)), "ceil")


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_one_draw_serves_every_strength(name):
    corruption = CORRUPTIONS[name]
    functions = {"salt_and_pepper": salt_and_pepper, "gaussian": gaussian_noise}
    alone = functions.get(name, corruption.apply)
    draw = corruption.draw(IMAGE, KEY)
    for level in corruption.levels[1:4]:
        strength = jnp.float32(level)
        expected = alone(IMAGE, strength, KEY)
        np.testing.assert_array_equal(corruption.apply(IMAGE, strength, draw), expected)
