"""Groups of dependent images on the page, and the warning where rows look grouped."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from salix.analysis import analyse
from salix.report import write
from salix.typing import Column

GROUP = Column("group", dtype="string")


def rows_of(simulated, ids, groups=None, effect=None, seed=0):
    """Simulated rows with these ids and groups, whose entropy and score have effects of groups."""
    rows, noise = simulated(len(ids), seed), np.random.default_rng((9, seed)).normal(size=len(ids))
    for i, row in enumerate(rows):
        row["id"] = ids[i]
        if groups is not None:
            row["group"] = groups[i]
        if effect is not None:
            row["spatial_entropy"] = float(0.5 + 0.1 * effect[i] + 0.1 * noise[i])
    return rows


def test_the_page_prints_the_number_of_groups(planted, simulated, tmp_path):
    groups = [f"clip {i // 4}" for i in range(60)]
    options = {"grid": (8, 8), "group": "g", "extra": ("relevance_mass", "group")}
    runs = []
    for seed in (0, 1, 2):
        rows = rows_of(simulated, [f"{i:04d}.png" for i in range(60)], groups, seed=seed)
        runs.append(planted(rows, name=f"g {seed}", columns=(GROUP,), **options))
    page = write(runs, tmp_path / "page.html").read_text()
    assert "60 images in 15 groups (videos, identities)" in page
    assert "the groups were the sample of every interval and test" in page
    assert "60 images in 15 groups a run; bar: 95 % over runs and images" in page
    assert "mean SSIM of two runs’ maps, 60 images in 15 groups" in page
    assert "<td>60<small>in 15 groups</small>" in page
    assert "the 60 images in 15 groups that all runs share" in page
    assert "look like" not in page
    records = pq.read_table(tmp_path / "page.parquet").to_pylist()
    # The sample of the maps of videos are videos, not images
    assert {r["clusters"] for r in records if r["kind"] != "map motion"} == {15}
    rows = json.loads((tmp_path / "page.json").read_text())["rows"]
    assert [row.get("clusters") for row in rows] == [None, 15, 15, 15]


@pytest.mark.slow
def test_without_groups_the_page_says_nothing_of_them(two_groups, tmp_path):
    page = write(two_groups(20), tmp_path / "page.html").read_text()
    assert "in 0 groups" not in page
    assert "(videos, identities)" not in page


VIDEOS = np.arange(200) // 10
GROUPED_IDS = {
    "a folder a video": lambda i: f"fake/{VIDEOS[i]:03d}/{i % 10:04d}.png",
    "a series of names": lambda i: f"clip{VIDEOS[i]}_{i % 10:04d}.png",
    "frames": lambda i: f"all/v{VIDEOS[i]}-frame{i % 10}.jpg",
    "numbers in brackets": lambda i: f"person {VIDEOS[i]} ({i % 10}).jpg",
}


@pytest.mark.parametrize("name", GROUPED_IDS)
def test_rows_that_look_grouped_are_named(planted, simulated, name, tmp_path):
    effect = np.random.default_rng(2).normal(size=20)[VIDEOS]
    rows = rows_of(simulated, [GROUPED_IDS[name](i) for i in range(200)], effect=effect)
    run = planted(rows, grid=(8, 8), extra=("relevance_mass",))
    page = write([run], tmp_path / "page.html").read_text()
    text = json.loads((tmp_path / "page.json").read_text())["warnings"][0]
    assert "one: the 200 images look like 20 groups such as" in text
    assert "intraclass correlation of spatial entropy: 0." in text
    assert "Sweep with --group-by " in text
    assert "⚠ one: the 200 images look like 20 groups" in page
    by = text.split("--group-by ")[1].split(", a CSV")[0]
    assert by == "-1" if "folder" in name else by.startswith("'^(.*?)")


UNGROUPED_IDS = {
    "numbers": lambda i: f"{i:04d}.png",
    "one stem": lambda i: f"img_{i:04d}.png",
    "folders of classes": lambda i: f"{('real', 'fake')[i % 2]}/{i:04d}.png",
    "many folders": lambda i: f"{VIDEOS[i]:03d}/{i % 10:04d}.png",
    "names": lambda i: f"{VIDEOS[i]}_{i % 10:04d}.png",
}


@pytest.mark.parametrize("name", UNGROUPED_IDS)
def test_independent_rows_are_not_called_grouped(planted, simulated, name):
    for seed in range(4):
        ids = [UNGROUPED_IDS[name](i) for i in range(200)]
        rows = rows_of(simulated, ids, seed=seed, effect=np.zeros(200))
        run = planted(rows, name=f"run {seed}", grid=(8, 8), extra=("relevance_mass",))
        assert analyse([run]).grouped_rows is None


def test_classes_in_folders_of_their_own_are_no_groups(planted, simulated):
    """Ten classes, a folder each, whose numbers differ by class."""
    labels = np.arange(200) % 10
    rows = rows_of(simulated, [f"class{c}/{i:04d}.png" for i, c in enumerate(labels)])
    for i, row in enumerate(rows):
        row |= {"label": int(labels[i]), "predicted": int(labels[i]), "logits": [0.0] * 10}
        row |= {"spatial_entropy": float(labels[i] / 10 + 0.01 * (i * 7 % 5))}
    run = planted(rows, grid=(8, 8), classes=list("abcdefghij"))
    assert analyse([run]).grouped_rows is None


def test_named_groups_are_not_warned_of(planted, simulated):
    effect = np.random.default_rng(2).normal(size=20)[VIDEOS]
    ids = [GROUPED_IDS["frames"](i) for i in range(200)]
    rows = rows_of(simulated, ids, [f"v{v}" for v in VIDEOS], effect)
    run = planted(rows, grid=(8, 8), columns=(GROUP,), extra=("group",))
    assert analyse([run]).grouped_rows is None


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("clips", [1, 2])
def test_few_groups_have_a_page(planted, simulated, tmp_path, seeds, clips):
    """One group has no interval and no test, which the page says; two have wide ones."""
    options = {"grid": (8, 8), "extra": ("relevance_mass", "group"), "columns": (GROUP,)}
    runs = []
    for group in "ab":
        for seed in range(seeds):
            rows = simulated(40, seed + 10 * (group == "b"))
            rows = [row | {"group": f"clip {i % clips}"} for i, row in enumerate(rows)]
            runs.append(planted(rows, name=f"{group} {seed}", group=group, **options))
    page = write(runs, tmp_path / "page.html").read_text()
    assert (page.count("images are of one group: without a second group") > 0) == (clips == 1)
    rows = json.loads((tmp_path / "page.json").read_text())["rows"]
    lows = [n["low"] for row in rows if row["kind"] == "run" for n in row["numbers"].values()]
    if clips == 1:
        assert set(lows) == {None}
        differences = json.loads((tmp_path / "page.json").read_text())["differences"]
        assert not [d for d in differences if d["significance"] == "significant"]
