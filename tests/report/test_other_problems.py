"""Runs without classes, logits, labels or maps: analysed and reported by the columns they have."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from salix.analysis import analyse
from salix.report import Section, write
from salix.report.sections import SECTIONS
from salix.stats import mean_interval
from salix.store import Run, write_run
from salix.typing import Column

ERROR = Column("error", "Absolute error", "Of the predicted price.", 0.0, direction="lower")
COLUMNS = (
    Column("price", "Predicted price"),
    ERROR,
    Column("inside", "Inside the interval", "Share of true prices.", 0, 1, dtype="bool"),
    Column("by_quarter", "Error: by quarter", "By season.", axis="quarter",
           coordinates=("Q1", "Q2"), dims=("quarter",), shape=(2,)),
)  # fmt: skip


def regression(path, name, group, scale, *, n=40, source="north", columns=COLUMNS, **more):
    """Write a run of a tabular regression."""
    own = np.random.default_rng(int(name[-1]))
    rows = []
    for i in range(n):
        error = float(scale * (1 + 0.2 * own.normal()))
        rows.append(
            {"index": i, "id": f"{source if i % 2 else 'south'}/{i}", "price": 100 + own.normal()}
            | {"error": error, "inside": bool(i % 3), "by_quarter": [error, 2 * error]}
            | {key: value[i] for key, value in more.items()}
        )
    config = {"model": "linear", "data": {"count": n, "fingerprint": "f"}}
    write_run(path, columns, rows, config=config, about={"name": name, "group": group})
    return Run(path)


@pytest.fixture
def regressions(tmp_path):
    """Three runs of two groups, of which `small` has the smaller error."""
    return [
        regression(tmp_path / f"{group}{i}", f"{group} {i}", group, scale + 0.01 * i)
        for group, scale in (("small", 1.0), ("large", 2.0))
        for i in range(3)
    ]


def test_numbers_are_those_of_the_columns(regressions):
    analysis = analyse(regressions)
    assert [c.key for c in analysis.columns] == ["price", "error", "inside"]
    run = analysis.summary.runs[0]
    values = regressions[0].rows["error"].astype(np.float64)
    assert run.numbers["error"] == mean_interval(values)
    assert run.numbers["inside"].value == pytest.approx(26 / 40)
    assert (run.labelled, run.constant_map, run.not_finite, run.complete) == (0, 0, 0, True)
    differences = {d.column.key: d for d in analysis.differences.rows}
    assert differences["error"].significance == "significant"
    assert differences["error"].comparison.difference.value == pytest.approx(1.0, rel=0.2)
    assert analysis.agreement == {}
    assert analysis.similarity is None
    assert analysis.mean_maps == ()


def test_the_page_has_the_sections_of_the_columns(regressions, tmp_path):
    page = write(regressions, tmp_path / "r.html")
    html = page.read_text().split("<script", 1)[0] + page.read_text().split("</script>")[-1]
    shown = {s.anchor for build in SECTIONS if (s := build(analyse(regressions)))}
    assert shown == {"overview", "differences", "models", "changes", "distributions", "skipped",
                     "settings", "methods", "subsets"}  # fmt: skip
    headline = json.loads(page.with_suffix(".json").read_text())["headline"]
    assert headline.startswith("large has a higher absolute error than small (2.0")
    assert "Absolute error" in html
    for word in ("salience", "logits", "AUC", "contrast"):
        assert word not in page.read_text().split("</style>")[1].split("<script>")[0]
    records = pq.read_table(page.with_suffix(".parquet")).to_pylist()
    assert {"price", "error", "inside", "by_quarter"} <= {r["metric"] for r in records}
    assert json.loads(page.with_suffix(".json").read_text())["rows"]


def test_subsets_are_compared_in_the_first_columns(regressions):
    table = analyse(regressions, in_set=["south"]).subsets
    row = next(r for r in table.groups[0][1] if r.subset == "north")
    assert set(row.numbers) == {"price", "error", "inside"}
    assert {"price", "error", "kolmogorov", "detector"} <= set(row.shifts)
    assert row.mean is None


def test_labels_and_predictions_without_classes_give_an_accuracy(tmp_path):
    pairs = (Column("label", dtype="int32"), Column("predicted", dtype="int32"), ERROR)
    labels = [i % 2 for i in range(20)]
    runs = [
        regression(tmp_path / name[0], name, name, 1.0, n=20, columns=pairs, label=labels,
                   predicted=[0] * wrong + labels[wrong:])
        for name, wrong in (("a1", 10), ("b2", 0))
    ]  # fmt: skip
    summary = analyse(runs).summary
    assert [run.numbers["accuracy"].value for run in summary.runs] == [0.75, 1.0]
    assert "images of class 1" in write(runs, tmp_path / "r.html").read_text()


def test_a_run_of_one_column_without_a_title(tmp_path):
    run = regression(tmp_path / "a", "a 1", "a", 1.0, columns=(Column("odd_one"),),
                     odd_one=np.arange(40.0))  # fmt: skip
    page = write([run], tmp_path / "r.html")
    assert json.loads(page.with_suffix(".json").read_text())["headline"] == "a: odd one 19.50."
    assert analyse([run]).columns[0].name == "odd one"


def test_a_section_is_a_file_and_a_line(regressions, tmp_path):
    def build(analysis):
        worst = max(analysis.summary.runs, key=lambda run: run.numbers["error"].value)
        return Section(
            "worst",
            "The <worst> run",
            "{% from 'macros.html' import run_name with context %}{{ run_name(name, group) }}",
            {"name": worst.name, "group": worst.group},
            link="Worst",
            data={"worst": worst.name},
        )

    page = write(regressions, tmp_path / "r.html", sections=(*SECTIONS, build))
    html = page.read_text()
    assert '<a href="#worst">Worst</a>' in html
    assert "<h2>The &lt;worst&gt; run</h2>" in html
    assert json.loads(page.with_suffix(".json").read_text())["worst"].startswith("large")
    only = write(regressions, tmp_path / "only.html", sections=[lambda analysis: None])
    assert "<section" not in only.read_text()


@pytest.mark.slow
def test_only_columns_that_are_shown_are_read(two_groups, tmp_path, monkeypatch):
    runs, read = two_groups(20, thumbs=4), []
    original = Run.read

    def note(self, names=None):
        read.append(tuple(names or ()))
        return original(self, names)

    monkeypatch.setattr(Run, "read", note)
    monkeypatch.setattr(Run, "rows", property(lambda self: pytest.fail("all columns were read")))
    monkeypatch.setattr(Run, "table", property(lambda self: pytest.fail("all columns were read")))
    write(runs, tmp_path / "r.html")
    assert all(read)
    assert not {"thumb", "reference_mask", "logits", "score"} & {n for names in read for n in names}
