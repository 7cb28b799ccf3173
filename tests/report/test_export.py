"""Files for machines: the same numbers as the page."""

import csv
import json
from io import StringIO

import numpy as np
import pyarrow.parquet as pq
import pytest

from salix.analysis import analyse
from salix.report import write
from salix.report.sections.methods import paragraphs


@pytest.mark.slow
def test_parquet_holds_every_number_with_its_place(changing, tmp_path):
    runs = changing(30)
    page = write(runs, tmp_path / "r.html")
    records = pq.read_table(page.with_suffix(".parquet")).to_pylist()
    summary = analyse(runs).summary
    one = next(
        r
        for r in records
        if (r["run"], r["metric"], r["coordinate"]) == ("guided 1", "noise_similarity", "0.25")
    )
    expected = summary.runs[4].arrays["noise_similarity"][2]
    assert (one["value"], one["low"], one["n"]) == (expected.value, expected.low, 30)
    group = next(r for r in records if (r["kind"], r["metric"]) == ("group", "noise_area"))
    assert group["value"] == summary.groups[0].interval("noise_area").value
    every = sum(len(r.numbers) + sum(map(len, r.arrays.values())) for r in summary.runs)
    assert sum(r["kind"] == "run" for r in records) == every


@pytest.mark.slow
def test_csv_and_latex_hold_the_groups(changing, tmp_path):
    runs = changing(30)
    page = write(runs, tmp_path / "r.html")
    table = list(csv.DictReader(StringIO(page.with_suffix(".csv").read_text())))
    assert [row["group"] for row in table] == ["cross-entropy", "guided"]
    shown = analyse(runs).summary.groups[1].interval("noise_area")
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


def test_mean_maps_are_means_over_images_and_runs(two_groups, tmp_path):
    runs = two_groups(20)
    mean_maps = analyse(runs).mean_maps
    assert [row.title for row in mean_maps] == ["class real", "class forged"]
    for g, members in enumerate((runs[:3], runs[3:])):
        for label in (0, 1):
            maps = [r.rows["map"][r.rows["label"] == label].mean(0) for r in members]
            mean = mean_maps[label].groups[g]
            assert mean is not None
            np.testing.assert_allclose(mean.mean, np.mean(maps, axis=0))
    first = mean_maps[1].groups[0]
    assert first is not None
    assert (first.group, first.images, first.runs) == ("cross-entropy", 10, 3)
    top = max(m.mean.max() for row in mean_maps for m in row.groups if m is not None) / 255
    assert f"the brightest is {top:.2f}" in write(runs, tmp_path / "r.html").read_text()


def test_methods_name_settings_measures_sources_and_what_was_left_out(changing):
    runs = changing(12)
    text = " ".join(paragraphs(analyse(runs)))
    for said in (
        "6 models (planted)",
        "12 images with GradCAM(relu=True) of the score logit(target=None)",
        "on a grid of 8 x 8 pixels",
        "About noise (2023, sec. 2).",
        "3 runs a group",
        "Holm (1979)",
        "Of 72 rows, 0 could not be read, 0 had a map without contrast",
    ):
        assert said in text
    assert text.count("About noise") == 1
