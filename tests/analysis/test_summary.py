import json

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, roc_auc_score

from salix.analysis import Frame, analyse
from salix.analysis.run_metrics import AUC
from salix.report import write
from salix.stats import Interval, auc_group_interval
from salix.typing import InputError


def of(table, kind, name):
    return next(row for row in table if (row["kind"], row["name"]) == (kind, name))


def test_numbers_of_a_run_are_those_of_its_rows(planted, simulated):
    rows = simulated(60, 1)
    rows[4] = {"label": 0, "skipped": "truncated"}
    rows[7] |= {"constant_map": True, "spatial_entropy": None, "relevance_mass": None}
    rows[9]["finite"] = False
    rows[11]["label"] = None
    table = analyse([planted(rows, grid=(8, 8), extra=("relevance_mass",))]).rows
    read = [r for r in rows if "skipped" not in r]
    known = [r for r in read if r["label"] is not None]
    labels = [r["label"] for r in known]
    run = of(table, "run", "one")
    counts = ("images", "count", "labelled", "constant_map", "not_finite", "skipped", "complete")
    assert [run[c] for c in counts] == [59, 60, 58, 1, 1, 1, True]
    auc = run["numbers"]["auc"]
    p = [np.exp(r["logits"][1]) / np.exp(r["logits"]).sum() for r in known]
    assert auc["value"] == pytest.approx(roc_auc_score(labels, p), abs=1e-12)
    assert 0 < auc["low"] < auc["value"] < auc["high"] < 1
    hits = accuracy_score(labels, [r["predicted"] for r in known])
    assert run["numbers"]["accuracy"]["value"] == pytest.approx(hits)
    entropy = np.array(
        [r["spatial_entropy"] for r in read if r["spatial_entropy"] is not None], np.float32
    )
    expected = stats.t.interval(0.95, 57, entropy.mean(), stats.sem(entropy))
    interval = run["numbers"]["spatial_entropy"]
    assert (interval["low"], interval["high"]) == pytest.approx(expected, rel=1e-5)
    assert (interval["n"], interval["undefined"]) == (58, 1)
    relevance_mass = [r["relevance_mass"] for r in read if r["relevance_mass"] is not None]
    assert run["numbers"]["relevance_mass"]["value"] == pytest.approx(
        np.mean(relevance_mass), rel=1e-6
    )
    assert run["numbers"]["relevance_mass"]["n"] == len(relevance_mass)


def test_a_group_is_the_mean_of_its_runs(two_groups):
    table = analyse(two_groups(), agreement={"guided": Interval(0.7, 0.6, 0.8, 240)}).rows
    kinds = [(row["kind"], row["name"]) for row in table]
    assert kinds[:2] == [("group", "cross-entropy"), ("run", "cross-entropy 0")]
    group = of(table, "group", "guided")["numbers"]
    runs = [of(table, "run", f"guided {s}")["numbers"]["auc"]["value"] for s in range(3)]
    assert group["auc"]["value"] == pytest.approx(np.mean(runs))
    assert group["auc"]["n"] == 3
    assert (group["auc"]["least"], group["auc"]["greatest"]) == (min(runs), max(runs))
    members = [Frame(run) for run in two_groups() if run.group == "guided"]
    margins = np.stack([AUC.of_examples(f)["margin"] for f in members])
    both = auc_group_interval(margins, members[0].labels)  # over runs and images
    assert (group["auc"]["low"], group["auc"]["high"]) == pytest.approx((both.low, both.high))
    assert group["agreement"] == {"value": 0.7, "low": 0.6, "high": 0.8, "n": 240, "undefined": 0}
    assert "agreement" not in of(table, "group", "cross-entropy")["numbers"]


def test_auc_sees_what_probabilities_round_away(planted):
    """Softmax is 1 for all of these in float32; their logits still rank."""
    rows = [{"label": i % 2, "logits": [0.0, 200.0 + i % 2]} for i in range(10)]
    assert of(analyse([planted(rows)]).rows, "run", "one")["numbers"]["auc"]["value"] == 1


def test_a_measure_of_several_numbers(planted):
    rows = [{"response": [1.0, 0.5, 0.0]}, {"response": [0.0, 0.5]}, {"response": None}]
    run = of(analyse([planted(rows, extra={"response": (3,)})]).rows, "run", "one")
    assert [i["value"] for i in run["series"]["response"]] == [0.5, 0.5, 0.0]
    assert [i["n"] for i in run["series"]["response"]] == [2, 2, 1]
    assert [i["undefined"] for i in run["series"]["response"]] == [1, 1, 2]


def test_more_than_two_classes_have_accuracy_alone(planted):
    rows = [{"label": i % 3, "predicted": 0, "logits": [1.0, 0.0, 0.0]} for i in range(9)]
    numbers = of(analyse([planted(rows, classes=("a", "b", "c"))]).rows, "run", "one")["numbers"]
    assert "auc" not in numbers
    assert numbers["accuracy"]["value"] == pytest.approx(1 / 3)


def test_without_labels_nothing_is_claimed_of_them(planted):
    numbers = of(analyse([planted([{"label": None}] * 5)]).rows, "run", "one")["numbers"]
    assert "auc" not in numbers
    assert "accuracy" not in numbers


def test_the_file_beside_the_page_is_the_summary(two_groups, tmp_path):
    runs = two_groups()
    page = write(runs, tmp_path / "deep" / "report.html", baselines={"sharpness alone": 0.62})
    beside = json.loads(page.with_suffix(".json").read_text())
    assert beside["rows"] == analyse(runs, baselines={"sharpness alone": 0.62}).rows
    assert of(beside["rows"], "baseline", "sharpness alone")["numbers"]["auc"]["value"] == 0.62


def test_nothing_defined_is_none_and_not_a_number(planted, tmp_path):
    nothing = dict.fromkeys(("spatial_entropy", "histogram_entropy", "gini"), float("nan"))
    rows = [nothing | {"label": 1, "logits": [float("nan")] * 2, "finite": False}] * 4
    page = write([planted(rows)], tmp_path / "r.html")
    text = page.with_suffix(".json").read_text()
    assert "NaN" not in text
    row = of(json.loads(text)["rows"], "run", "one")
    assert row["not_finite"] == 4
    assert row["numbers"]["spatial_entropy"]["value"] is None
    assert row["numbers"]["auc"]["undefined"] == 4


def test_what_cannot_be_reported(planted, tmp_path):
    run = planted([{}])
    with pytest.raises(InputError, match="no run to report"):
        write([], tmp_path / "r.html")
    with pytest.raises(InputError, match="agreement of other: the groups are one"):
        _ = analyse([run], agreement={"other": Interval(0.0, 0.0, 0.0, 1)}).summary
    with pytest.raises(InputError, match="several runs are named one"):
        write([run, run], tmp_path / "r.html")
    with pytest.raises(InputError, match=r"name a file, such as report\.html"):
        write([run], tmp_path / "r.json")
