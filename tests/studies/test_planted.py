"""Overlap of concepts with planted masks, against a slow version."""

import numpy as np
import pytest

from salix.compare import read_regions
from salix.compare.masks import unpack
from salix.compare.ownership import owned_masks
from salix.studies.planted import planted_overlap
from tests.compare.synthetic_runs import write_runs


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return read_regions(write_runs(folder, planted={"a": 1.0, "b": 1.0}, images=12, segments=20))


def test_overlap_is_the_share_of_areas_of_owned_pixels(table):
    rng = np.random.default_rng(0)
    planted = np.zeros((12, table.side, table.side))
    for i in range(9):  # three images have none
        y, x = rng.integers(0, 40, 2)
        planted[i, y : y + 15, x : x + 10] = 1
    planted[0] /= 2  # half of each grid position
    concept = rng.integers(-1, 4, len(table.image))
    overlap = planted_overlap(table, concept, 5, planted)
    owned = unpack(owned_masks(table), table.side)
    for k in range(5):
        both = area = 0.0
        for i in range(9):
            cover = owned[(table.image == i) & (concept == k)].any(0)
            both += planted[i][cover].sum()
            area += cover.sum()
        assert overlap.recall[k] == pytest.approx(both / planted.sum(), abs=1e-3)
        if k == 4:
            assert np.isnan(overlap.precision[k])
            continue
        assert overlap.precision[k] == pytest.approx(both / area, abs=1e-3)
        expected = both / (area + planted.sum() - both)
        assert overlap.jaccard[k] == pytest.approx(expected, abs=1e-3)
