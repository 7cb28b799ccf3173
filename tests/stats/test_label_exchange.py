"""Exchange of labels: against enumeration, exact levels in clusters, undefined scores."""

from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats

from salix.stats import auc_interval, exchange_p
from salix.stats.label_exchange import LabelExchange
from salix.typing import InputError


def test_independent_images_have_the_p_of_the_exact_rank_test():
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=14), np.repeat([0, 1], [6, 8])
    scores[labels == 1] += 1
    exact = stats.mannwhitneyu(scores[labels == 1], scores[labels == 0], method="exact").pvalue
    assert exchange_p(scores[:, None], labels, draws=20_000)[0] == pytest.approx(exact, rel=0.1)


def slow_p(scores, labels, clusters, whole, pairs):
    """P-value of all exchanges: of single-class clusters `whole`, and swaps in `pairs`."""
    ones = sum(int(labels[clusters == c][0]) for c in whole)
    statistics = []
    for chosen in combinations(whole, ones):
        for swaps in product((0, 1), repeat=len(pairs)):
            y = labels.copy()
            for c in whole:
                y[clusters == c] = c in chosen
            for c, swap in zip(pairs, swaps, strict=True):
                y[clusters == c] ^= swap
            area = auc_interval(scores, y).value
            statistics.append(abs(area - 0.5) * np.sqrt(y.sum() * (1 - y).sum()))
    area = auc_interval(scores, labels).value
    least = abs(area - 0.5) * np.sqrt(labels.sum() * (1 - labels).sum())
    return np.mean(np.array(statistics) >= least - 1e-9)


def test_clusters_of_one_class_and_of_both_have_the_p_of_all_exchanges():
    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(9), [3, 2, 4, 3, 5, 2, 2, 3, 4])
    labels = np.repeat([0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1], [3, 2, 4, 3, 5, 2, 1, 1, 2, 1, 1, 3])
    scores = rng.normal(size=28) + rng.normal(size=9)[clusters] + 0.8 * labels
    exact = slow_p(scores, labels, clusters, range(6), range(6, 9))
    p = exchange_p(scores[:, None], labels, clusters=clusters, draws=40_000)[0]
    assert p == pytest.approx(max(exact, 2 / 20 / 8), abs=0.01)


def test_few_clusters_have_a_least_p():
    labels, clusters = np.repeat([0, 1], 30), np.repeat(np.arange(6), 10)
    assert LabelExchange.of(labels, clusters).least_p == pytest.approx(2 / 20)
    assert exchange_p(labels[:, None], labels, clusters=clusters)[0] == pytest.approx(0.1, abs=0.01)
    assert LabelExchange.of(labels, np.tile(np.arange(10), 6)).least_p == pytest.approx(2 / 2**10)


def test_undefined_scores_are_left_out_and_one_class_has_no_p():
    rng = np.random.default_rng(2)
    labels, scores = np.tile([0, 1], 20), rng.normal(size=(40, 3))
    scores[:7, 1] = np.nan
    scores[labels == 1, 2] = np.inf
    p = exchange_p(scores, labels)
    assert p[1] == exchange_p(scores[7:, [1]], labels[7:])[0]
    assert np.isnan(p[2])
    with pytest.raises(InputError, match="a label, 0 or 1"):
        exchange_p(scores, labels + 1)


def test_a_one_sided_p_rejects_the_wrong_direction():
    scores = np.arange(20.0)[:, None]
    labels = np.repeat([1, 0], 10)
    assert exchange_p(scores, labels, one_sided=True)[0] == 1
    assert exchange_p(-scores, labels, one_sided=True)[0] < 0.001


@pytest.mark.parametrize("across", [False, True])
def test_dependent_images_are_rejected_at_the_level_and_images_alone_are_not(across):
    """300 repetitions: a standard error of 0.013 at 0.05."""
    rng = np.random.default_rng(3)
    clusters = np.repeat(np.arange(16), 8)
    labels = np.tile([0, 1], 64) if across else np.repeat([0, 1], 64)
    effects = rng.normal(size=(16, 300))
    scores = effects[clusters] + 0.3 * rng.normal(size=(128, 300))
    assert np.mean(exchange_p(scores, labels, clusters=clusters, draws=999) <= 0.05) <= 0.09
    if not across:
        assert np.mean(exchange_p(scores, labels, draws=999) <= 0.05) > 0.3
