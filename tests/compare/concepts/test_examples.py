import numpy as np
import pytest

from salix.compare.concepts import cluster_regions
from salix.compare.examples import example_regions


@pytest.fixture(scope="module")
def grouped(blobs):
    values, image, _ = blobs(3, regions=240)
    return values, image, cluster_regions(values, image, count=3, restarts=1, resamples=1)


def test_examples_are_of_their_concept_and_of_different_images(grouped):
    values, image, concepts = grouped
    examples = example_regions(values, image, concepts)
    assert [len(e) for e in examples] == [9, 9, 9]
    for k, chosen in enumerate(examples):
        assert set(concepts.labels[chosen]) == {k}
        assert len(set(image[chosen])) == 9
        distance = np.linalg.norm(values - concepts.centres[k], axis=1)
        assert chosen[0] == np.where(concepts.labels == k, distance, np.inf).argmin()


def test_examples_are_more_diverse_than_the_nearest(grouped):
    values, image, concepts = grouped
    chosen = example_regions(values, image, concepts)[0]
    distance = np.linalg.norm(values - concepts.centres[0], axis=1)
    nearest = np.where(concepts.labels == 0, distance, np.inf).argsort()[:9]

    def least(members):
        x = values[members]
        between = np.linalg.norm(x[:, None] - x, axis=2)
        return between[np.triu_indices(9, 1)].min()

    assert least(chosen) > least(nearest)
    assert distance[chosen].max() < np.median(distance[concepts.labels == 0]) * 1.5


def test_farthest_point_on_a_line():
    values = np.array([[0.0], [1], [2], [3], [-3], [0.5]], np.float32)
    image = np.array([0, 1, 2, 3, 4, 0])
    concepts = cluster_regions(values, image, count=1)
    centre = values.mean()
    assert centre == pytest.approx(0.583, abs=1e-3)
    # the four nearest are 0.5 (of image 0), 1, 2 and 3: from 0.5 on, 3 is farthest, then 2, then 1
    examples = example_regions(values, image, concepts, count=4)[0]
    np.testing.assert_array_equal(examples, [5, 3, 2, 1])
    assert len(example_regions(values, image, concepts)[0]) == 5
