"""Error rates of a detector against scikit-learn's ROC curve and counting by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from salix.stats import ACER_GRID, FDR_LEVELS, detection_rate, minimum_acer
from salix.typing import InputError


def sample(seed, ties):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, 300)
    scores = 1 / (1 + np.exp(-rng.normal(labels * 1.5, 1)))
    return (np.round(scores, 1) if ties else scores), labels


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_rates_equal_those_of_the_roc_curve(seed, ties):
    scores, labels = sample(seed, ties)
    fpr, tpr, thresholds = roc_curve(labels, scores, drop_intermediate=False)
    for level in (*FDR_LEVELS, 0.0, 0.3, 1.0):
        assert detection_rate(scores, labels, level) == pytest.approx(tpr[fpr <= level].max())
    result = minimum_acer(scores, labels)
    assert result.value == pytest.approx(((1 - tpr + fpr) / 2).min())
    place = np.flatnonzero(thresholds == result.threshold)[0]
    assert (result.apcer, result.bpcer) == pytest.approx((1 - tpr[place], fpr[place]))


def test_the_grid_is_counted_by_hand():
    scores, labels = sample(9, True)
    by_hand = [
        (np.mean(scores[labels == 1] < t) + np.mean(scores[labels == 0] >= t)) / 2
        for t in ACER_GRID
    ]
    result = minimum_acer(scores, labels, thresholds=ACER_GRID)
    assert len(ACER_GRID) == 41
    assert result.value == pytest.approx(min(by_hand))
    assert result.threshold == ACER_GRID[int(np.argmin(by_hand))]
    assert minimum_acer(scores, labels, thresholds=ACER_GRID[::-1]) == result


@given(st.integers(0, 1000))
def test_laws(seed):
    scores, labels = sample(seed, bool(seed % 2))
    exact = minimum_acer(scores, labels)
    assert exact.value <= minimum_acer(scores, labels, thresholds=ACER_GRID).value + 1e-12
    assert 0 <= exact.value <= 0.5
    assert minimum_acer(np.exp(3 * scores), labels).value == pytest.approx(exact.value)
    rates = [detection_rate(scores, labels, level) for level in (0, *FDR_LEVELS, 1)]
    assert rates == sorted(rates)
    assert rates[-1] == 1


def test_perfect_reversed_and_constant_scores():
    labels = np.array([0, 0, 1, 1])
    assert minimum_acer([0.1, 0.2, 0.8, 0.9], labels).value == 0
    assert minimum_acer([0.9, 0.8, 0.2, 0.1], labels).value == 0.5
    assert minimum_acer(np.ones(4), labels).value == 0.5
    assert detection_rate([0.1, 0.2, 0.8, 0.9], labels, 0.001) == 1
    assert detection_rate(np.ones(4), labels, 0.05) == 0
    infinite = [-np.inf, 0.0, np.inf, np.inf]
    assert (minimum_acer(infinite, labels).value, detection_rate(infinite, labels, 0)) == (0, 1)
    assert detection_rate(infinite[::-1], labels, 0) == 0


def test_a_rate_equal_to_the_level_is_allowed():
    for n in range(1, 200):
        scores = np.append(np.arange(n), n - 1.5)
        labels = np.append(np.zeros(n, int), 1)
        assert detection_rate(scores, labels, 1 / n) == 1


def test_undefined_is_nan_and_nan_is_left_out():
    assert np.isnan(detection_rate([0.1, 0.2], [1, 1], 0.01))
    assert np.isnan(minimum_acer([], []).value)
    with_nan = minimum_acer([0.1, np.nan, 0.8, np.nan], [0, 0, 1, 1])
    assert with_nan == minimum_acer([0.1, 0.8], [0, 1])


def test_rejects_invalid_input():
    with pytest.raises(InputError, match="false detection rate is 2"):
        detection_rate([0.1, 0.2], [0, 1], 2)
    with pytest.raises(InputError, match="a label, 0 or 1"):
        minimum_acer([0.1, 0.2], [0, 2])
    with pytest.raises(InputError, match="thresholds is empty"):
        minimum_acer([0.1, 0.2], [0, 1], thresholds=())
