"""Semi-supervised k-means and estimated numbers of classes on groups of points."""

import numpy as np
import pytest

from salix.studies.openworld.clusters import (
    count_by_labels,
    count_by_silhouette,
    nearest_centre,
    semi_supervised_kmeans,
    unit_features,
)
from salix.typing import InputError

GROUPS, EACH = 5, 24


@pytest.fixture(scope="module")
def points():
    """Five separate groups; half of the first two have labels."""
    rng = np.random.default_rng(0)
    middles = 6 * np.eye(GROUPS)
    labels = np.repeat(np.arange(GROUPS), EACH)
    features = middles[labels] + rng.normal(scale=0.4, size=(len(labels), GROUPS))
    labelled = (labels < 2) & (np.arange(len(labels)) % 2 == 0)
    return features, labels, labelled


def test_clusters_are_the_groups_and_keep_the_numbers_of_labels(points):
    features, labels = points[:2]
    centres = semi_supervised_kmeans(*points, GROUPS, seed=0)
    clusters = nearest_centre(features, centres)
    assert (clusters[labels < 2] == labels[labels < 2]).all()
    for c in range(GROUPS):
        assert len(np.unique(clusters[labels == c])) == 1
        np.testing.assert_allclose(centres[c], features[clusters == c].mean(0))
    assert len(np.unique(clusters)) == GROUPS


def test_labelled_images_stay_in_their_cluster():
    features = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2]])
    labels = np.array([0, 0, 1, 1, -1, -1])  # the label of the third is far from its group
    centres = semi_supervised_kmeans(features, labels, labels >= 0, 2, seed=0)
    np.testing.assert_allclose(centres, [[0.05], [np.mean([0.2, 5.0, 5.1, 5.2])]])


def test_the_number_of_separate_groups_is_estimated(points):
    assert count_by_silhouette(*points, range(2, 9), seed=0).classes == GROUPS
    by_labels = count_by_labels(*points, range(2, 9), seed=0)
    # The groups with labels are whole, up to the number at which k-means divides one of them.
    assert by_labels.scores[GROUPS] == 1
    assert by_labels.classes <= GROUPS
    assert by_labels.scores[8] <= 1


def test_unusable_numbers_of_classes_are_named(points):
    with pytest.raises(InputError, match="1 classes for 120 images with 2 labels"):
        semi_supervised_kmeans(*points, 1, seed=0)
    np.testing.assert_allclose(unit_features(np.array([[3.0, 4.0], [0, 0]])), [[0.6, 0.8], [0, 0]])
