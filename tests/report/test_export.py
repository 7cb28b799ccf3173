"""The files for machines hold the numbers of the page."""

import csv
import json
from io import StringIO

import numpy as np
import pyarrow.parquet as pq
import pytest

from salix.analysis.summary import reduce_runs
from salix.report import write
from salix.report.sections.mean_maps import averages
from salix.report.sections.methods import paragraphs


def test_parquet_holds_every_number_with_its_place(changing, tmp_path):
    runs = changing(30)
    page = write(runs, tmp_path / "r.html")
    held = pq.read_table(page.with_suffix(".parquet")).to_pylist()
    numbers = reduce_runs(runs)
    one = next(
        r
        for r in held
        if (r["run"], r["quantity"], r["at"]) == ("guided 1", "noise_similarity", "0.25")
    )
    expected = numbers.runs[4].series["noise_similarity"][2]
    assert (one["value"], one["low"], one["n"]) == (expected.value, expected.low, 30)
    group = next(r for r in held if (r["kind"], r["quantity"]) == ("group", "noise_area"))
    assert group["value"] == numbers.groups[0].shown("noise_area").value
    every = sum(len(r.numbers) + sum(map(len, r.series.values())) for r in numbers.runs)
    assert sum(r["kind"] == "run" for r in held) == every


def test_csv_and_latex_hold_the_groups(changing, tmp_path):
    runs = changing(30)
    page = write(runs, tmp_path / "r.html")
    table = list(csv.DictReader(StringIO(page.with_suffix(".csv").read_text())))
    assert [row["group"] for row in table] == ["cross-entropy", "guided"]
    shown = reduce_runs(runs).groups[1].shown("noise_area")
    assert float(table[1]["noise_area"]) == pytest.approx(shown.value, rel=1e-5)
    assert float(table[1]["noise_area_low"]) == pytest.approx(shown.low, rel=1e-5)
    latex = page.with_suffix(".tex").read_text()
    assert latex.count(r"\\") == 3  # a heading and two groups
    assert f"{shown.value:.3f} [{shown.low:.3f}, {shown.high:.3f}]" in latex
    assert json.loads(page.with_suffix(".json").read_text())["rows"]


def test_latex_and_csv_keep_strange_names(planted, simulated, tmp_path):
    name = 'a_b & 50 % of $x$, "q" \\'
    page = write(
        [planted(simulated(8, 0), name=name, grid=(8, 8), extra=("relevance_mass",))],
        tmp_path / "r.html",
    )
    text = page.with_suffix(".tex").read_text()
    assert r"a\_b \& 50 \% of \$x\$" in text
    assert r"\textbackslash{}" in text
    assert next(csv.DictReader(StringIO(page.with_suffix(".csv").read_text())))["group"] == name


def test_mean_maps_are_means_over_images_and_runs(two_groups):
    runs = two_groups(20)
    found = averages(runs, ["cross-entropy", "guided"])
    assert found is not None
    assert found.classes == ("class real", "class forged")
    means = {}
    for g, of in (("cross-entropy", runs[:3]), ("guided", runs[3:])):
        for label in (0, 1):
            maps = [r.rows["map"][r.rows["label"] == label].mean(0) for r in of]
            means[g, label] = np.mean(maps, axis=0)
    assert found.top == pytest.approx(max(m.max() for m in means.values()) / 255)
    cell = found.rows[1][0]
    assert cell is not None
    assert (cell.group, cell.images, cell.runs) == ("cross-entropy", 10, 3)


def test_methods_name_settings_measures_sources_and_what_was_left_out(changing):
    runs = changing(12)
    text = " ".join(paragraphs(runs, reduce_runs(runs)))
    for said in (
        "6 models (planted)",
        "12 images with GradCAM(relu=True) of the score logit(target=None)",
        "on a grid of 8 x 8 cells",
        "About noise (2023, sec. 2).",
        "3 runs a group",
        "Holm (1979)",
        "Of 72 rows, 0 could not be read, 0 had a map without contrast",
    ):
        assert said in text
    assert text.count("About noise") == 1
