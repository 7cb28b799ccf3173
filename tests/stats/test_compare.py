"""Comparisons of groups of runs: every statistic equals its own function."""

from dataclasses import astuple
from itertools import combinations

import numpy as np
import pytest

from salix.stats import (
    GroupComparison,
    bootstrap_difference,
    cliffs_delta,
    compare_groups,
    correct_family,
    hedges_g,
    paired_delta,
    permutation_test,
    sign_flip_test,
    student_p,
)
from salix.typing import InputError

RNG = np.random.default_rng


def tables():
    rng = RNG(0)
    image = rng.normal(size=60)

    def group(runs, shift):
        return shift + image + 0.2 * rng.normal(size=(runs, 1)) + 0.1 * rng.normal(size=(runs, 60))

    groups = {"cross-entropy": group(5, 0), "cyborg": group(5, 1), "focus": group(4, 0.1)}
    return {"entropy": groups, "noise": {k: -3 * v**2 for k, v in groups.items()}}


def test_all_pairs_of_groups_in_all_measures():
    groups_by_measure = tables()
    comparisons = compare_groups(groups_by_measure)
    pairs = list(combinations(groups_by_measure["entropy"], 2))
    assert [(c.key, c.a, c.b) for c in comparisons] == [
        (k, a, b) for k in groups_by_measure for a, b in pairs
    ]
    for c in comparisons:
        a, b = groups_by_measure[c.key][c.a], groups_by_measure[c.key][c.b]
        x, y = a.mean(1), b.mean(1)
        assert c.difference == bootstrap_difference(a, b)
        assert c.p == permutation_test(x, y)
        assert astuple(c.effect) == pytest.approx(astuple(hedges_g(x, y)), rel=1e-6)
        assert c.delta == cliffs_delta(x, y)
        assert (c.n_runs, c.n_images, c.over) == ((len(a), len(b)), 60, "runs")
        images = a.mean(0) - b.mean(0)
        parts = [*(v.var(ddof=1) / len(v) for v in (x, y)), images.var(ddof=1) / 60]
        expected = student_p(x.mean() - y.mean(), parts, (len(a) - 1, len(b) - 1, 59))
        assert c.p_both == pytest.approx(expected)
        assert c.run_values == (pytest.approx(tuple(x)), pytest.approx(tuple(y)))
        assert c.minimum_p <= c.p
        assert c.p_both <= c.p_adjusted <= 1
    assert comparisons == correct_family(comparisons)


def test_detects_a_planted_difference_and_no_other():
    comparisons = {(c.key, c.a, c.b): c for c in compare_groups({"entropy": tables()["entropy"]})}
    clear = comparisons["entropy", "cross-entropy", "cyborg"]
    assert clear.p_adjusted < 0.05
    assert clear.difference.high < -0.6
    assert clear.effect.high < -1
    assert clear.delta.value == -1
    none = comparisons["entropy", "cross-entropy", "focus"]
    assert none.p_adjusted > 0.05
    assert none.difference.low < 0 < none.difference.high


def test_single_models_are_compared_over_images():
    a, b, c = (table[:1] for table in tables()["entropy"].values())
    comparisons = compare_groups(
        {"entropy": {"a": a, "b": b[0], "many": np.concatenate([c, c + 0.1])}}
    )
    x, other = comparisons[0], comparisons[1]
    assert (x.over, x.n_runs, x.minimum_p) == ("images", (1, 1), 0)
    assert x.p == sign_flip_test(a[0], b[0])
    assert x.difference == bootstrap_difference(a[0], b[0])
    assert x.delta == paired_delta(a[0], b[0])
    assert np.isnan(x.effect.value)
    assert (other.over, other.n_runs) == ("images", (1, 2))
    assert other.p == sign_flip_test(a[0], c[0] + 0.05)


def test_uses_images_with_a_value_in_every_run_of_both_groups():
    groups_by_measure = {"entropy": tables()["entropy"]}
    complete = {(c.a, c.b): c for c in compare_groups(groups_by_measure)}
    groups_by_measure["entropy"]["cyborg"][2, :7] = np.nan
    groups_by_measure["entropy"]["focus"][0, 5:9] = np.inf
    comparisons = {(c.a, c.b): c for c in compare_groups(groups_by_measure)}
    counts = [(c.n_images, c.difference.undefined) for c in comparisons.values()]
    assert counts == [(53, 7), (56, 4), (51, 9)]
    pair = "cross-entropy", "cyborg"
    a, b = (groups_by_measure["entropy"][name][:, 7:] for name in pair)
    assert comparisons[pair].p == permutation_test(a.mean(1), b.mean(1))
    assert comparisons[pair].difference.value == pytest.approx(a.mean() - b.mean())
    assert comparisons[pair].difference != complete[pair].difference


def test_groups_without_a_common_image_are_outside_the_family():
    groups_by_measure = tables()
    groups_by_measure["noise"]["focus"] = np.full((4, 60), np.nan)
    comparisons = compare_groups(groups_by_measure)
    nothing = [c for c in comparisons if np.isnan(c.p)]
    assert [(c.key, c.b) for c in nothing] == [("noise", "focus")] * 2
    for c in nothing:
        assert np.isnan([c.difference.value, c.p_adjusted, c.effect.value, c.delta.value]).all()
        assert (c.n_images, c.difference.undefined) == (0, 60)
    rest = [c for c in comparisons if not np.isnan(c.p)]
    assert rest == correct_family(rest)


def test_options_are_passed_on():
    groups_by_measure = {"entropy": tables()["entropy"]}
    usual, wide = (
        compare_groups(groups_by_measure)[0],
        compare_groups(groups_by_measure, level=0.99)[0],
    )
    assert wide.difference.low < usual.difference.low
    assert wide.effect.low < usual.effect.low
    few = compare_groups(groups_by_measure, draws=50, permutations=20, seed=3)[0]
    assert few.difference != usual.difference
    a, b = (groups_by_measure["entropy"][name].mean(1) for name in ("cross-entropy", "cyborg"))
    assert few.p == permutation_test(a, b, draws=20, seed=3)
    assert isinstance(few, GroupComparison)
    assert compare_groups({}) == compare_groups({"entropy": {"one": [[1.0]]}}) == []


@pytest.mark.parametrize(
    ("b", "text"),
    [
        (np.zeros((3, 9)), "entropy of a and b: 10 and 9 images"),
        (np.zeros((0, 10)), r"entropy of a and b: values of shape \(0, 10\)"),
        (np.zeros((2, 2, 2)), r"shape \(2, 2, 2\)"),
    ],
)
def test_errors_name_the_groups(b, text):
    with pytest.raises(InputError, match=text):
        compare_groups({"entropy": {"a": np.zeros((3, 10)), "b": b}})
