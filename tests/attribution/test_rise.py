"""RISE: the masks by scikit-image, the weighted mean by NumPy, laws and options."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage.transform import resize

from salix.attribution import METHODS, RISE
from salix.spec import parse
from salix.typing import InputError

KEY = jax.random.key(0)
SPACE = (13, 9)
METHOD = RISE(6, side=4)


def masks(method, space=SPACE, key=KEY):
    """The method's masks, by the code of the paper: enlarged by resizing, then cut out."""
    sides = [min(method.side, n) for n in space]
    cells = [-(-n // s) for n, s in zip(space, sides, strict=True)]
    _, key = jax.random.split(key)
    for i in range(method.masks):
        points_key, shift_key = jax.random.split(jax.random.fold_in(key, i))
        points = jax.random.bernoulli(points_key, method.probability, tuple(sides))
        shifts = np.asarray(jax.random.uniform(shift_key, (len(space),))) * cells
        size = [(s + 1) * c for s, c in zip(sides, cells, strict=True)]
        large = resize(np.asarray(points, float), size, 1, mode="edge", anti_aliasing=False)
        yield large[tuple(slice(int(t), int(t) + n) for t, n in zip(shifts, space, strict=True))]


def curved(x, np=jnp):
    return np.tanh(x).sum() ** 2 + 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("space", "method"),
    [
        (SPACE, METHOD),
        (SPACE, replace(METHOD, norm="masks", fill=-0.5, chunk=4)),
        ((20,), replace(METHOD, side=7, probability=0.3, fill="mean", chunk=6)),
        ((5, 4, 3), replace(METHOD, side=4)),
    ],
    ids=repr,
)
def test_the_mean_of_masks_weighted_by_scores(space, method):
    image = np.random.default_rng(0).uniform(size=(*space, 2))
    with jax.enable_x64(True):
        out = jax.jit(partial(method, curved))(image, KEY)
        drawn = np.array(list(masks(method, space)))
    fill = image.mean(tuple(range(len(space)))) if method.fill == "mean" else method.fill
    scores = [curved(m[..., None] * image + (1 - m[..., None]) * fill, np) for m in drawn]
    total = np.tensordot(scores, drawn, 1)
    norm = drawn.sum(0) if method.norm == "masks" else method.probability * len(drawn)
    np.testing.assert_allclose(out[..., 0], total / norm, rtol=1e-6)


@pytest.mark.slow
def test_masks_have_the_stated_mean_at_each_pixel_and_both_norms_agree_at_length():
    image, one = np.ones((*SPACE, 1), np.float32), lambda x: x.sum() * 0 + 3
    method = RISE(2000, side=4, probability=0.3, chunk=100)
    expectation = jax.jit(partial(method, one))(image, KEY)[..., 0] / 3
    # The mean of the masks over p: 5 standard errors of a Bernoulli mask
    np.testing.assert_allclose(expectation, 1, atol=5 * np.sqrt(0.7 / 0.3 / 2000))
    by_masks = jax.jit(partial(replace(method, norm="masks"), one))(image, KEY)
    np.testing.assert_allclose(by_masks, 3, rtol=1e-5)


@pytest.mark.slow
def test_noise_falls_as_one_over_the_root_of_masks():
    image = np.random.default_rng(0).uniform(size=(*SPACE, 1)).astype(np.float32)
    keys, spread = jax.random.split(KEY, 100), []
    for count in (16, 256):
        maps = jax.jit(jax.vmap(partial(RISE(count, side=4), curved, image)))(keys)
        spread.append(float(np.asarray(maps).std(0).mean()))
    assert np.log(spread[0] / spread[1]) / np.log(16) == pytest.approx(0.5, abs=0.05)


def test_a_planted_pixel_is_the_brightest():
    image = np.ones((16, 16, 1), np.float32)
    score = lambda x: x[4, 11, 0]  # noqa: E731
    map = np.asarray(jax.jit(partial(RISE(400, chunk=20), score))(image, KEY))[..., 0]
    y, x = np.unravel_index(map.argmax(), map.shape)
    assert abs(y - 4) <= 1
    assert abs(x - 11) <= 1


@pytest.mark.parametrize(
    "text", ["RISE(masks=0)", "RISE(probability=1)", "RISE(norm='sum')", "RISE(side=0)"]
)
def test_settings_that_make_no_sense_are_refused(text):
    with pytest.raises(InputError, match=r"masks|probability|norm|side"):
        parse(text, METHODS)
