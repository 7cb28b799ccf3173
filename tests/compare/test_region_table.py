"""Reading of the regions that several models have in common."""

import numpy as np
import pytest

from salix.compare import concept_shares, read_regions
from tests.compare.synthetic_runs import PLANTED, scene, write_runs

SHARED = ("ids", "image", "region", "area", "floor", "box", "masks", "labels", "target")
BY_MODEL = ("mass", "share", "drop", "rank", "density", "signed", "predicted", "confidence")
BY_MODEL += ("correct", "completeness", "total", "net")
IMAGES = 60


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return write_runs(folder, planted={"A": 8.0, "B": 1.0}, images=IMAGES, groups=True)


@pytest.fixture(scope="module")
def table(runs):
    return read_regions(runs)


@pytest.fixture(scope="module")
def concept(table):
    return scene(range(IMAGES), segments=145, seed=0).concept[table.image, table.region]


def test_swapped_runs_permute_the_models_and_change_nothing_else(runs, table, concept):
    swapped = read_regions(runs[::-1])
    assert swapped.models == table.models[::-1]
    for name in SHARED:
        assert np.array_equal(getattr(swapped, name), getattr(table, name)), name
    for name in BY_MODEL:
        a, b = getattr(swapped, name)[::-1], getattr(table, name)
        assert np.array_equal(a, b, equal_nan=True), name
    for name in ("descriptor", "A", "B"):
        assert np.array_equal(swapped.embeddings[name], table.embeddings[name])
    for scale in ("share", "signed", "completeness", "rank"):
        a = concept_shares(swapped, concept, 8, scale=scale)[::-1]
        assert np.array_equal(a, concept_shares(table, concept, 8, scale=scale), equal_nan=True)


def test_the_planted_concept_has_the_larger_share_in_its_model(table, concept):
    shares = concept_shares(table, np.where(table.floor, -1, concept), 8)
    a, b = np.nanmean(shares, 1)
    assert a[PLANTED] > 2 * b[PLANTED]
    assert np.abs(a - b)[PLANTED + 1 :].max() < 0.5 * (a - b)[PLANTED]
