"""Feature ablation and Shapley sampling over segments: exact values, axioms and convergence."""

import re
from dataclasses import replace
from functools import partial

import jax
import numpy as np
import pytest

from salix.attribution import ARGUMENTS, METHODS, FeatureAblation, ShapleySampling
from salix.perturb.partition import Grid, Superpixels
from salix.spec import parse
from salix.typing import InputError, Passes
from tests.attribution.games import (
    COUNT,
    FILL,
    FIRST,
    IMAGE,
    NULL,
    PARTITION,
    by_segment,
    contributions,
    curved,
    exact_shapley,
    linear,
    remaining,
)

KEY = jax.random.key(0)
SHAPLEY = ShapleySampling(PARTITION, fill=FILL)


def explain(method, score, key=KEY, image=IMAGE):
    with jax.enable_x64(True):
        return by_segment(jax.jit(lambda x, k: method(score, x, k))(image, key))


@pytest.mark.parametrize("chunk", [1, 2, 8])
def test_ablation_is_the_drop_without_a_segment(chunk):
    values = explain(FeatureAblation(PARTITION, FILL, chunk), curved)
    others = 1 - np.eye(COUNT)
    expected = [float(curved(IMAGE)) - float(curved(remaining(o == 1))) for o in others]
    np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-12)
    assert abs(values[NULL]) < 1e-12


@pytest.mark.parametrize(
    "method", [FeatureAblation(PARTITION, FILL), replace(SHAPLEY, permutations=1)]
)
def test_values_of_a_linear_score_are_its_contributions(method):
    np.testing.assert_allclose(explain(method, linear), contributions(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("permutations", "antithetic"), [(1, False), (3, True)])
def test_efficiency_and_null_player_hold_for_each_permutation(permutations, antithetic):
    method = replace(SHAPLEY, permutations=permutations, antithetic=antithetic, chunk=3)
    values = explain(method, curved)
    np.testing.assert_allclose(values.sum(), float(curved(IMAGE) - curved(FILL)), rtol=1e-12)
    assert abs(values[NULL]) < 1e-12


@pytest.mark.slow
def test_mean_error_falls_as_one_over_the_root_of_permutations():
    exact = exact_shapley(curved)
    assert exact[0] == pytest.approx(exact[1], rel=1e-9)  # symmetric players
    keys = jax.random.split(KEY, 400)
    errors = []
    for permutations in (4, 64):
        method = replace(SHAPLEY, permutations=permutations)
        with jax.enable_x64(True):
            maps = np.asarray(jax.jit(jax.vmap(partial(method, curved, IMAGE)))(keys))
        values = maps[:, FIRST[0], FIRST[1], 0]
        errors.append(np.sqrt(((values - exact) ** 2).mean()))
        # unbiased: the mean over keys is within 4 standard errors
        assert np.abs(values.mean(0) - exact).max() < 4 * values.std(0).max() / np.sqrt(len(keys))
    order = np.log(errors[0] / errors[1]) / np.log(64 / 4)
    assert order == pytest.approx(0.5, abs=0.05)


def test_antithetic_permutations_are_exact_for_pairs():
    def pairs(x):
        return linear(x) ** 2

    values = explain(replace(SHAPLEY, permutations=2, antithetic=True), pairs)
    np.testing.assert_allclose(values, exact_shapley(pairs), rtol=1e-9, atol=1e-12)
    assert np.abs(explain(replace(SHAPLEY, permutations=2), pairs) - values).max() > 1e-3


def test_empty_segments_of_superpixels_change_nothing():
    image = np.zeros((8, 8, 3), np.float32)
    image[:, 4:] = 1
    weights = np.random.default_rng(0).normal(size=image.shape).astype(np.float32)
    partition = Superpixels(12)
    labels = np.asarray(partition(image))
    assert labels.max() + 1 < partition.count(image.shape)
    score = lambda x: (x * weights).sum()  # noqa: E731
    for method in (FeatureAblation(partition, -1.0), ShapleySampling(partition, 2, -1.0)):
        map = np.asarray(jax.jit(partial(method, score))(image, KEY))[..., 0]
        parts = (weights * (image + 1)).sum(-1)
        for n in np.unique(labels):
            np.testing.assert_allclose(
                map[labels == n], parts[labels == n].sum(), rtol=1e-3, atol=1e-4
            )


def test_one_segment_has_the_complete_difference():
    for method in (FeatureAblation(Grid(1), 0.5), ShapleySampling(Grid(1), 2, 0.5)):
        out = jax.jit(partial(method, linear))(IMAGE.astype(np.float32), KEY)
        np.testing.assert_allclose(out, linear(IMAGE) - linear(np.full_like(IMAGE, 0.5)), rtol=1e-5)
    assert ShapleySampling(Grid(1)).passes((3, 4, 2)) == Passes(evaluations=2)


@pytest.mark.parametrize(
    "text",
    [
        "FeatureAblation(partition=7)",
        "FeatureAblation(partition=Gradient())",
        "FeatureAblation(chunk=0)",
        "ShapleySampling(permutations=0)",
        "ShapleySampling(antithetic=1)",
        "ShapleySampling(fill='grey')",
        "ShapleySampling(partition=Grid(side=0))",
    ],
)
def test_settings_that_make_no_sense_are_refused(text):
    with pytest.raises(InputError, match=re.search(r"\((\w+)", text)[1]):
        parse(text, METHODS, ARGUMENTS)
