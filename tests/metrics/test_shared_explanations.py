"""Consistency and sufficiency of a data set against loops over pairs of images."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from salix.metrics import consistency, sufficiency
from salix.typing import InputError

rng = np.random.default_rng(0)
MAPS = rng.normal(size=(14, 2, 3)).astype(np.float32)
CLASSES = rng.integers(0, 3, 14)


def shares(alike, classes):
    """Share of the others alike with the same class, image by image."""
    values = []
    for i in range(len(classes)):
        others = [j for j in range(len(classes)) if j != i and alike[i][j]]
        same = [classes[j] == classes[i] for j in others]
        values.append(np.mean(same) if others else np.nan)
    return np.array(values)


def code(map, top):
    flat = map.ravel()
    first = sorted(range(flat.size), key=lambda i: (-abs(flat[i]), i))[:top]
    return frozenset((i, np.sign(flat[i])) for i in first)


@pytest.mark.parametrize("top", [1, 2])
def test_consistency_is_that_of_a_loop(top):
    codes = [code(m, top) for m in MAPS]
    alike = [[a == b for b in codes] for a in codes]
    expected = shares(alike, CLASSES)
    result = consistency(MAPS, CLASSES, top=top)
    np.testing.assert_allclose(result.values, expected, rtol=1e-6)
    assert result.defined == np.isfinite(expected).sum() > 0
    assert result.mean == pytest.approx(np.nanmean(expected))


@pytest.mark.parametrize("threshold", [0.6, 1.2])
def test_sufficiency_is_that_of_scipy(threshold):
    maps = MAPS.copy()
    maps[:, 0, 0] = 2  # a pixel that never changes
    flat = maps.reshape(14, -1)[:, 1:].astype(float)
    distance = cdist(flat, flat, "seuclidean", V=flat.var(0, ddof=1)) / np.sqrt(flat.shape[1])
    expected = shares(distance <= threshold, CLASSES)
    result = sufficiency(maps, CLASSES, threshold=threshold)
    np.testing.assert_allclose(result.values, expected, rtol=1e-6)


@pytest.mark.parametrize(("metric", "options"), [(consistency, {"top": 2}), (sufficiency, {})])
def test_laws(metric, options):
    maps = np.repeat(MAPS[:2], 4, axis=0)
    classes = np.repeat([0, 1], 4)
    alike = metric(maps, np.array(["b", "a"])[classes], **options)
    assert (alike.mean, alike.defined) == (1, 8)  # an explanation for each class
    mixed = metric(maps, np.tile([0, 1], 4), **options)
    assert mixed.mean == pytest.approx(1 / 3)
    maps[0] = np.nan
    broken = metric(maps, classes, **options)
    assert np.isnan(broken.values[0])
    assert (broken.mean, broken.defined) == (1, 7)
    alone = metric(10.0 ** np.arange(8)[:, None] * rng.normal(size=(8, 6)), classes, **options)
    assert alone.values.shape == (8,)


def test_explanations_that_nobody_shares_have_no_value():
    result = consistency(np.eye(4, dtype=np.float32), np.zeros(4), top=1)
    assert np.isnan(result.mean)
    assert result.defined == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: consistency(MAPS, CLASSES[:3]), r"\(14, 2, 3\) with 3 predictions: give two"),
        (lambda: sufficiency(MAPS[:1], CLASSES[:1]), "give two or more"),
        (lambda: consistency(MAPS, CLASSES, top=7), "top is 7: give a whole number, from 1 to 6"),
        (lambda: sufficiency(MAPS, CLASSES, threshold=-1), "threshold is -1"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
