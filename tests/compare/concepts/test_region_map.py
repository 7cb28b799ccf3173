import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from salix.compare.region_map import region_map
from salix.typing import InputError


def test_neighbours_stay_neighbours_and_the_map_is_the_same_again(blobs):
    values, _, group = blobs(5, regions=400)
    positions = region_map(values)
    assert trustworthiness(values, positions) > 0.9
    assert np.abs(positions).max() == 1
    centres = np.stack([positions[group == g].mean(0) for g in range(5)])
    nearest = np.linalg.norm(positions[:, None] - centres, axis=2).argmin(1)
    assert (nearest == group).mean() > 0.95
    np.testing.assert_array_equal(positions, region_map(values))


def test_regions_outside_the_sample_have_no_position(blobs):
    values, _, _ = blobs(2, regions=100)
    positions = region_map(values, most=40)
    assert np.isfinite(positions).all(1).sum() == 40
    np.testing.assert_array_equal(np.isnan(positions[:, 0]), np.isnan(positions[:, 1]))


def test_few_regions_are_placed_by_their_principal_components():
    x = np.array([[0, 0, 0], [4, 0, 0], [0, 2, 0], [4, 2, 0]], np.float32)
    np.testing.assert_allclose(region_map(x), [[-1, -0.5], [1, -0.5], [-1, 0.5], [1, 0.5]])
    np.testing.assert_allclose(region_map(np.array([[1.0], [3.0]])), [[-1, 0], [1, 0]])
    np.testing.assert_array_equal(region_map(np.ones((7, 3))), np.zeros((7, 2)))
    with pytest.raises(InputError, match="no regions"):
        region_map(np.ones((0, 3)))
