"""Occlusion: exactness on linear scores, a slow NumPy version, edges, options."""

import re
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.attribution import METHODS, Occlusion
from salix.spec import parse
from salix.typing import InputError, Passes

KEY = jax.random.key(0)
rng = np.random.default_rng(0)


def slow(score, image, window, stride, fill, combine):
    space = image.shape[:-1]
    total, number = np.zeros(space), np.zeros(space)
    ranges = []
    for length in space:
        starts, start = [0], 0
        while start + window < length:
            start += stride
            starts.append(start)
        ranges.append(starts)
    for starts in product(*ranges):
        at = tuple(slice(s, s + window) for s in starts)
        changed = image.copy()
        changed[at] = fill
        total[at] += score(image, np) - score(changed, np)
        number[at] += 1
    assert (number > 0).all()
    return (total / number if combine == "mean" else total)[..., None]


def curved(x, np=jnp):
    return np.tanh(x).prod(-1).sum() ** 2 + np.sin(3 * x).sum()


@pytest.mark.parametrize(
    ("space", "window", "stride", "combine", "chunk"),
    [
        ((11,), 4, 3, "mean", 3),
        ((9, 7), 3, 2, "mean", 1),
        ((9, 7), 3, 1, "sum", 5),  # PAIR's loop
        ((5, 4, 6), 3, 3, "sum", 4),
        ((9, 7), 8, 5, "mean", 4),
        ((9, 7), 30, 1, "sum", 1),
    ],
)
def test_slow_version(space, window, stride, combine, chunk):
    image = rng.normal(size=(*space, 2))
    with jax.enable_x64(True):
        method = Occlusion(window, stride, 0.5, combine, chunk)
        out = jax.jit(lambda x: method(curved, x, KEY))(image)
        np.testing.assert_allclose(
            out, slow(curved, image, window, stride, 0.5, combine), rtol=1e-9, atol=1e-12
        )


@pytest.mark.slow
def test_disjoint_windows_of_a_linear_score_are_complete():
    image, weights = rng.normal(size=(2, 8, 6, 3))
    with jax.enable_x64(True):
        out = np.asarray(
            Occlusion(2, 2, (1.0, 2.0, 3.0))(lambda x: (x * weights).sum(), image, KEY)
        )
    parts = (weights * (image - [1, 2, 3])).sum(-1)
    expected = parts.reshape(4, 2, 3, 2).sum((1, 3))
    np.testing.assert_allclose(out[..., 0], expected.repeat(2, 0).repeat(2, 1), rtol=1e-9)
    np.testing.assert_allclose(out.sum() / 4, parts.sum(), rtol=1e-9)


def test_one_number_an_axis_and_half_a_window_by_default():
    image = rng.normal(size=(9, 8, 1)).astype(np.float32)
    method = Occlusion((3, 8), (2, 4))
    assert method.passes(image.shape) == Passes(evaluations=1 + 4 * 1)
    assert jax.eval_shape(lambda x: method(curved, x, KEY), image).shape == (9, 8, 1)
    assert Occlusion(5).passes((9, 8, 1)) == Occlusion(5, 3).passes((9, 8, 1))
    assert Occlusion(1).passes((9, 8, 1)) == Passes(evaluations=73)
    assert Occlusion().passes((224, 224, 3)) == Passes(evaluations=1 + 27**2)


def test_a_planted_pixel_is_under_the_strongest_windows():
    image = np.ones((12, 12, 1), np.float32)
    score = lambda x: 2 * x[4, 7, 0] + 0.1 * x.mean()  # noqa: E731
    out = np.asarray(jax.jit(lambda x: Occlusion(3, 1)(score, x, KEY))(image))
    assert np.unravel_index(out.argmax(), out.shape)[:2] == (4, 7)


@pytest.mark.parametrize("settings", [{"window": 3, "stride": 4}, {"window": (4, 2), "stride": 3}])
def test_a_stride_that_leaves_pixels_out_is_refused(settings):
    with pytest.raises(InputError, match=r"stride .* leaves pixels without a window"):
        Occlusion(**settings)(curved, np.zeros((8, 8, 1), np.float32), KEY)


@pytest.mark.parametrize("settings", [{"window": (3, 3, 3)}, {"stride": (1,)}])
def test_windows_of_other_axes_are_refused(settings):
    for ask in (
        lambda m: m(curved, np.zeros((8, 8, 1), np.float32), KEY),
        lambda m: m.passes((8, 8, 1)),
    ):
        with pytest.raises(InputError, match="give one number for each"):
            ask(Occlusion(**settings))


@pytest.mark.parametrize(
    "text",
    [
        "Occlusion(window=0)",
        "Occlusion(window=2.5)",
        "Occlusion(window=(3, 3), stride=(1, 1, 1))",
        "Occlusion(stride=0)",
        "Occlusion(combine='max')",
        "Occlusion(fill='grey')",
        "Occlusion(chunk=0)",
    ],
)
def test_settings_that_make_no_sense_are_refused(text):
    with pytest.raises(InputError, match=re.search(r"\((\w+)", text)[1]):
        parse(text, METHODS)
