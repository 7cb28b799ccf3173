"""The two commands of the documentation: a list of DeepfakeBench, weights, a folder of frames."""

import csv
import json
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from salix import models
from salix.analysis import analyse
from salix.cli import main
from salix.store import Run

pytestmark = pytest.mark.slow


def material(root: Path) -> None:
    """Write videos as folders of frames, their list with paths of another machine, and weights."""
    rng, lists = np.random.default_rng(0), {"FF-real": {}, "FF-DF": {}}
    for name, labels in lists.items():
        method = "original_sequences/youtube" if name == "FF-real" else "manipulated_sequences/DF"
        for video in range(4):
            frames = []
            for frame in range(3):
                path = f"FaceForensics++/{method}/c23/frames/{video:03d}/{frame:03d}.png"
                file = root / "datasets" / path
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(0, 256, (48, 40, 3), np.uint8)).save(file)
                frames.append("D:\\data\\" + path.replace("/", "\\"))
            labels[f"{video:03d}"] = {"label": name, "frames": frames}
    content = {"FF-DF": {name: {"test": {"c23": videos}} for name, videos in lists.items()}}
    (root / "FF-DF.json").write_text(json.dumps(content))
    model, params = models.load("small")
    params = jax.tree.map(np.asarray, params)
    models.save(
        "small",
        root / "best.safetensors",
        params,
        classes=("real", "fake"),
        preprocess=model.preprocess,
    )


def test_a_report_whose_auc_is_that_of_scikit_learn(tmp_path, monkeypatch, capsys):
    metrics = pytest.importorskip("sklearn.metrics")
    monkeypatch.chdir(tmp_path)
    material(tmp_path)
    data = ["--data", "deepfakebench:FF-DF.json#test/c23", "--root", "datasets"]
    command = ["sweep", "--model", "small", "--weights", "best.safetensors", *data]
    assert main([*command, "--out", "runs/first"]) == 0
    assert main(["report", "runs/first", "--out", "report.html"]) == 0
    page = Path("report.html").read_text()
    assert "intervals are too narrow" not in capsys.readouterr().err
    assert main(["runs", "export", "runs/first", "--out", "rows", "--format", "csv", "--columns",
                 "id", "label", "logits", "group"]) == 0  # fmt: skip
    (file,) = Path("rows").rglob("*.csv")
    with file.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert len({row["group"] for row in rows}) == 8
    labels = [int(row["label"]) for row in rows]
    scores = np.array([np.diff(json.loads(row["logits"]))[0] for row in rows])
    run = Run(tmp_path / "runs/first")
    expected = metrics.roc_auc_score(labels, scores)
    auc = analyse([run]).summary.runs[0].numbers["auc"]
    assert auc.value == pytest.approx(expected, abs=1e-12)
    assert f"{expected:.3f}" in page or f"{expected:.2f}" in page
