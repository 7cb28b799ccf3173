"""AUC of detectors by data sets: subsets of one run, and runs over different images."""

import json

import numpy as np
import pytest
from sklearn import metrics

from salix.analysis import Frame
from salix.analysis.auc_matrix import auc_matrix
from salix.report import write
from salix.report.sections import data_sets
from salix.stats import auc_interval
from salix.typing import Column

GROUP = Column("group", dtype="string")


def rows_of(sources, seed, n=24):
    """Rows of images of several sources, four frames a video; `sources` gives their classes."""
    rng, rows = np.random.default_rng(seed), []
    for source, classes in sources.items():
        for i in range(n):
            label = classes[(i // 4) % len(classes)]
            z = float(label + rng.normal())
            row = {"id": f"{source}/{i}.png", "label": label, "logits": [-z / 2, z / 2]}
            rows.append(row | {"group": f"{source} {i // 4}"})
    return rows


def grouped(planted, rows, **options):
    return planted(rows, columns=(GROUP,), extra=("group",), **options)


def test_subsets_of_a_run_are_data_sets(planted, tmp_path):
    run = grouped(planted, rows_of({"ffpp": (0, 1), "celeb": (1, 0)}, 0))
    page = write([run], tmp_path / "page.html", sections=(data_sets.build,)).read_text()
    rows = run.read(["id", "label", "logits", "group"])
    own = np.array([id.startswith("celeb/") for id in rows["id"]])
    margins, labels = rows["logits"][own][:, 1] - rows["logits"][own][:, 0], rows["label"][own]
    celeb = json.loads((tmp_path / "page.json").read_text())["auc_by_data_set"][1]
    assert (celeb["detector"], celeb["data_set"]) == ("one", "celeb")
    assert celeb["auc"]["value"] == pytest.approx(metrics.roc_auc_score(labels, margins))
    assert celeb["auc"]["low"] == auc_interval(margins, labels, clusters=rows["group"][own]).low
    assert "12 + 12 images" in page
    assert "6 groups" in page


def test_generators_are_compared_with_the_shared_real_images(planted):
    sources = {"camera": (0,), "gan": (1,), "diffusion": (1,)}
    runs = [grouped(planted, rows_of(sources, s), name=f"r{s}", group="r") for s in (0, 1)]
    matrix = auc_matrix([Frame(r) for r in runs])
    assert (matrix.data_sets, matrix.others) == (("gan", "diffusion"), ("camera",))
    assert (matrix.detectors, matrix.runs, matrix.counts[0]) == (("r",), ((2, 2),), (24, 24))
    areas = []
    for run in runs:
        rows = run.read(["id", "label", "logits"])
        own = ["gan/" not in id for id in rows["id"]]
        areas.append(metrics.roc_auc_score(rows["label"][own], rows["logits"][own][:, 1]))
    assert matrix.cells[0][1].value == pytest.approx(np.mean(areas))


def test_runs_over_different_images_are_of_data_sets_of_their_own(planted):
    frames = []
    for d, data in enumerate(("ffpp", "celeb")):
        for detector in ("xception", "clip")[: 2 - d]:
            run = planted(
                rows_of({"x": (0, 1)}, d), name=f"{detector}-{data}-c23", data={"count": 24, "d": d}
            )
            run.manifest["config"]["weights"] = detector
            frames.append(Frame(run))
    matrix = auc_matrix(frames)
    assert (matrix.detectors, matrix.data_sets) == (("xception", "clip"), ("ffpp", "celeb"))
    assert matrix.runs == ((1, 1), (1, 0))
    assert matrix.cells[1][1] is None


def test_one_data_set_has_no_matrix(planted, simulated, tmp_path):
    run = planted(simulated(20, 0), grid=(8, 8))
    assert auc_matrix([Frame(run)]) is None
    assert auc_matrix([Frame(grouped(planted, rows_of({"real": (0,), "fake": (1,)}, 0)))]) is None
