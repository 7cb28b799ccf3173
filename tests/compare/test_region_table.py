"""Reading of the regions that several models have in common."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from salix.compare import concept_shares, read_regions
from salix.store import Run
from tests.compare.synthetic_runs import PLANTED, altered, scene, write_run, write_runs

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


def test_numbers_of_regions_are_shares_of_their_segments(runs, table):
    rows = Run(runs[0]).read()
    i, r = table.image, table.region
    total = rows["region_absolute_total"][i]
    assert np.allclose(table.share[0], rows["region_absolute"][i, r] / total)
    assert np.allclose(table.mass[0], rows["region_mass"][i, r] / total)
    assert np.array_equal(table.drop[0], rows["region_drop"][i, r], equal_nan=True)
    assert np.array_equal(table.rank[0], rows["region_rank"][i, r])
    assert np.array_equal(table.area, rows["region_area"][i, r])
    assert np.array_equal(table.embeddings["A"], rows["region_features"][i, r])
    assert np.array_equal(table.embeddings["descriptor"], rows["region_descriptor"][i, r])
    assert np.array_equal(table.density[0], rows["region_absolute_map"].reshape(IMAGES, -1))
    labels = rows["region_labels"][i]
    assert np.array_equal(table.mask(slice(None)), (labels == r[:, None, None, None] + 1).any(1))
    # Segment sums and the maps on the grid tell the same.
    inside = table.mask(slice(None)).reshape(len(i), -1) * table.density[0, i].astype(float)
    assert np.allclose(inside.sum(1) / table.side**2, table.share[0], rtol=2e-3)


def test_images_have_labels_predictions_groups_and_columns_to_slice_by(runs, table):
    rows = Run(runs[1]).read()
    assert table.ids.tolist() == rows["id"].tolist()
    assert np.array_equal(table.correct[1], rows["predicted"] == rows["label"])
    odds = np.exp(rows["logits"] - rows["logits"].max(1, keepdims=True))
    assert np.allclose(table.confidence[1], (odds / odds.sum(1, keepdims=True)).max(1))
    assert np.bincount(table.clusters).tolist() == [4] * (IMAGES // 4)
    assert table.metadata["subset"].tolist() == [id.split("/")[0] for id in table.ids]
    assert table.metadata["label"].tolist() == [("real", "fake")[n] for n in table.labels]
    assert table.metadata["group"][:2].tolist() == ["person-0", "person-0"]
    assert (table.explained, table.notes) == ("the label of each image", ())
    assert table.segmentation.startswith("SLIC(segments=(15, 50, 80)")


def test_greater_logits_change_no_share(runs, table, concept, tmp_path):
    loud = write_run(
        tmp_path / "loud", name="A", images=IMAGES, planted=8.0, logit_scale=10.0, groups=True
    )
    other = read_regions([loud, runs[1]])
    assert np.array_equal(other.region, table.region)
    assert np.allclose(other.share, table.share, rtol=1e-5)
    assert np.allclose(other.total[0], 10 * table.total[0])
    for scale in ("share", "signed", "completeness", "rank"):
        a, b = (concept_shares(t, concept, 8, scale=scale) for t in (other, table))
        assert np.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True)


def test_order_and_subset_of_images_decide_nothing(runs, table, tmp_path, monkeypatch):
    monkeypatch.setattr("salix.compare.reading.BATCH", 16)
    order = np.random.default_rng(0).permutation(IMAGES)[:25]
    parts = [altered(r, tmp_path / r.name, rows=order) for r in runs]
    part = read_regions(parts)
    for new, old in enumerate(order):
        a, b = part.image == new, table.image == old
        for name in ("region", "floor", "box", "masks", "area"):
            assert np.array_equal(getattr(part, name)[a], getattr(table, name)[b])
        assert np.array_equal(part.share[:, a], table.share[:, b])
        assert np.array_equal(part.embeddings["B"][a], table.embeddings["B"][b])
    other = altered(runs[1], tmp_path / "mixed", rows=order[::-1])
    mixed = read_regions([parts[0], other])
    assert np.array_equal(read_regions([other, parts[0]]).ids, mixed.ids)
    again = read_regions([parts[0], parts[1]])
    by_id = {id: n for n, id in enumerate(mixed.ids)}
    place = [by_id[id] for id in again.ids]
    assert np.array_equal(mixed.total[:, place], again.total)
    assert np.array_equal(mixed.density[:, place], again.density)
    assert np.array_equal(mixed.predicted[:, place], again.predicted)


def test_cover_and_most_and_floor_bound_the_selection(runs, table):
    small = read_regions(runs, cover=0.1, most=4, floor=0)
    assert not small.floor.any()
    assert small.rank.max(0).max() <= 4 or (small.rank > 0).any(0).all()
    assert len(small.image) < len(table.image)
    assert ((small.rank > 0) & (small.rank <= 4)).any(0).all()


def test_a_run_beside_itself_has_two_names_and_equal_numbers(runs):
    twice = read_regions([runs[0], runs[0]])
    assert twice.models == ("A", "A (2)")
    assert np.array_equal(twice.share[0], twice.share[1])
    assert set(twice.embeddings) == {"descriptor", "A", "A (2)"}


def test_runs_of_one_name_have_their_folders_beside_it(runs, tmp_path):
    other = altered(runs[1], tmp_path / "second", name="A")
    assert read_regions([runs[0], other]).models == ("A (A)", "A (second)")


def test_three_models_are_read_together(runs, tmp_path):
    third = write_run(tmp_path / "C", name="C", images=IMAGES, model=2, groups=True)
    table = read_regions([*runs, third])
    swapped = read_regions([third, *runs])
    assert table.share.shape[0] == 3
    assert np.array_equal(table.region, swapped.region)
    assert np.array_equal(table.share, swapped.share[[1, 2, 0]])


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json"])
def test_a_table_of_the_user_gives_columns(runs, table, tmp_path, suffix):
    ids = table.ids.tolist()[::-1][:-1]
    seasons = ["summer", "winter"] * 40
    years = [2000 + n % 3 for n in range(len(ids))]
    file = tmp_path / f"columns.{suffix}"
    columns = pa.table({"id": ids, "season": seasons[: len(ids)], "year": years})
    if suffix == "csv":
        pa.csv.write_csv(columns, file)
    elif suffix == "json":
        file.write_text(json.dumps(columns.to_pylist()))
    else:
        pa.parquet.write_table(columns, file)
    metadata = read_regions(runs, metadata=file).metadata
    assert metadata["season"][-1] == "summer"
    assert metadata["season"][-2] == "winter"
    assert metadata["season"][0] == ""
    assert metadata["year"][-3] == "2002"
