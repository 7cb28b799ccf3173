"""Which numbers are compared, by what, and in which words."""

import json

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from salix.analysis import Frame, analyse
from salix.analysis.columns import standard_columns
from salix.analysis.differences import group_tables
from salix.analysis.run_metrics import ACCURACY
from salix.analysis.significance import Difference
from salix.report import write
from salix.stats import GroupComparison, Interval, auc_difference, difference_interval, holm


def compared(runs, agreement=None):
    differences = analyse(runs, agreement=agreement).differences
    rows = () if differences is None else differences.rows
    return {(d.comparison.key, d.comparison.a): d for d in rows}


def single(planted, simulated, places=slice(None), **options):
    """Two groups of one run each, the second with the images of `places` only."""
    first, second = simulated(60, 1), simulated(60, 2, shift=1.0)
    second = [row | {"id": f"{i:05d}.png"} for i, row in enumerate(second)][places]
    settings = {"grid": (8, 8), "extra": ("relevance_mass",)} | options
    return [planted(r, name=n, **settings) for n, r in (("a", first), ("b", second))]


def leads(run):
    return run.rows["logits"][:, 1].astype(float) - run.rows["logits"][:, 0]


def hits(differences):
    return {k: d.comparison for k, d in differences.items() if k[0] in ("auc", "accuracy")}


@pytest.mark.slow
def test_several_runs_are_compared_by_the_aucs_of_runs(two_groups):
    (key, comparison), *rest = hits(compared(two_groups(40))).items()
    assert (key, comparison.over, rest) == (("auc", "guided"), "runs", [])


def test_single_runs_are_compared_by_the_auc_that_is_shown(planted, simulated):
    a, b = single(planted, simulated)
    (key, comparison), *rest = hits(compared([a, b])).items()
    assert (key, rest, comparison.over, comparison.n_images) == (("auc", "b"), [], "images", 60)
    labels = a.rows["label"]
    areas = [roc_auc_score(labels, leads(r)) for r in (b, a)]
    assert comparison.difference.value == pytest.approx(areas[0] - areas[1])
    shown = [r.numbers["auc"].value for r in analyse([b, a]).summary.runs]
    assert shown == pytest.approx(areas)
    expected, p = auc_difference(leads(b), leads(a), labels)
    assert (comparison.difference, comparison.p) == (expected, p)


def test_images_of_one_run_alone_are_no_evidence(planted, simulated):
    a, b = single(planted, simulated, slice(20, 50))
    (comparison,) = hits(compared([a, b])).values()
    shared = slice(20, 50)
    expected, p = auc_difference(leads(b), leads(a)[shared], b.rows["label"])
    assert (comparison.difference, comparison.p, comparison.n_images) == (expected, p, 30)
    apart = [planted(simulated(40, s), name=n, grid=(8, 8)) for s, n in ((3, "c"), (4, "d"))]
    other = [row | {"id": f"x{i}.png"} for i, row in enumerate(simulated(40, 5))]
    assert compared([apart[0], planted(other, name="e", grid=(8, 8))]) == {}


def test_accuracy_stands_in_where_the_shared_images_have_no_auc(planted, simulated):
    a, b = single(planted, simulated, slice(1, None, 2))  # of b the forged images alone
    (key, comparison), *rest = hits(compared([a, b])).items()
    assert (key, rest, comparison.n_images) == (("accuracy", "b"), [], 30)
    right = [b.rows["predicted"] == 1, a.rows["predicted"][1::2] == 1]
    assert comparison.difference.value == pytest.approx(right[0].mean() - right[1].mean())
    # The sign flips of the images on which one of the two is wrong: McNemar's exact test.
    alone = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    assert 0 < sum(alone) < 12
    assert comparison.p == pytest.approx(stats.binomtest(alone[0], sum(alone)).pvalue)


def test_three_classes_are_compared_in_accuracy(planted):
    rows = [{"label": i % 3, "predicted": (i // 5) % 3, "logits": [0.0] * 3} for i in range(60)]
    good = [row | {"predicted": row["label"]} for row in rows]
    runs = [planted(r, name=n, classes=("x", "y", "z")) for n, r in (("a", rows), ("b", good))]
    assert {("accuracy", "b")} == set(hits(compared(runs)))


def test_a_group_is_compared_in_auc_by_all_of_its_runs_or_not_at_all(planted, simulated):
    a, b = (planted(simulated(60, s), name=n, grid=(8, 8)) for s, n in enumerate("ab"))
    rows = [row | {"logits": [0.0] * 3} for row in simulated(60, 3)]
    other = planted(rows, name="c", group="b", grid=(8, 8), classes=("real", "forged", "drawn"))
    assert {("auc", "b")} == set(hits(compared([a, b])))
    (comparison,) = hits(compared([a, b, other])).values()
    assert (comparison.key, comparison.n_runs) == ("accuracy", (2, 1))


def test_images_whose_labels_differ_between_runs_are_left_out(planted, simulated):
    rows = simulated(60, 1)
    other = [row | {"label": None if i < 4 else row["label"]} for i, row in enumerate(rows)]
    other[4] |= {"label": 1 - rows[4]["label"]}
    named = {"grid": (8, 8), "extra": ("relevance_mass",)}
    runs = [planted(r, name=n, **named) for n, r in (("a", rows), ("b", other))]
    (comparison,) = hits(compared(runs)).values()
    assert (comparison.key, comparison.n_images, comparison.difference.undefined) == ("auc", 55, 5)
    assert (comparison.difference.value, comparison.p) == (0, 1)


def test_a_group_of_one_run_among_others_is_compared_in_auc(two_groups, planted, simulated):
    alone = planted(simulated(40, 9), name="alone", grid=(8, 8), extra=("relevance_mass",))
    runs = [*two_groups(40), alone]
    summary, comparison = analyse(runs).summary, analyse(runs).differences.rows
    by_pair = {
        (d.comparison.a, d.comparison.b): d.comparison for d in comparison if d.column.key == "auc"
    }
    assert "accuracy" not in {d.column.key for d in comparison}
    over = {pair: c.over for pair, c in by_pair.items()}
    assert over == {
        ("guided", "cross-entropy"): "runs",
        ("alone", "cross-entropy"): "images",
        ("alone", "guided"): "images",
    }
    shown = {g.name: g.interval("auc").value for g in summary.groups}
    for (a, b), c in by_pair.items():
        assert c.difference.value == pytest.approx(shown[a] - shown[b])


def test_images_without_a_label_are_neither_right_nor_wrong(planted):
    rows = [{"label": 0}, {"label": 1}, {"label": None}]
    correct = group_tables([Frame(planted(rows))], [ACCURACY])["accuracy"]["one"]["correct"]
    np.testing.assert_array_equal(correct, [[1, 0, np.nan]])
    runs = [planted([{"label": None}] * 9, name=n) for n in "ab"]
    assert not {"auc", "accuracy"} & {k for k, _ in compared(runs)}


def test_agreement_is_compared_by_the_p_of_its_interval(two_groups):
    runs = two_groups(40)
    agreements = {
        "cross-entropy": Interval(0.3, 0.2, 0.4, 40),
        "guided": Interval(0.8, 0.7, 0.9, 40),
    }
    differences, without = compared(runs, agreements), compared(runs)
    row = differences["agreement", "guided"]
    assert row.comparison.difference == difference_interval(
        agreements["guided"], agreements["cross-entropy"]
    )
    # Student's t of 2 degrees of freedom whose 95 % limits are those of the interval.
    c = row.comparison
    half = c.difference.value - c.difference.low
    expected = 2 * stats.t.sf(stats.t.ppf(0.975, 2) * c.difference.value / half, 2)
    assert (c.p_both, c.n_runs) == (pytest.approx(expected), (3, 3))
    assert row.significance == "significant"
    assert c.p_adjusted == pytest.approx(4 * expected)  # with three other numbers, as the least
    assert np.isnan(c.p)
    family = [d.comparison for d in without.values() if d.of_headline]
    assert {c.key for c in family} == {"auc", "relevance_mass", "spatial_entropy", "agreement"}
    for rows in (family, [d.comparison for d in without.values() if not d.of_headline]):
        np.testing.assert_allclose([c.p_adjusted for c in rows], holm([c.p_both for c in rows]))
    assert not [k for k in compared([*runs[:2], *runs[3:]], agreements) if k[0] == "agreement"]


def test_the_file_for_machines_cites_the_rows_of_the_headline(two_groups, tmp_path):
    agreements = {
        "cross-entropy": Interval(0.3, 0.2, 0.4, 40),
        "guided": Interval(0.8, 0.7, 0.9, 40),
    }
    page = write(two_groups(40), tmp_path / "r.html", agreement=agreements)
    beside = json.loads(page.with_suffix(".json").read_text())
    assert len(beside["evidence"]) == 4
    for line in beside["evidence"][:2]:
        row = beside["differences"][int(line.split(":")[0].removeprefix("Row ")) - 1]
        assert line.endswith(f", {row['significance']}")
        assert f"{row['a']} − {row['b']}" in line
    agreement = [r for r in beside["differences"] if r["metric"] == "agreement"]
    assert [(r["p"], r["significance"]) for r in agreement] == [(None, "significant")]
    text = page.read_text()
    assert "as to exchange runs would mix the groups" in text
    assert "1 of 4 comparisons in the numbers of the headline" in text
    assert "0 of 2 in the other numbers" in text


def test_a_small_p_is_not_written_as_zero(planted, simulated):
    runs = [
        planted(simulated(200, s, relevance_mass=v), name=n, grid=(8, 8), extra=("relevance_mass",))
        for s, (n, v) in enumerate((("a", 0.3), ("b", 0.7)))
    ]
    row = compared(runs)["relevance_mass", "b"]
    assert (row.p, row.significance) == ("< 0.001", "significant")  # 5 times 1 in 5001
    assert row.size.endswith("\xa0points")


@pytest.mark.parametrize(
    ("p", "low", "high", "significance"),
    [
        (0.05, 0.1, 0.2, "significant"),
        (0.051, 0.1, 0.2, "interval only"),  # that p alone is 0.01 does not count
        (0.3, -0.2, -0.1, "interval only"),
        (0.3, -0.1, 0.2, "not significant"),
        (np.nan, 0.1, 0.2, "interval only"),
        (0.3, np.nan, np.nan, "not significant"),
        (0.3, 3e-18, 0.2, "not significant"),  # a limit of 0, but for rounding
        (0.3, -0.2, -3e-18, "not significant"),
    ],
)
def test_significance_is_of_the_corrected_p_and_of_the_interval(p, low, high, significance):
    nothing = Interval(np.nan, np.nan, np.nan, 0)
    interval = Interval((low + high) / 2, low, high, 60)
    row = GroupComparison("gini", "a", "b", interval, 0.01, p, nothing, nothing, (1, 1), 60)
    assert Difference(standard_columns("")["gini"], row).significance == significance
