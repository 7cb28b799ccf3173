"""LIME: scikit-learn's ridge regression on the same samples, laws and options."""

from dataclasses import replace
from functools import partial

import jax
import numpy as np
import pytest
from sklearn.linear_model import Ridge

from salix.attribution import ARGUMENTS, LIME, METHODS
from salix.perturb.partition import Superpixels
from salix.spec import parse
from salix.typing import InputError
from tests.attribution.games import (
    COUNT,
    FILL,
    IMAGE,
    NULL,
    PARTITION,
    by_segment,
    contributions,
    curved,
    linear,
    remaining,
)

KEY = jax.random.key(0)
METHOD = LIME(PARTITION, 60, FILL)


def explain(method, score, key=KEY):
    with jax.enable_x64(True):
        return by_segment(jax.jit(lambda x, k: method(score, x, k))(IMAGE, key))


def drawn(samples):
    _, key = jax.random.split(KEY)
    flip = lambda i: jax.random.bernoulli(jax.random.fold_in(key, i), shape=(COUNT,))  # noqa: E731
    with jax.enable_x64(True):
        flags = np.array(jax.vmap(flip)(np.arange(samples)))
    flags[0] = True
    return flags


@pytest.mark.parametrize(("width", "ridge", "chunk"), [(0.25, 1.0, 1), (1.0, 0.1, 7), (0.1, 10, 4)])
@pytest.mark.slow
def test_coefficients_are_those_of_scikit_learn(width, ridge, chunk):
    values = explain(replace(METHOD, width=width, ridge=ridge, chunk=chunk), curved)
    flags = drawn(60)
    scores = [float(curved(remaining(z))) for z in flags]
    norm = np.sqrt(flags.sum(1)) * np.sqrt(COUNT)
    distance = 1 - np.where(norm > 0, flags.sum(1) / np.maximum(norm, 1e-9), 0)  # cosine
    weight = np.sqrt(np.exp(-(distance**2) / width**2))  # as the released code writes it
    expected = Ridge(alpha=ridge).fit(flags, scores, sample_weight=weight).coef_
    np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-12)


def test_a_linear_score_has_its_contributions_as_the_ridge_vanishes():
    values = explain(replace(METHOD, ridge=1e-9), linear)
    np.testing.assert_allclose(values, contributions(), rtol=1e-6, atol=1e-8)
    assert abs(values[NULL]) < 1e-8


def test_empty_segments_of_superpixels_have_no_part():
    image = np.zeros((8, 8, 3), np.float32)
    image[:, 4:] = 1
    few = np.asarray(Superpixels(12)(image))
    score = lambda x: (x * image).sum()  # noqa: E731
    out = np.asarray(jax.jit(partial(LIME(Superpixels(12), 100, ridge=1e-3), score))(image, KEY))
    for n in np.unique(few):
        np.testing.assert_allclose(out[few == n], image[few == n].sum(), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("text", ["LIME(samples=0)", "LIME(width=0)", "LIME(ridge=0)"])
def test_settings_that_make_no_sense_are_refused(text):
    with pytest.raises(InputError, match=r"samples|width|ridge"):
        parse(text, METHODS, ARGUMENTS)
