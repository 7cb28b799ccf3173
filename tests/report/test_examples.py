"""Images chosen by their rules, one of each group, and their pictures on the page."""

import json

import numpy as np
import pytest
from PIL import Image

from salix.analysis import analyse
from salix.analysis.chosen_examples import chosen_examples
from salix.cli import main
from salix.data import Arrays, open_source
from salix.report import write
from salix.report.sections import SECTIONS, examples, sections_with
from salix.typing import Column

GROUP = Column("group", dtype="string")


@pytest.fixture
def runs(planted, simulated):
    """Two runs of 24 images in videos of 6; their maps agree but for one image."""
    both = []
    for seed in (0, 1):
        rows = simulated(24, seed, thumbs=2)
        shared = np.random.default_rng(5)
        for i, row in enumerate(rows):
            row |= {"id": f"{i}.png", "group": f"clip {i // 6}"}
            row["map"] = shared.integers(0, 256, 64).tolist()
        rows[17]["map"] = np.random.default_rng(seed).integers(0, 256, 64).tolist()
        options = {"name": f"r{seed}", "columns": (GROUP,), "extra": ("group",)}
        both.append(planted(rows, grid=(8, 8), **options))
    return both


def test_rules_are_those_of_a_slow_ranking(runs):
    chosen = {c.key: c for c in chosen_examples(analyse(runs))}
    z = np.array([np.diff(r.read(["logits"])["logits"], axis=1)[:, 0] for r in runs], float)
    p, labels = 1 / (1 + np.exp(-z)), runs[0].read(["label"])["label"]
    right = np.where(labels == 1, p, 1 - p).mean(0)
    orders = {
        "wrong": [i for i in np.argsort(right) if right[i] < 0.5],
        "uncertain": np.argsort(np.abs(p - 0.5).mean(0)),
        "disagree": np.argsort(-np.abs(p[0] - p[1])),
    }
    for key, order in orders.items():
        first, clips = [], set()
        for i in order:
            if i // 6 not in clips:
                clips.add(i // 6)
                first.append(f"{i}.png")
        assert chosen[key].ids == tuple(first[:4]), key
    assert chosen["maps"].ids[0] == "17.png"
    assert chosen["uncertain"].images == 24
    assert chosen["disagree"].values[0] == f"difference {np.abs(p[0] - p[1]).max():.3f}"


def test_the_page_states_the_rules_and_reads_pictures(runs, tmp_path):
    page = write(runs, tmp_path / "a.html", sections=(examples.build,)).read_text()
    data = json.loads((tmp_path / "a.json").read_text())["examples"]
    assert "the lowest mean over the runs of the probability of the labelled class" in page
    assert "have no stored picture" in page
    assert data["maps"]["ids"][0] == "17.png"
    images = np.random.default_rng(0).integers(0, 256, (24, 16, 16, 3), np.uint8)
    source = Arrays(images, keys=[f"{i}.png" for i in range(24)])
    sections = [s for s in sections_with(source) if s not in SECTIONS]
    page = write(runs, tmp_path / "b.html", sections=sections).read_text()
    assert "have no stored picture" not in page


def listed_frames(folder):
    """Write 24 frames of two videos and their DeepfakeBench list; return the list."""
    videos = {"FF-real": "original_sequences/youtube", "FF-DF": "manipulated_sequences/Deepfakes"}
    content = {}
    for name, place in videos.items():
        paths = [f"FaceForensics++/{place}/c23/frames/033/{i:03d}.png" for i in range(12)]
        for i, path in enumerate(paths):
            file = folder / "frames" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((20, 16, 3), 10 * i, np.uint8)).save(file)
        video = {"033": {"label": name, "frames": [f"/far/{path}" for path in paths]}}
        content[name] = {"test": {"c23": video}}
    (folder / "FF-DF.json").write_text(json.dumps({"FF-DF": content}))
    return f"deepfakebench:{folder / 'FF-DF.json'}#test/c23"


def test_frames_of_a_list_are_shown(planted, simulated, tmp_path, capsys):
    data = listed_frames(tmp_path)
    source = open_source([data], root=tmp_path / "frames", frames="12")
    rows = simulated(24, 0)
    rows = [row | {"id": id} for row, id in zip(rows, source.ids, strict=True)]
    run = planted(rows, grid=(8, 8))
    options = ["--root", str(tmp_path / "frames"), "--frames", "12", "--labels", "a=FF-real", "b=*"]
    command = ["report", str(run.path), "--out", str(tmp_path / "page.html")]
    assert main([*command, "--data", data, *options]) == 0
    page = (tmp_path / "page.html").read_text()
    assert "photograph FaceForensics++/" in page
    assert "have no stored picture" not in page
    capsys.readouterr()
    assert main([*command, "--root", str(tmp_path)]) != 0
    assert "--root is of the images of --data: give it too" in capsys.readouterr().err


def test_one_run_has_no_disagreement_and_no_pairs_of_maps(runs):
    assert [c.key for c in chosen_examples(analyse(runs[:1]))] == ["wrong", "uncertain"]
