"""Which numbers are compared, by what, and in which words."""

import json

import numpy as np
import pytest
from scipy import stats

from salix.reduce import Comparison, Interval, difference_interval, holm
from salix.report import write
from salix.report.columns import NONE, columns
from salix.report.common import values
from salix.report.differences import differences
from salix.report.tables import reduce_runs
from salix.report.verdicts import Difference


def compared(runs, agreement=None):
    numbers = reduce_runs(runs, agreement)
    found = differences(runs, numbers, columns(["inside"], "region"))
    return {} if found is None else {(d.comparison.key, d.comparison.a): d for d in found.found}


def test_accuracy_stands_in_where_a_group_has_one_run(two_groups):
    runs = two_groups(40)
    several, one = compared(runs), compared([runs[0], runs[3]])
    assert {("auc", "guided")} == {k for k in several if k[0] in ("auc", "accuracy")}
    assert {("accuracy", "guided")} == {k for k in one if k[0] in ("auc", "accuracy")}
    right = [r.rows["predicted"] == r.rows["label"] for r in (runs[3], runs[0])]
    found = one["accuracy", "guided"].comparison
    assert found.difference.value == pytest.approx(right[0].mean() - right[1].mean())
    assert found.over == "images"
    # The sign flips of the images on which one of the two is wrong: McNemar's exact test.
    apart = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    assert 0 < sum(apart) < 12
    assert found.p == pytest.approx(stats.binomtest(apart[0], sum(apart)).pvalue)


def test_a_group_of_one_run_among_others_is_compared_in_accuracy(two_groups, planted, simulated):
    alone = planted(simulated(40, 9), name="alone", grid=(8, 8), extra=("inside",))
    found = compared([*two_groups(40), alone])
    keys = [(d.comparison.key, d.comparison.b) for d in found.values()]
    assert ("auc", "cross-entropy") in keys
    assert "accuracy" in {k for k, a in found if a == "alone"}
    assert {k for k, a in found if a == "guided"} >= {"auc", "inside"}
    assert ("accuracy", "guided") not in found
    assert ("auc", "alone") not in found


def test_images_without_a_label_are_neither_right_nor_wrong(planted):
    rows = [{"label": 0}, {"label": 1}, {"label": None}]
    found = values([planted(rows)], ["accuracy"])["accuracy"]["one"]
    np.testing.assert_array_equal(found, [[1, 0, np.nan]])
    runs = [planted([{"label": None}] * 9, name=n) for n in "ab"]
    assert not {"auc", "accuracy"} & {k for k, _ in compared(runs)}


def test_agreement_is_compared_by_its_interval_and_takes_no_part_in_the_family(two_groups):
    runs = two_groups(40)
    given = {"cross-entropy": Interval(0.3, 0.2, 0.4, 40), "guided": Interval(0.8, 0.7, 0.9, 40)}
    found, without = compared(runs, given), compared(runs)
    row = found["agreement", "guided"]
    assert row.comparison.difference == difference_interval(given["guided"], given["cross-entropy"])
    assert (row.verdict, row.p, row.comparison.n_runs) == ("interval only", NONE, (3, 3))
    assert {k: d.p for k, d in found.items() if k[0] != "agreement"} == {
        k: d.p for k, d in without.items() if k[0] != "agreement"
    }
    tested = [d.comparison for d in without.values() if np.isfinite(d.comparison.p)]
    np.testing.assert_allclose([c.p_adjusted for c in tested], holm([c.p for c in tested]))
    assert not [k for k in compared([*runs[:2], *runs[3:]], given) if k[0] == "agreement"]


def test_the_file_for_machines_cites_the_rows_of_the_headline(two_groups, tmp_path):
    given = {"cross-entropy": Interval(0.3, 0.2, 0.4, 40), "guided": Interval(0.8, 0.7, 0.9, 40)}
    page = write(two_groups(40), tmp_path / "r.html", agreement=given)
    beside = json.loads(page.with_suffix(".json").read_text())
    assert len(beside["evidence"]) == 3
    for line in beside["evidence"][:2]:
        row = beside["differences"][int(line.split(":")[0].removeprefix("Row ")) - 1]
        assert line.endswith(f", {row['verdict']}")
        assert f"{row['a']} − {row['b']}" in line
    agreement = [r for r in beside["differences"] if r["quantity"] == "agreement"]
    assert [(r["p"], r["verdict"]) for r in agreement] == [(None, "interval only")]
    text = page.read_text()
    assert "as to exchange runs would mix the groups" in text
    assert "5 comparisons are clear" in text  # those with a test: five numbers


def test_a_small_p_is_not_written_as_zero(planted, simulated):
    runs = [
        planted(simulated(200, s, inside=v), name=n, grid=(8, 8), extra=("inside",))
        for s, (n, v) in enumerate((("a", 0.3), ("b", 0.7)))
    ]
    row = compared(runs)["inside", "b"]
    assert (row.p, row.verdict) == ("< 0.001", "clear")  # 5 times 1 in 5001
    assert row.size.endswith("\xa0points")


@pytest.mark.parametrize(
    ("p", "low", "high", "verdict"),
    [
        (0.05, 0.1, 0.2, "clear"),
        (0.051, 0.1, 0.2, "interval only"),  # that p alone is 0.01 does not count
        (0.3, -0.2, -0.1, "interval only"),
        (0.3, -0.1, 0.2, "not clear"),
        (np.nan, 0.1, 0.2, "interval only"),
        (0.3, np.nan, np.nan, "not clear"),
        (0.3, 3e-18, 0.2, "not clear"),  # a limit of 0, but for rounding
        (0.3, -0.2, -3e-18, "not clear"),
    ],
)
def test_a_verdict_is_of_the_corrected_p_and_of_the_interval(p, low, high, verdict):
    nothing = Interval(np.nan, np.nan, np.nan, 0)
    held = Interval((low + high) / 2, low, high, 60)
    row = Comparison("gini", "a", "b", held, 0.01, p, nothing, nothing, (1, 1), 60)
    assert Difference(columns([], "")[4], row).verdict == verdict
