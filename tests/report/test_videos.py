"""Rates by frame and by video on the page, against scikit-learn on the exported scores."""

import json

import numpy as np
import pytest
from sklearn import metrics

from salix.report import write
from salix.report.sections import videos
from salix.typing import Column

GROUP = Column("group", dtype="string")


def video_run(planted, simulated, frames=4):
    """A run of 80 frames whose logits have an effect of their videos, each of one class."""
    rows, rng = simulated(80, 0), np.random.default_rng(1)
    effects = rng.normal(size=80 // frames)
    for i, row in enumerate(rows):
        row["label"] = (i // frames) % 2
        row["group"] = f"clip {i // frames}"
        z = row["label"] + effects[i // frames] + 0.3 * rng.normal()
        row["logits"] = [float(-z / 2), float(z / 2)]
    return planted(rows, name="one", columns=(GROUP,), grid=(8, 8), extra=("group",))


def test_the_page_has_the_rates_of_videos(planted, simulated, tmp_path):
    run = video_run(planted, simulated)
    page = write([run], tmp_path / "page.html", sections=(videos.build,)).read_text()
    rows = run.read(["logits", "label", "group"])
    scores = 1 / (1 + np.exp(-np.diff(rows["logits"].astype(float), axis=1)[:, 0]))
    names = np.unique(rows["group"].astype(str))
    of_video = [rows["group"] == name for name in names]
    labels = np.array([rows["label"][own][0] for own in of_video])
    means = np.array([scores[own].mean() for own in of_video])
    data = json.loads((tmp_path / "page.json").read_text())["videos"][0]
    assert data["videos"] == [10, 10]
    assert data["mean"]["auc"]["value"] == pytest.approx(metrics.roc_auc_score(labels, means))
    assert data["frames"]["ap"]["value"] == pytest.approx(
        metrics.average_precision_score(rows["label"], scores)
    )
    assert data["max"]["auc"]["n"] == 20
    rho = data["intraclass_correlation"]
    assert rho > 0.7
    assert data["design_effect"] == pytest.approx(1 + 3 * rho)
    assert "10 + 10 videos, 4 frames each" in page
    assert f"design effect {data['design_effect']:.3g}: 80 frames count as" in page


def test_a_run_without_groups_has_no_such_section(planted, simulated, tmp_path):
    run = planted(simulated(20, 0), name="one", grid=(8, 8))
    page = write([run], tmp_path / "page.html", sections=(videos.build,)).read_text()
    assert "By frame and by video" not in page
