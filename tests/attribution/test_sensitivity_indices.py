"""Sobol and HSIC attributions: closed forms, slow NumPy versions, convergence, options."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.attribution import ARGUMENTS, HSIC, METHODS, Sobol
from salix.attribution.hsic import _median_distance
from salix.perturb.partition import Grid, Superpixels
from salix.spec import parse
from salix.typing import InputError
from tests.attribution.games import (
    FILL,
    IMAGE,
    NULL,
    PARTITION,
    by_segment,
    curved,
    remaining,
)

KEY = jax.random.key(0)
ONES = np.ones((4, 1))  # with Grid(4) and fill 0 the masked image is the mask
SOBOL, MASKS = Sobol(Grid(4)), HSIC(Grid(4))


def explain(method, score, image=ONES, key=KEY):
    with jax.enable_x64(True):
        return np.asarray(jax.jit(lambda x, k: method(score, x, k))(image, key))


def additive(x):
    return x[:, 0] @ jnp.arange(4.0) + 7


def product(x):
    return (1 + jnp.arange(4.0) * (x[:, 0] - 0.5)).prod()


ADDITIVE = np.arange(4) ** 2 / (np.arange(4) ** 2).sum()
PARTS = np.arange(4) ** 2 / 12  # the variance of each factor, whose mean is 1
PRODUCT = PARTS / (1 + PARTS) * (1 + PARTS).prod() / ((1 + PARTS).prod() - 1)


@pytest.mark.parametrize("sampler", ["latin", "random"])
@pytest.mark.parametrize(("score", "exact"), [(additive, ADDITIVE), (product, PRODUCT)])
def test_total_indices_in_closed_form(score, exact, sampler):
    values = explain(replace(SOBOL, designs=4000, sampler=sampler), score)[:, 0]
    np.testing.assert_allclose(values, exact, atol=0.05)
    assert values[0] < 1e-12  # a segment without influence


@pytest.mark.slow
def test_jansen_estimator_in_numpy():
    method = Sobol(PARTITION, 6, FILL, chunk=4)
    values = by_segment(explain(method, curved, IMAGE))
    with jax.enable_x64(True):
        samples = np.asarray(method._samples(jax.random.split(KEY)[1], 10))
    a, b = samples[:, :5], samples[:, 5:]

    def evaluate(mask):
        shares = mask[PARTITION.array][..., None]
        return float(curved(shares * IMAGE + (1 - shares) * FILL))

    base = np.array([evaluate(m) for m in a])
    pairs = list(zip(a, b, strict=True))
    mixed = [[evaluate(np.where(np.arange(5) == i, y, x)) for x, y in pairs] for i in range(5)]
    expected = ((base - np.array(mixed)) ** 2).mean(1) / 2 / base.var(ddof=1)
    np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-12)


def test_a_latin_hypercube_has_one_value_in_each_interval():
    samples = np.asarray(Sobol(designs=16)._samples(KEY, 6))
    np.testing.assert_array_equal(
        np.sort(samples * 16 // 1, axis=0), np.arange(16)[:, None].repeat(6, 1)
    )
    assert len(np.unique(samples.argsort(0), axis=1).T) == 6
    plain = np.asarray(Sobol(designs=16, sampler="random")._samples(KEY, 6))
    assert len(np.unique(plain[:, 0] * 16 // 1)) < 16


@pytest.mark.slow
def test_errors_fall_as_one_over_the_root_of_samples():
    keys = jax.random.split(KEY, 100)
    for make, exact, amounts in (
        (lambda n: replace(SOBOL, designs=n, sampler="random"), PRODUCT, (64, 1024)),
        (lambda n: replace(MASKS, masks=n), None, (100, 900)),
    ):
        errors = []
        for amount in amounts:
            with jax.enable_x64(True):
                values = np.asarray(jax.jit(jax.vmap(partial(make(amount), product, ONES)))(keys))[
                    :, 1:, 0
                ]
            errors.append(
                np.sqrt(((values - (values.mean(0) if exact is None else exact[1:])) ** 2).mean())
            )
        order = np.log(errors[0] / errors[1]) / np.log(amounts[1] / amounts[0])
        assert order == pytest.approx(0.5, abs=0.1)


@pytest.mark.slow
def test_hsic_is_the_trace_of_centred_kernels():
    method = HSIC(PARTITION, 90, FILL, chunk=4)
    values = by_segment(explain(method, curved, IMAGE))
    with jax.enable_x64(True):
        flags = np.asarray(jax.random.bernoulli(jax.random.split(KEY)[1], shape=(90, 5)))
    y = np.array([float(curved(remaining(z))) for z in flags])
    distances = np.abs(y[:, None] - y[None])[np.triu_indices(90, 1)]
    width = np.median(distances[distances > 1e-12])
    outputs = np.exp(-((y[:, None] - y[None]) ** 2) / 2 / width**2)
    centre = np.eye(90) - 1 / 90
    expected = [
        np.trace((z[:, None] == z[None]).astype(float) @ centre @ outputs @ centre) / 89**2
        for z in flags.T
    ]
    np.testing.assert_allclose(values, expected, rtol=1e-3)
    assert values[NULL] < 0.02


def test_hsic_of_one_flag_in_closed_form():
    values = explain(replace(MASKS, masks=2000), lambda x: 3 * x[2, 0] - 1)[:, 0]
    # Distances are 0 or 3, the width 3: a quarter of 1 - exp(-1/2), and 1 / N for the others
    np.testing.assert_allclose(values[2], (1 - np.exp(-0.5)) / 4, rtol=0.01)
    assert np.delete(values, 2).max() < 10 * 0.25 / 2000


@pytest.mark.parametrize("count", [2, 5, 64])
def test_median_distance(count):
    values = np.random.default_rng(count).normal(size=count)
    values[::3] = 1
    distances = np.abs(values[:, None] - values[None])[np.triu_indices(count, 1)]
    low = np.percentile(distances[distances > 0], 50, method="inverted_cdf")
    with jax.enable_x64(True):
        np.testing.assert_allclose(jax.jit(_median_distance)(values), low, rtol=1e-9)
        assert np.isnan(jax.jit(_median_distance)(np.ones(count)))


@pytest.mark.parametrize("method", [Sobol(Grid(2), 3), HSIC(Grid(2), 10)])
def test_a_constant_score_has_no_indices(method):
    assert np.isnan(explain(method, lambda x: x.sum() * 0 + 2)).all()


@pytest.mark.parametrize("method", [Sobol(Superpixels(12), 64), HSIC(Superpixels(12), 400)])
def test_planted_segments_have_the_highest_values(method):
    image = np.zeros((12, 12, 3), np.float32)
    image[:, 6:] = 1
    image[:6, 6:] = (0, 1, 0)
    labels = np.asarray(method.partition(image))
    score = lambda x: 4 * x[2, 8, 1] + 0.1 * x.mean()  # noqa: E731
    map = np.asarray(jax.jit(partial(method, score))(image, KEY))[..., 0]
    assert (map == map.max())[labels == labels[2, 8]].all()
    assert map[2, 8] > 5 * np.median(map)


@pytest.mark.parametrize(
    "text", ["Sobol(designs=1)", "Sobol(sampler='sobol')", "HSIC(masks=1)", "HSIC(masks=100000)"]
)
def test_settings_that_make_no_sense_are_refused(text):
    with pytest.raises(InputError, match=r"designs|sampler|masks"):
        parse(text, METHODS, ARGUMENTS)
