"""Differences of two models by concept: slow versions, symmetries and degenerate images."""

import numpy as np
import pytest
from scipy import stats

from salix.compare.causal import causal_checks, concept_drops
from salix.compare.differences import concept_differences, rank_concepts
from salix.compare.groups import compare_concepts_of_groups
from salix.compare.null_panel import null_panel
from salix.compare.ranking import ranking_stability
from salix.compare.slices import metadata_slices, quadrant_masks
from salix.typing import InputError


def shares(images=300, concepts=6, seed=0, effect=0.0):
    """Shares of two models; concept 0 differs by `effect`, each concept is in half the images."""
    rng = np.random.default_rng(seed)
    content = rng.gamma(2, 0.05, (images, concepts))
    a, b = (content * rng.gamma(8, 1 / 8, content.shape) for _ in range(2))
    a[:, 0] += effect
    present = rng.random(content.shape) < 0.5
    return np.where(present, a, np.nan), np.where(present, b, np.nan)


def numbers(d):
    limits = (d.difference.value, d.difference.low, d.difference.high, d.contribution)
    return (*limits, d.p, d.q, d.images, d.prevalence)


def test_differences_are_means_over_images_that_contain_the_concept():
    a, b = shares(effect=0.03)
    rows, _rng = concept_differences(a, b), np.random.default_rng(0)
    for k, d in enumerate(rows):
        inside = [i for i in range(len(a)) if a[i, k] == a[i, k]]
        paired = [a[i, k] - b[i, k] for i in inside]
        assert d.images == d.difference.n == len(inside)
        np.testing.assert_allclose(d.difference.value, np.mean(paired))
        np.testing.assert_allclose(
            [d.a.value, d.b.value], [a[inside, k].mean(), b[inside, k].mean()]
        )
        np.testing.assert_allclose(d.prevalence, len(inside) / len(a))
        np.testing.assert_allclose(d.contribution, np.sum(paired) / len(a))
        swaps = stats.permutation_test(
            (paired,),
            np.mean,
            permutation_type="samples",
            n_resamples=4000,
            rng=np.random.default_rng(0),
        )
        np.testing.assert_allclose(d.p, swaps.pvalue, atol=0.03)
    np.testing.assert_allclose(
        [d.q for d in rows], stats.false_discovery_control([d.p for d in rows])
    )
    assert rows[0].significant
    assert rows[0].credited == 0
    assert rows[0].difference.low < 0.03 < rows[0].difference.high


def test_equal_models_differ_by_exactly_zero():
    a, _ = shares()
    for d in concept_differences(a, a.copy(), clusters=np.arange(300) // 4):
        assert (d.difference.value, d.difference.low, d.difference.high) == (0, 0, 0)
        assert (d.p, d.q, d.contribution, d.credited, d.significant) == (1, 1, 0, -1, False)


@pytest.mark.parametrize("clusters", [None, np.arange(300) // 3, np.arange(300) // 50])
def test_swapping_the_models_negates_every_difference_to_the_bit(clusters):
    a, b = shares(effect=0.01)
    a[80:, 3] = np.nan  # in few images
    for one, two in zip(
        concept_differences(a, b, clusters=clusters),
        concept_differences(b, a, clusters=clusters),
        strict=True,
    ):
        value, low, high, contribution, *rest = numbers(one)
        np.testing.assert_array_equal(numbers(two), (-value, -high, -low, -contribution, *rest))
        assert (one.a, one.b) == (two.b, two.a)


def test_images_restrict_every_number():
    a, b = shares()
    mask = np.random.default_rng(0).random(300) < 0.4
    clusters = np.arange(300) // 2
    cut = concept_differences(a[mask], b[mask], clusters=clusters[mask])
    assert concept_differences(a, b, images=mask, clusters=clusters) == cut
    assert concept_differences(a, b, images=np.flatnonzero(mask), clusters=clusters) == cut


def test_more_than_one_image_is_needed_for_limits_and_one_for_a_value():
    a, b = shares(concepts=3)
    a[:, 1] = b[:, 1] = np.nan
    a[5, 1], b[5, 1] = 0.4, 0.1
    a[:, 2] = np.nan
    one, none = concept_differences(a, b)[1:]
    assert (one.images, one.p) == (1, 1.0)
    assert not one.significant
    np.testing.assert_allclose(one.difference.value, 0.3)
    assert np.isnan(one.difference.low)
    assert none.images == 0
    assert np.isnan([none.p, none.q, none.difference.value]).all()
    assert none.contribution == 0
    assert not none.significant


def test_one_cluster_has_neither_limits_nor_test():
    a, b = shares()
    for d in concept_differences(a, b, clusters=np.zeros(300)):
        assert np.isnan([d.p, d.q, d.difference.low]).all()
        assert not d.significant
    empty = concept_differences(a, b, images=np.zeros(300, bool))
    assert all(d.images == 0 and np.isnan(d.prevalence) for d in empty)


def test_clusters_widen_intervals():
    a, b = shares(images=400)
    clusters = np.arange(400) // 20
    a += np.random.default_rng(1).normal(0, 0.06, 20)[clusters, None]
    alone, grouped = (concept_differences(a, b, clusters=c) for c in (None, clusters))
    widths = [[d.difference.high - d.difference.low for d in rows] for rows in (alone, grouped)]
    assert (np.array(widths[1]) > 1.5 * np.array(widths[0])).all()
    assert grouped[0].difference.clusters == 20


def test_other_shapes_are_refused():
    a, b = shares()
    with pytest.raises(InputError, match="same images"):
        concept_differences(a, b[:10])
    with pytest.raises(InputError, match="mask"):
        concept_differences(a, b, images=np.ones(3, bool))


def test_ranking_puts_rare_concepts_behind():
    values, images = np.array([0.1, -0.3, 0.9, np.nan, 0.2]), np.array([50, 50, 2, 0, 50])
    assert rank_concepts(values, images).tolist() == [1, 4, 0, 2, 3]


def test_null_panel_holds_what_swaps_give():
    a, b = shares(images=120, effect=0.05)
    rows = concept_differences(a, b)
    panel = null_panel(rows, a - b)
    rng, d = np.random.default_rng(3), np.nan_to_num(a - b)
    n = np.isfinite(a).sum(0)
    swaps = np.array([(rng.choice([-1, 1], 120)[:, None] * d).sum(0) / n for _ in range(4000)])
    np.testing.assert_allclose(panel.concept, np.quantile(np.abs(swaps), 0.95, axis=0), rtol=0.06)
    np.testing.assert_allclose(panel.floor, np.quantile(np.abs(swaps).max(1), 0.95), rtol=0.06)
    assert panel.observed == rows[0].difference.value
    assert panel.p < 0.001
    assert np.isnan(panel.seed_floor).all()


def test_ranking_stability_is_certain_for_large_differences_alone():
    a, b = shares(images=400, concepts=12)
    b[:, :5] -= 0.5 + 0.1 * np.arange(5)
    sure = ranking_stability(concept_differences(a, b), a - b)
    assert (sure.top, sure.overlap, sure.first) == ((4, 3, 2, 1, 0), 1.0, 1.0)
    a, b = shares(images=400, concepts=12)
    noise = ranking_stability(concept_differences(a, b), a - b)
    assert noise.overlap < 0.9
    assert noise.chance == 5 / 12


def test_masking_is_measured_in_units_of_the_model():
    rng = np.random.default_rng(0)
    image, concept = np.repeat(np.arange(100), 4), np.tile([0, 1, 1, -1], 100)
    drop = rng.normal(1, 0.2, (2, 400))
    drop[0, concept == 0] *= 3
    drops = concept_drops(drop, image, concept, 100, 2)
    unit = np.abs(drop).mean(1)
    np.testing.assert_allclose(drops[0, 7, 1], drop[0, 29:31].mean() / unit[0])
    scaled = concept_drops(drop * [[1], [10]], image, concept, 100, 2)
    np.testing.assert_allclose(scaled, drops)
    rows = concept_differences(np.tile([0.3, 0.1], (100, 1)), np.tile([0.1, 0.2], (100, 1)))
    one, two = causal_checks(rows, *drops)
    assert (one.credited, one.outcome) == (0, "confirmed")
    np.testing.assert_allclose(one.excess.value, (drops[0] - drops[1])[:, 0].mean())
    assert (two.credited, two.outcome) == (1, "confirmed")  # by the unit: a relies on concept 0
    swapped = concept_differences(np.tile([0.1, 0.3], (100, 1)), np.tile([0.3, 0.1], (100, 1)))
    assert causal_checks(swapped, *drops)[0].outcome == "contradicted"
    missing = concept_drops(np.full((2, 400), np.nan), image, concept, 100, 2)
    assert {c.outcome for c in causal_checks(rows, *missing)} == {"not measured"}


def test_quadrants_leave_out_images_without_a_label():
    masks = quadrant_masks(
        np.array([0, 1, 1, 0, -1]), *np.array([[1, 1, 0, 0, 1], [1, 0, 1, 0, 1]])
    )
    assert [list(np.flatnonzero(m)) for m in masks.values()] == [[0], [1], [2], [3]]
    assert list(masks) == ["both right", "only A", "only B", "neither"]


def test_slices_are_the_values_of_columns_that_have_few():
    metadata = {
        "season": np.array(["summer", "winter", None, "summer"], object),
        "year": np.array([10, 9, 10, 9]),
        "name": np.array(["a", "a", "a", "a"]),
        "label": np.array([0, 1, -1, 1]),
    }
    slices, notes = metadata_slices(metadata)
    assert [(s.name, s.count) for s in slices] == [
        ("season = summer", 2), ("season = winter", 1),
        ("year = 9", 2), ("year = 10", 2), ("label = 0", 1), ("label = 1", 2),
    ]  # fmt: skip
    assert notes == ()
    slices, (note,) = metadata_slices({"id": np.arange(31)})
    assert slices == ()
    assert "31 values" in note
    assert "--metadata" in note


def seeds(runs, images, concepts, rng, *, recipe=0.0, seed_effect=0.02):
    """Shares [runs images concepts] of two groups whose runs differ by an effect of their seed."""
    content = rng.gamma(2, 0.05, (images, concepts))
    count = sum(runs)
    own = rng.normal(0, seed_effect, (count, 1, concepts))
    values = content + own + rng.normal(0, 0.03, (count, images, concepts))
    values[: runs[0], :, 0] += recipe
    groups = ["a"] * runs[0] + ["b"] * runs[1]
    return np.where(rng.random(content.shape) < 0.6, values, np.nan), groups


def test_groups_are_compared_over_runs():
    rng = np.random.default_rng(0)
    values, groups = seeds((4, 4), 80, 4, rng, recipe=0.2)
    rows = compare_concepts_of_groups(values, groups)
    assert [c.key for c in rows] == ["0", "1", "2", "3"]
    assert [c.p_adjusted <= 0.05 for c in rows] == [True, False, False, False]
    values, _ = seeds((4, 4), 80, 4, rng, recipe=0.2)
    assert compare_concepts_of_groups(values[[0, 4]], ["a", "b"]) == ()
    assert compare_concepts_of_groups(values[:4], ["a"] * 4) == ()


@pytest.mark.slow
@pytest.mark.parametrize("runs", [(3, 3), (1, 4)])
def test_reseeded_runs_are_no_discovery_over_runs_though_they_differ_over_images(runs):
    found = over_images = 0
    for repeat in range(20):
        rng = np.random.default_rng(repeat)
        values, groups = seeds(runs, 60, 8, rng)
        found += any(c.p_adjusted <= 0.05 for c in compare_concepts_of_groups(values, groups))
        pair = concept_differences(values[0], values[-1], draws=100)
        over_images += any(d.significant for d in pair)
    assert found <= 2  # of 20 at 5 %: 3 or more have a probability of 0.08 at the nominal rate
    assert over_images >= 18  # the rule of one run against one claims these two models alone


@pytest.mark.parametrize("design", ["independent", "clusters"])
def test_equal_models_have_few_discoveries(design):
    families = 60
    discoveries = 0
    for repeat in range(families):
        rng = np.random.default_rng(repeat)
        a, b = shares(images=60, concepts=8, seed=repeat)
        clusters = None
        if design == "clusters":
            clusters = np.arange(60) // 3
            shift = rng.normal(0, 0.05, (20, 8))[clusters]
            a += shift  # one sign for all images of a cluster
        rows = concept_differences(a, b, clusters=clusters, draws=50)
        discoveries += any(d.significant for d in rows)
    # Nominal 5 %: more than 7 of 60 have a probability of 0.01.
    assert discoveries <= 7


@pytest.mark.slow
def test_false_discovery_rate_with_real_differences():
    false, missed, families = [], 0, 150
    for repeat in range(families):
        a, b = shares(images=80, concepts=12, seed=repeat)
        a[:, :4] += 0.03
        rows = concept_differences(a, b, draws=50)
        found = [d.concept for d in rows if d.significant]
        false.append(np.mean([k >= 4 for k in found]) if found else 0.0)
        missed += sum(not d.significant for d in rows[:4])
    assert np.mean(false) <= 0.05 * 8 / 12 + 2.5 * np.std(false) / np.sqrt(families)
    assert missed <= 0.35 * 4 * families


@pytest.mark.slow
@pytest.mark.parametrize("clusters", [None, 12])
def test_intervals_cover_the_difference(clusters):
    hits = total = 0
    for repeat in range(150):
        rng = np.random.default_rng(repeat)
        a, b = shares(images=120, concepts=6, seed=repeat, effect=0.02)
        codes = None
        if clusters:
            codes = np.arange(120) % clusters
            a += rng.normal(0, 0.03, (clusters, 6))[codes]
        truth = [0.02, 0, 0, 0, 0, 0]
        for d, mean in zip(
            concept_differences(a, b, clusters=codes, draws=500), truth, strict=True
        ):
            hits += d.difference.low <= mean <= d.difference.high
            total += 1
    assert 0.925 < hits / total < 0.98
