"""Shares of concepts against slow loops over pixels."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import rankdata

from salix.compare import concept_shares, read_regions
from salix.typing import InputError
from tests.compare.synthetic_runs import write_runs

COUNT = 5


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    runs = write_runs(folder, planted={"A": 5.0, "B": 1.0}, images=20, side=20, segments=60)
    return read_regions(runs)


@pytest.fixture(scope="module")
def concept(table):
    numbers = np.random.default_rng(0).integers(-1, COUNT - 1, len(table.image))
    numbers[table.image == 3] = -1
    return numbers


def slow_sums(table, concept, maps):
    """Return sums over the union of each concept's regions, NaN without one, by loops."""
    sums = np.full((len(table.models), len(table.ids), COUNT), np.nan)
    side, masks = table.side, table.mask(slice(None)).tolist()
    for i in range(len(table.ids)):
        for k in range(COUNT):
            members = np.flatnonzero((table.image == i) & (concept == k))
            pixels = {
                (y, x) for r in members for y in range(side) for x in range(side) if masks[r][y][x]
            }
            for m in range(len(table.models)) if len(members) else ():
                own = maps[m, i].reshape(side, side).astype(float)
                sums[m, i, k] = sum(own[p] for p in pixels) / side**2
    return sums


def test_share_is_the_part_of_the_attribution_in_the_union(table, concept):
    shares = concept_shares(table, concept, COUNT)
    np.testing.assert_allclose(shares, slow_sums(table, concept, table.density), rtol=1e-5)
    assert shares.dtype == np.float32
    assert np.isnan(shares[:, 3]).all()
    assert np.isnan(shares[:, :, COUNT - 1]).all()
    assert np.nanmin(shares) >= 0
    assert np.nanmax(shares) <= 1


def test_signed_share_is_that_of_the_signed_map(table, concept):
    shares = concept_shares(table, concept, COUNT, scale="signed")
    expected = slow_sums(table, concept, table.signed)
    np.testing.assert_allclose(shares, expected, rtol=1e-4, atol=1e-6)
    assert np.nanmin(shares) < 0


def test_completeness_divides_by_the_change_of_the_score_and_is_undefined_near_zero(table, concept):
    error = table.completeness.copy()
    error[:, 5] = table.net[:, 5] - 0.049 * table.total[:, 5]
    table = replace(table, completeness=error)
    assert (concept[table.image == 5] >= 0).any()
    shares = concept_shares(table, concept, COUNT, scale="completeness")
    assert np.isnan(shares[:, 5]).all()
    change = table.net - table.completeness
    defined = np.abs(change) >= 0.05 * table.total
    assert 0 < (~defined).sum() < defined.sum()
    sums = slow_sums(table, concept, table.signed) * table.total[:, :, None]
    expected = np.where(defined[:, :, None], sums / change[:, :, None], np.nan)
    np.testing.assert_allclose(shares, expected, rtol=1e-3, atol=1e-5)


def test_rank_is_the_percentile_within_the_model(table, concept):
    shares, ranks = (concept_shares(table, concept, COUNT, scale=s) for s in ("share", "rank"))
    for own, rank in zip(shares, ranks, strict=True):
        valid = ~np.isnan(own)
        below = (own[valid][:, None] > own[valid]).sum(1)
        assert np.allclose(rank[valid], (below + 0.5) / valid.sum())
        assert np.allclose(rankdata(rank[valid]), rankdata(own[valid]))
    assert np.array_equal(np.isnan(shares), np.isnan(ranks))


def test_regions_that_overlap_count_once(table):
    one = concept_shares(table, np.zeros(len(table.image), int), 1)[:, :, 0]
    separate = np.zeros_like(one)
    np.add.at(separate.T, table.image, table.share.T)
    assert (one < separate).any()
    assert (one <= separate + 1e-3).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"scale": "log"}, "choose share, signed, completeness, rank"),
        ({"concept": [0]}, "give a number each"),
        ({"concept": 9}, "expected -1 to 4"),
    ],
)
def test_unusable_arguments_are_refused(table, concept, wrong, message):
    if "concept" in wrong:
        concept = np.array(wrong["concept"]) if wrong["concept"] == [0] else concept + 9
    with pytest.raises(InputError, match=message):
        concept_shares(table, concept, COUNT, scale=wrong.get("scale", "share"))
