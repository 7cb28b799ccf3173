"""Comparison of runs: symmetries, scale, quadrants, groups, headlines and tables."""

import json
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow.parquet as pq
import pytest

from salix.compare import compare, headline, write_tables
from salix.compare.comparison import Comparison
from salix.compare.header import comparison_header
from salix.compare.quality import DELETION, MOVED, model_quality
from salix.store import Run
from salix.typing import InputError
from tests.compare.synthetic_runs import PLANTED, scene, write_run, write_runs

OPTIONS = {"concepts": 8, "seed": 0}
IMAGES = {"images": 60, "segments": 60}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    write_runs(folder, planted={"a": 6.0, "b": 1.0}, **IMAGES)
    write_run(folder / "copy", name="copy", planted=6.0, model=0, **IMAGES)
    write_run(folder / "loud", name="loud", planted=1.0, model=1, logit_scale=10.0, **IMAGES)
    return folder


@pytest.fixture(scope="module")
def planted(folder) -> Comparison:
    return compare(folder / "a", folder / "b", **OPTIONS)


def values(rows):
    return np.array([[d.difference.value, d.difference.low, d.difference.high, d.p] for d in rows])


def test_planted_concept_is_first_and_credited_to_its_model(planted):
    rows, first = planted.differences("a", "b"), planted.ranking("a", "b")[0]
    assert rows[first].significant
    assert rows[first].credited == 0
    sentence = headline(planted, "a", "b")
    assert sentence.concept == first
    assert sentence.text.startswith("Of these two models: a has more of its attribution on concept")
    assert any("training seed" in line and "--group" in line for line in sentence.evidence)
    assert planted.stability("a", "b").first > 0.9
    assert planted.null("a", "b").p < 0.01


def test_a_model_against_its_copy_differs_by_exactly_zero(folder):
    same = compare(folder / "a", folder / "copy", **OPTIONS)
    rows = same.differences("a", "copy")
    assert all((d.difference.value, d.p, d.q) == (0, 1, 1) for d in rows if d.images)
    assert not any(d.significant for d in rows)
    assert same.odd("a", "copy") == ()
    assert "the same share of every concept" in headline(same, "a", "copy").text
    assert {c.outcome for c in same.causal("a", "copy")} == {"not measured"}


def test_swapping_the_runs_negates_differences_and_leaves_concepts(folder, planted):
    swapped = compare(folder / "b", folder / "a", **OPTIONS)
    np.testing.assert_array_equal(swapped.concepts.labels, planted.concepts.labels)
    one, two = values(planted.differences("a", "b")), values(swapped.differences("b", "a"))
    np.testing.assert_array_equal(two, one * [-1, -1, -1, 1] @ np.eye(4)[[0, 2, 1, 3]])
    assert planted.differences("b", "a")[0].difference.value == -one[0, 0]


def test_logits_times_ten_change_nothing(folder, planted):
    scaled = compare(folder / "a", folder / "loud", **OPTIONS)
    np.testing.assert_array_equal(scaled.concepts.labels, planted.concepts.labels)
    np.testing.assert_allclose(
        values(scaled.differences("a", "loud")), values(planted.differences("a", "b")), atol=2e-4
    )
    np.testing.assert_allclose(scaled.drops, planted.drops, rtol=1e-4, atol=1e-6)


def test_quadrants_and_slices_recompute_all_numbers(planted):
    masks = planted.quadrant_masks("a", "b")
    assert sum(mask.sum() for mask in masks.values()) == 60
    slices = {s.name: s for s in planted.slices}
    mask = slices["subset = camera"].images
    rows = planted.differences("a", "b", images=mask)
    k = planted.ranking("a", "b")[0]
    inside = planted.shares[:, mask, k]
    expected = np.nanmean(inside[0].astype(float) - inside[1])
    np.testing.assert_allclose(rows[k].difference.value, expected)
    assert rows[k].images == np.isfinite(inside[0]).sum()
    empty = planted.differences("a", "b", images=np.zeros(60, bool))
    assert {d.images for d in empty} == {0}


def test_unlabelled_images_are_in_no_quadrant(planted):
    table = replace(planted.table, labels=np.full(60, -1))
    unlabelled = replace(planted, table=table)
    assert not any(mask.any() for mask in unlabelled.quadrant_masks("a", "b").values())
    assert any("no labels" in note for note in unlabelled.notes)


def test_a_run_without_masking_is_not_checked(planted):
    table = replace(planted.table, drop=np.full_like(planted.table.drop, np.nan))
    unmasked = replace(planted, table=table)
    assert {c.outcome for c in unmasked.causal("a", "b")} == {"not measured"}
    assert any("Masking was not measured" in note for note in unmasked.notes)


def test_unknown_models_and_levels_are_refused(folder, planted):
    with pytest.raises(InputError, match="choose from a, b"):
        planted.differences("a", "c")
    with pytest.raises(InputError, match=r"between 0 and 1"):
        compare(folder / "a", folder / "b", level=95)


class SeedRun(Run):
    """Run of a group, by its path: GROUP/NAME."""

    name = property(lambda self: self.path.name)
    group = property(lambda self: self.path.parent.name)
    skipped = ()


def seeded(planted, groups, effect, seed=0):
    """Comparison of runs whose shares differ by their seed, and by `effect` in concept 0."""
    rng = np.random.default_rng(seed)
    images, count = planted.shares.shape[1:]
    shares = rng.gamma(2, 0.05, (images, count)) + rng.normal(0, 0.02, (len(groups), 1, count))
    shares = shares + rng.normal(0, 0.02, (len(groups), images, count))
    shares[[g == "a" for g in groups], :, 0] += effect
    runs = tuple(SeedRun(Path(g) / f"{g}{i}") for i, g in enumerate(groups))
    table = replace(planted.table, models=tuple(r.name for r in runs))
    return replace(planted, runs=runs, table=table, shares=shares)


def test_headline_of_groups_is_over_runs(planted):
    claim = headline(seeded(planted, "aaaabbbb", 0.3), "a0", "b4")
    assert (claim.scope, claim.concept) == ("groups", 0)
    assert claim.text.startswith("a has more of its attribution on concept 1 than b (")
    assert any(line.startswith("Runs of one group differ by up to") for line in claim.evidence)
    none = headline(seeded(planted, "aaaabbbb", 0.0), "a0", "b4")
    assert none.concept is None
    assert "cannot be told apart" in none.text


def test_headline_of_one_run_against_several_is_about_the_one(planted):
    claim = headline(seeded(planted, "aaaaab", 0.4), "a0", "b5")
    assert (claim.scope, claim.concept) == ("one run against several", 0)
    assert claim.text.startswith("Of the one run of b: a has more")
    few = headline(seeded(planted, "aab", 0.0, seed=1), "a0", "b2")
    assert few.concept is None


def test_reseeded_runs_are_the_noise_floor_of_seeds(planted):
    comparison = seeded(planted, "aab", 0.0)
    assert comparison.pairs[-1] == ("a0", "a1")
    panel = comparison.null("a0", "b2")
    (pair,) = panel.seeds
    assert (pair.a, pair.b) == ("a0", "a1")
    sizes = [abs(d.difference.value) for d in comparison.differences("a0", "a1")]
    np.testing.assert_array_equal(panel.seed_floor, sizes)
    assert "which differ by their training seed" in headline(comparison, "a0", "a1").text


class Rows(Run):
    """Run with some columns of numbers."""

    columns: ClassVar[dict] = {"id": np.array(["x", "y", "z"], object)}

    def read(self, names):
        return {n: self.columns[n] for n in names}


class MeasuredRows(Rows):
    """Run with deletion curves."""

    columns: ClassVar[dict] = Rows.columns | {
        DELETION: np.array([0.1, 0.2, 0.6]),
        MOVED: np.array([0.5, 0.5, 0.5]),
    }


def test_quality_is_read_by_id_and_names_what_to_run():
    run = MeasuredRows(Path("a"))
    quality = model_quality("a", run, np.array(["z", "x"], object))
    np.testing.assert_allclose(quality.deletion.value, 0.35)
    np.testing.assert_allclose(quality.gain.value, 0.15)
    assert (quality.deletion.n, quality.sic, quality.missing) == (2, None, "")
    missing = model_quality("a", Rows(Path("a")), np.array(["x"], object))
    assert missing.deletion is None
    assert "--measures regions" in missing.missing


def test_tables_have_the_numbers_of_the_comparison(planted, tmp_path):
    regions, concepts, numbers = write_tables(planted, tmp_path / "compare.html")
    assert [p.name for p in (regions, concepts, numbers)] == [
        "compare.regions.parquet", "compare.concepts.parquet", "compare.json",
    ]  # fmt: skip
    rows, table = pq.read_table(regions).to_pylist(), planted.table
    assert len(rows) == len(table.image)
    row, y0x0 = rows[5], table.box[5]
    assert row["id"] == row["file"] == table.ids[table.image[5]]
    np.testing.assert_allclose(row["bounding_box"][:2], y0x0[[1, 0]])
    np.testing.assert_allclose(row["share_b"], table.share[1, 5])
    assert row["label"] in ("real", "fake")
    listed = pq.read_table(concepts).to_pylist()
    expected = planted.differences("a", "b")
    own = [r for r in listed if r["kind"] == "all"]
    assert [r["difference"] for r in own] == [d.difference.value for d in expected]
    assert {r["images_of"] for r in listed if r["kind"] == "quadrant"} == {
        "both right", "only A", "only B", "neither",
    }  # fmt: skip
    data = json.loads(numbers.read_text())
    assert data["pairs"][0]["sets"][0]["concepts"][0]["q"] == own[0]["q"]
    header = data["header"]
    assert [m["name"] for m in header["models"]] == ["a", "b"]
    assert header["data"]["images_used"] == 60
    assert header["concepts"]["count"] == 8
    assert header["models"][0]["attribution"].startswith("IntegratedGradients")
    with pytest.raises(InputError, match="name a file"):
        write_tables(planted, tmp_path / "compare.json")


def test_masking_counts_with_the_sign_of_the_attribution(planted):
    table, k = planted.table, planted.ranking("a", "b")[0]
    drop = np.abs(table.mass) * [[2.0], [1.0]] * np.sign(table.mass)  # faithful, also below 0
    faithful = replace(planted, table=replace(table, drop=drop.astype(np.float32)))
    check = faithful.causal("a", "b")[k]
    assert (check.credited, check.outcome) == (0, "confirmed")
    wrong = replace(planted, table=replace(table, drop=-drop.astype(np.float32)))
    assert wrong.causal("a", "b")[k].outcome == "contradicted"
    assert (np.nan_to_num(faithful.drops) >= 0).all()
    assert (np.nan_to_num(replace(faithful, scale="signed").drops) < 0).any()


@pytest.mark.slow
@pytest.mark.parametrize("dropped", [(), ("region_features",)])
def test_difference_concept_is_what_one_model_relies_on(tmp_path, dropped):
    options = {"images": 100, "segments": 40, "drop_columns": dropped}
    write_runs(tmp_path, planted={"a": 6.0, "b": 1.0}, **options)
    comparison = compare(tmp_path / "a", tmp_path / "b", **OPTIONS)
    content = scene(range(100), segments=40, seed=0)
    planted = content.concept[comparison.table.image, comparison.table.region] == PLANTED
    found = comparison.difference_concepts("a", "b")
    (concept,) = found.concepts
    assert (concept.nearer, found.weighted) == (0, True)
    assert planted[concept.members].sum() / planted[found.sample].sum() > 0.7
    assert planted[concept.members].mean() > 0.9
    alike = comparison_header(comparison)["difference_concepts"]["alike_by"]
    assert alike == (["descriptor"] if dropped else ["features"])
    if dropped:
        with pytest.raises(InputError, match="a and b have no features of regions"):
            comparison.difference_concepts("a", "b", weight=None)
    else:
        assert comparison.difference_concepts("a", "b", weight=None).concepts == ()
    with pytest.raises(InputError, match="weight is 'mass': choose 'attribution' or None"):
        comparison.difference_concepts("a", "b", weight="mass")
