"""Kernel SHAP: exact Shapley values, the constraint, drawn coalitions, convergence."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.attribution import ARGUMENTS, METHODS, KernelSHAP
from salix.attribution.segment_game import segment_game
from salix.perturb.partition import Grid, Superpixels
from salix.spec import parse
from salix.typing import InputError, Passes
from tests.attribution.games import (
    FILL,
    IMAGE,
    PARTITION,
    by_segment,
    contributions,
    curved,
    exact_shapley,
    linear,
)

KEY = jax.random.key(0)
METHOD = KernelSHAP(PARTITION, 30, FILL)
PLAYERS = 11
ONES = np.ones((PLAYERS, 1))
GRID = KernelSHAP(Grid(PLAYERS), 64)
SIZES = np.arange(1, PLAYERS)


def polynomial(x):
    """A score of eleven flags with Shapley values 1/2 + 1, 1/2 + 1, 1, 2, 0, ..."""
    z = x[:, 0]
    return z[0] * z[1] + 4 * z[0] * z[1] * z[2] * z[3] + z[3]


SHAPLEY = np.array([1.5, 1.5, 1, 2, *[0] * 7])


def explain(method, score, key=KEY, image=IMAGE):
    with jax.enable_x64(True):
        return np.asarray(jax.jit(lambda x, k: method(score, x, k))(image, key))


@pytest.mark.parametrize("chunk", [1, 4])
def test_all_coalitions_give_exact_shapley_values(chunk):
    values = by_segment(explain(replace(METHOD, chunk=chunk), curved))
    np.testing.assert_allclose(values, exact_shapley(curved), rtol=1e-9, atol=1e-12)
    assert METHOD.passes(IMAGE.shape) == Passes(evaluations=32)
    assert replace(METHOD, samples=10**6).passes(IMAGE.shape) == Passes(evaluations=32)


@pytest.mark.parametrize("antithetic", [True, False])
def test_a_sampled_fit_of_a_linear_score_is_exact(antithetic):
    values = by_segment(explain(replace(METHOD, samples=24, antithetic=antithetic), linear))
    np.testing.assert_allclose(values, contributions(), rtol=1e-9, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("antithetic", [True, False])
def test_the_fit_is_that_of_numpy_on_the_drawn_coalitions(antithetic):
    method = replace(GRID, antithetic=antithetic, chunk=5)
    values = explain(method, polynomial, image=ONES)[:, 0]
    with jax.enable_x64(True):
        game, key = segment_game(polynomial, ONES, KEY, method.partition, 0.0)
        draw = jax.jit(jax.vmap(lambda i: method._draw(game, key, i)))
        coalitions = np.asarray(draw(np.arange(64)))
    assert not antithetic or (coalitions[::2] != coalitions[1::2]).all()
    # The last value is what the others leave of the total: least squares without a constraint.
    z, total = coalitions.astype(float), float(polynomial(ONES))
    y = np.array([float(polynomial(c[:, None])) for c in z])
    rest = np.linalg.lstsq(z[:, :-1] - z[:, -1:], y - total * z[:, -1], rcond=None)[0]
    np.testing.assert_allclose(values, [*rest, total - rest.sum()], rtol=1e-8, atol=1e-9)


def test_sizes_follow_the_kernel_and_segments_are_drawn_alike():
    with jax.enable_x64(True):
        game, key = segment_game(polynomial, ONES, KEY, GRID.partition, 0.0)
        method = replace(GRID, antithetic=False)
        coalitions = np.asarray(
            jax.jit(jax.vmap(lambda i: method._draw(game, key, i)))(np.arange(20000))
        )
    chances = 1 / (SIZES * (PLAYERS - SIZES))
    frequencies = np.bincount(coalitions.sum(1), minlength=PLAYERS)[1:] / len(coalitions)
    np.testing.assert_allclose(frequencies, chances / chances.sum(), atol=4 * 0.5 / np.sqrt(20000))
    np.testing.assert_allclose(coalitions.mean(0), 0.5, atol=4 * 0.5 / np.sqrt(20000))


@pytest.mark.slow
def test_the_error_falls_as_one_over_the_root_of_samples():
    keys = jax.random.split(KEY, 100)
    errors = []
    for samples in (250, 2000):
        with jax.enable_x64(True):
            method = replace(GRID, samples=samples)
            values = np.asarray(jax.jit(jax.vmap(partial(method, polynomial, ONES)))(keys))[..., 0]
        np.testing.assert_allclose(values.sum(1), polynomial(ONES), rtol=1e-9)
        errors.append(np.sqrt(((values - SHAPLEY) ** 2).mean()))
    order = np.log(errors[0] / errors[1]) / np.log(2000 / 250)
    assert order == pytest.approx(0.5, abs=0.1)


def test_too_few_samples_give_values_near_equal_shares_that_add_up():
    values = explain(replace(GRID, samples=2), polynomial, image=ONES)[:, 0]
    assert values.sum() == pytest.approx(6)
    assert len(np.unique(values.round(9))) == 2  # those in the one coalition, and its complement


def test_empty_segments_of_superpixels_have_no_part():
    image = np.zeros((8, 8, 3), np.float32)
    image[:, 4:] = 1
    partition = Superpixels(12)
    labels = np.asarray(partition(image))
    weights = np.random.default_rng(0).normal(size=image.shape).astype(np.float32)
    method = KernelSHAP(partition, 64, -1.0)
    map = np.asarray(jax.jit(partial(method, lambda x: (x * weights).sum()))(image, KEY))[..., 0]
    parts = (weights * (image + 1)).sum(-1)
    assert labels.max() + 1 < partition.count(image.shape)
    for n in np.unique(labels):
        np.testing.assert_allclose(map[labels == n], parts[labels == n].sum(), rtol=1e-3, atol=1e-3)


def test_one_segment_has_the_complete_difference():
    assert KernelSHAP(Grid(1)).passes((3, 4, 2)) == Passes(evaluations=2)
    out = explain(KernelSHAP(Grid(1)), linear)
    np.testing.assert_allclose(out, linear(IMAGE) - linear(jnp.zeros(IMAGE.shape)), rtol=1e-5)


@pytest.mark.parametrize("text", ["KernelSHAP(samples=0)", "KernelSHAP(antithetic=2)"])
def test_settings_that_make_no_sense_are_refused(text):
    with pytest.raises(InputError, match=r"samples|antithetic"):
        parse(text, METHODS, ARGUMENTS)
