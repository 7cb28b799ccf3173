"""What every attribution method promises, checked for all of them."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salix.attribution import METHODS, SmoothGrad
from salix.spec import parse
from salix.typing import InputError, Score

KEY = jax.random.key(0)
ON_GRID = {
    "CAM", "EigenCAM", "GradCAM", "GradCAMPlusPlus", "HiResCAM", "LayerCAM", "XGradCAM",
}  # fmt: skip
ONE_CHANNEL = {*ON_GRID, "XRAI"}
SPACES = [(6,), (6, 4), (4, 6, 2)]
numbers = st.floats(-1e30, 1e30) | st.integers(-1000, 1000)


def network(space, dtype: type = np.float32):
    """A score of images `[*space 3]` with 5 features on a grid of half the size."""
    rng = np.random.default_rng(0)
    mix, weights = (rng.uniform(size=s).astype(dtype) for s in ((3, 5), (5,)))
    halve = (slice(None, None, 2),) * len(space)

    def head(features):
        return jnp.tanh(features.mean(tuple(range(len(space)))) @ weights)

    score = Score(head, lambda image: jnp.sin(2 * image[halve] @ mix) ** 2)
    return score, tuple(n // 2 for n in space)


def images(space, dtype: type = np.float32, count=1):
    return np.random.default_rng(1).uniform(size=(count, *space, 3)).astype(dtype)


@pytest.mark.parametrize("space", SPACES, ids=len)
@pytest.mark.parametrize("name", METHODS)
def test_shape_dtype_and_the_same_without_jit(name, space):
    if name == "XRAI" and len(space) != 2:
        pytest.skip("segments images")
    score, grid = network(space)
    (image,) = images(space)
    method = METHODS[name]()
    out = jax.jit(lambda x, key: method(score, x, key))(image, KEY)
    positions = grid if name in ON_GRID else space
    assert out.shape == ((*positions, 1) if name in ONE_CHANNEL else image.shape)
    assert out.dtype == jnp.float32
    assert np.abs(out).max() > 0
    if len(space) == 2:
        np.testing.assert_allclose(method(score, image, KEY), out, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_float64(name):
    with jax.enable_x64(True):
        score, _ = network((6, 4), np.float64)
        (image,) = images((6, 4), np.float64)
        double = jax.jit(lambda x: METHODS[name]()(score, x, KEY))(image)
        assert double.dtype == jnp.float64
    if name != "SmoothGrad":  # its normal draws differ between the two types
        score, _ = network((6, 4))
        single = jax.jit(lambda x: METHODS[name]()(score, x, KEY))(image.astype(np.float32))
        np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_vmap_is_a_loop(name):
    score, _ = network((6, 4))
    batch, keys = images((6, 4), count=3), jax.random.split(KEY, 3)
    explain = lambda x, key: METHODS[name]()(score, x, key)  # noqa: E731
    together = jax.jit(jax.vmap(explain))(batch, keys)
    one = jax.jit(explain)
    alone = [one(x, key) for x, key in zip(batch, keys, strict=True)]
    np.testing.assert_allclose(together, np.stack(alone), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_old_style_keys_are_taken_and_plain_functions_by_all_but_cams(name):
    (image,) = images((4, 4))
    method = METHODS[name]()
    square = lambda x: (x**2).sum()  # noqa: E731
    if name in ON_GRID:
        for score in (square, Score(square), Score(square, lambda x: x)):
            with pytest.raises(InputError, match=r"trunk: give from_function\(.*model.at\(cut\)"):
                jax.jit(lambda x, key, score=score: method(score, x, key))(image, KEY)
        square = Score(square, jnp.sin)
    plain = jax.jit(lambda x, key: method(square, x, key))(image, jax.random.PRNGKey(0))
    assert plain.shape[:-1] == image.shape[:-1]
    cut = square if name in ON_GRID else Score(square)
    cut = jax.jit(lambda x, key: method(cut, x, key))(image, KEY)
    np.testing.assert_array_equal(plain, cut)


@pytest.mark.parametrize("name", METHODS)
def test_parameters_are_not_baked_into_the_program(name):
    def explain(weights, x):
        score = Score(lambda f: (f * weights).sum(), jnp.tanh)
        return METHODS[name]()(score, x, KEY)

    (image,) = images((16, 16))
    program = jax.make_jaxpr(explain)(image, image)
    assert max((np.size(c) for c in program.consts), default=0) < image.size


FIELDS = {
    "IntegratedGradients": {
        "baseline": numbers
        | st.lists(numbers, min_size=1, max_size=4).map(tuple)
        | st.just("black_white"),
        "steps": st.integers(2, 10**6),
        "rule": st.sampled_from(["midpoint", "trapezoid", "gauss_legendre"]),
    },
    "SmoothGrad": {
        "method": st.deferred(lambda: recipes),
        "samples": st.integers(1, 10**6),
        "noise": numbers.map(abs),
    },
    "GradCAM": {"relu": st.booleans()},
    "XRAI": {
        "base": st.deferred(lambda: recipes),
        "order": st.sampled_from(["full", "fast"]),
        "scales": st.lists(st.integers(1, 2000), min_size=1, max_size=4).map(tuple),
        "area": st.floats(0, 1),
    },
}
recipes = st.sampled_from(sorted(METHODS)).flatmap(
    lambda name: st.tuples(st.just(name), st.fixed_dictionaries({}, optional=FIELDS.get(name, {})))
)


def build(recipe):
    name, fields = recipe
    return METHODS[name](
        **{k: build(v) if k in ("method", "base") else v for k, v in fields.items()}
    )


@settings(deadline=None)
@given(recipes)
def test_text_reads_back(recipe):
    method = build(recipe)
    read = parse(repr(method), METHODS)
    assert read == method
    assert repr(read) == repr(method)
    assert hash(read) == hash(method)


@pytest.mark.parametrize(
    "text",
    [
        "IntegratedGradients(steps=0)",
        "IntegratedGradients(steps=2.0)",
        "IntegratedGradients(steps=True)",
        "IntegratedGradients(steps=1, rule='trapezoid')",
        "IntegratedGradients(rule='simpson')",
        "IntegratedGradients(baseline='black')",
        "IntegratedGradients(baseline=1e999)",
        "IntegratedGradients(baseline=(0.0, 'black'))",
        "SmoothGrad(samples=0)",
        "SmoothGrad(noise=-0.1)",
        "SmoothGrad(noise=1e999)",
        "SmoothGrad(method='Gradient')",
    ],
)
def test_hyper_parameters_that_make_no_sense_are_refused(text):
    with pytest.raises(InputError, match=r"(steps|rule|baseline|samples|noise|method)"):
        parse(text, METHODS)


def test_numpy_scalars_become_plain_numbers():
    method = METHODS["IntegratedGradients"](baseline=np.float32(0.5), steps=8)
    assert repr(method) == "IntegratedGradients(baseline=0.5, steps=8, rule='midpoint')"
    assert repr(SmoothGrad(noise=np.float64(0.5))).endswith("noise=0.5)")


@pytest.mark.parametrize("value", [math.nan, math.inf, np.float64(math.nan)])
def test_numbers_whose_text_does_not_read_back_are_refused(value):
    with pytest.raises(InputError, match="baseline"):
        METHODS["IntegratedGradients"](baseline=value)
    with pytest.raises(InputError, match="noise"):
        SmoothGrad(noise=value)


def test_a_class_is_not_a_method():
    with pytest.raises(InputError, match="Gradient"):
        SmoothGrad(method=METHODS["Gradient"])
