"""Shares of concepts against slow loops over pixels."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import rankdata

from salix.compare import concept_shares, read_regions
from salix.compare.masks import pack, unpack
from salix.compare.ownership import owned_masks
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


def slow_owners(table, i):
    """Return the region that owns each pixel of an image, by its first cover in the order."""

    def order(r):
        ranks = [n for n in table.rank[:, r] if n > 0]
        density = max(table.share[:, r]) / table.area[r]
        return table.floor[r], -density, min(ranks, default=10**9), table.region[r]

    owners = {}
    for r in sorted(np.flatnonzero(table.image == i), key=order):
        for pixel in zip(*np.nonzero(table.mask(r)), strict=True):
            owners.setdefault(pixel, r)
    return owners


def slow_sums(table, concept, maps):
    """Return sums over the pixels that each concept's regions own, NaN without one, by loops."""
    sums = np.full((len(table.models), len(table.ids), COUNT), np.nan)
    for r in np.flatnonzero(concept >= 0):
        sums[:, table.image[r], concept[r]] = 0
    for i in range(len(table.ids)):
        for (y, x), r in slow_owners(table, i).items():
            if concept[r] >= 0:
                sums[:, i, concept[r]] += maps[:, i, y * table.side + x].astype(float)
    return sums / table.side**2


def test_share_is_the_part_of_the_attribution_in_the_pixels_it_owns(table, concept):
    shares = concept_shares(table, concept, COUNT)
    np.testing.assert_allclose(shares, slow_sums(table, concept, table.density), rtol=1e-5)
    assert shares.dtype == np.float32
    assert np.isnan(shares[:, 3]).all()
    assert np.isnan(shares[:, :, COUNT - 1]).all()
    assert np.nanmin(shares) >= 0
    assert np.nanmax(shares) <= 1


def test_a_pixel_belongs_to_one_region_and_picked_ones_come_before_the_floor(table):
    owned = unpack(owned_masks(table), table.side)
    masks = table.mask(slice(None))
    for i in range(len(table.ids)):
        own = table.image == i
        assert (owned[own].sum(0) == masks[own].any(0)).all()
        picked = own & ~table.floor
        assert (owned[picked].sum(0) == masks[picked].any(0)).all()
    assert (owned <= masks).all()
    assert (owned < masks).any()


def test_a_dense_region_owns_its_pixels_and_the_one_around_it_the_rest(table):
    r = np.flatnonzero(table.image == 0)[:4]
    masks, area, floor = table.mask(slice(None)), table.area.copy(), table.floor.copy()
    share, rank = table.share.copy(), table.rank.copy()
    masks[table.image == 0] = False
    masks[r[[0, 3]]] = True  # the frame, the second time as a region of the floor
    masks[r[1:3], :4, :4] = True  # twice the same: the better rank owns it
    area[r] = masks[r].mean((1, 2))
    share[:, r] = [[0.5, 0.01, 0.2, 0.9], [0.5, 0.2, 0.01, 0.9]]
    rank[:, r] = [[2, 3, 0, 0], [1, 2, 4, 0]]
    floor[r] = [False, False, False, True]
    masks = masks.reshape(len(masks), -1)
    fields = {"masks": pack(masks), "area": area, "rank": rank, "floor": floor}
    known = replace(table, **fields, share=share)
    owned = unpack(owned_masks(known), table.side)[r]
    assert owned[1].sum() == 16
    assert (owned[0] == ~owned[1]).all()
    assert not owned[2:].any()
    concept = np.full(len(table.image), -1)
    concept[r] = range(4)
    shares = concept_shares(known, concept, COUNT)[:, 0]
    assert (shares[:, :2] > 0).all()
    assert (shares[:, 2:4] == 0).all()
    share[1, r[1]] = 0.01  # the other one is denser now, in one of the models
    owned = unpack(owned_masks(replace(known, share=share)), table.side)[r]
    assert owned.sum((1, 2)).tolist() == [table.side**2 - 16, 0, 16, 0]


def test_concepts_of_an_image_sum_to_its_covered_share(table, concept):
    split = np.where(concept < 0, COUNT - 1, concept)
    parts = np.nansum(concept_shares(table, split, COUNT), 2)
    whole = concept_shares(table, np.zeros(len(table.image), int), 1)[:, :, 0]
    np.testing.assert_allclose(parts, whole, rtol=1e-5)
    for i in range(len(table.ids)):
        covered = table.mask(table.image == i).any(0).ravel()
        inside = table.density[:, i].astype(float)[:, covered].sum(1) / table.side**2
        np.testing.assert_allclose(whole[:, i], inside, rtol=1e-5)


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
