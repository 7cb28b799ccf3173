"""Scores of known and novel classes against all matchings, scikit-learn and SciPy."""

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import entropy

from salix.studies.openworld.metrics import best_matching, open_world_scores
from salix.typing import InputError

KNOWN = 2  # classes 0 and 1; 2 and 3 are novel


@pytest.fixture
def predicted():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, 60)
    renamed = np.array([0, 1, 3, 2])[labels]  # novel numbers are exchanged
    predictions = np.where(rng.random(60) < 0.3, rng.integers(0, 4, 60), renamed)
    return labels, predictions


def slow_matching(labels, predictions, size=4):
    """The best accuracy over all matchings."""
    return max(np.mean(np.array(p)[predictions] == labels) for p in permutations(range(size)))


def slow_nmi(a, b):
    """Mutual information over the mean of the entropies, from the table of counts."""
    table = np.histogram2d(a, b, (np.arange(5), np.arange(5)))[0] / len(a)
    rows, columns = table.sum(1), table.sum(0)
    mutual = entropy(table.ravel(), np.outer(rows, columns).ravel())
    return mutual / ((entropy(rows) + entropy(columns)) / 2)


def slow_ari(a, b):
    """The index from all pairs of images."""
    pairs = [(i, j) for i in range(len(a)) for j in range(i)]
    same_a = np.array([a[i] == a[j] for i, j in pairs])
    same_b = np.array([b[i] == b[j] for i, j in pairs])
    chance = same_a.mean() * same_b.sum()
    return ((same_a & same_b).sum() - chance) / ((same_a.sum() + same_b.sum()) / 2 - chance)


def test_scores_are_those_of_all_matchings(predicted):
    labels, predictions = predicted
    known = labels < KNOWN
    scores = open_world_scores(labels, predictions, known)
    assert scores.known.accuracy == np.mean(predictions[known] == labels[known])
    novel = labels[~known], predictions[~known]
    assert scores.novel.accuracy == pytest.approx(slow_matching(*novel))
    assert scores.all.accuracy == pytest.approx(slow_matching(*predicted))
    assert scores.novel.accuracy > 0.5  # the exchange of their numbers costs nothing
    for part, (a, b) in (("known", (labels[known], predictions[known])), ("novel", novel)):
        of_part = getattr(scores, part)
        assert of_part.images == len(a)
        assert of_part.nmi == pytest.approx(slow_nmi(a, b))
        assert of_part.ari == pytest.approx(slow_ari(a, b))


def test_novel_images_alone_match_at_least_as_well_as_jointly():
    labels = np.array([0, 0, 0, 0, 2, 2, 3, 3])
    predictions = np.array([0, 0, 0, 0, 0, 0, 3, 3])  # class 2 is taken for 0
    scores = open_world_scores(labels, predictions, labels < KNOWN)
    assert scores.novel.accuracy == 1
    assert scores.novel_jointly == 0.5  # number 0 belongs to class 0 there
    assert scores.all.accuracy == 0.75


def test_a_part_without_images_has_no_scores():
    labels = np.array([0, 1, 1])
    scores = open_world_scores(labels, labels, np.ones(3, bool))
    assert scores.known.accuracy == 1
    assert scores.novel.images == 0
    assert np.isnan([scores.novel.accuracy, scores.novel.nmi, scores.novel_jointly]).all()


def test_unused_numbers_are_matched_to_the_rest():
    assert sorted(best_matching(np.array([2, 2]), np.array([0, 0]))) == [0, 1, 2]
    assert best_matching(np.array([2, 2]), np.array([0, 0]))[0] == 2


def test_unusable_input_is_named():
    one = np.zeros(1, int)
    with pytest.raises(InputError, match="no images"):
        open_world_scores(one[1:], one[1:], one[1:] > 0)
    with pytest.raises(InputError, match="numbered from 0"):
        open_world_scores(one, one - 1, one > 0)
