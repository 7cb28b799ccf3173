"""Which variants and groups are measured, with which files, and how their results compare."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def test_variants(scripts: Any) -> None:
    t = scripts["variants"]
    peers = {
        "torch_forms": {"tasks": {"ig": ["torch default"]}, "precisions": ["float32", "bfloat16"]},
        "of_captum": {"tasks": {"ig": ["captum default"]}, "precisions": ["float32"]},
    }

    def names(task: str, *patterns: str, skipped: Any = ()) -> list[str]:
        precisions = ["float32", "bfloat16"]
        found = t.variants(task, "cpu", precisions, peers, patterns, skipped)
        return [variant.name for variant in found]

    ours = ["salix", "salix unfolded", "salix xla", "salix default"]
    theirs = ["salix, bfloat16_dots", "torch default, bfloat16"]
    assert names("ig", "*") == [*ours, "torch default", "captum default", *theirs]
    assert names("paper", "*") == [*ours, "salix, bfloat16_dots"]
    assert names("ig", "torch*", "salix") == ["salix", "torch default", theirs[1]]
    assert names("ig", "*", skipped=["torch*", "* *"]) == ["salix"]
    assert t.Variant("salix, bfloat16_dots", "salix", "bfloat16", "bfloat16_dots").build == "salix"


def test_environment(scripts: Any) -> None:
    environment = scripts["preparation"].environment
    assert "MALLOC_ARENA_MAX" in environment("cpu", "salix")
    assert "MALLOC_ARENA_MAX" not in environment("cpu", "captum default")


def test_groups_that_are_due(scripts: Any) -> None:
    t = scripts["throughput"]
    options = argparse.Namespace(
        networks=["resnet50", "xception"],
        batches=[2, 8],
        tasks=["cam", "ig"],
        size=64,
        device="cpu",
        precisions=["float32"],
        variants=["salix", "salix xla"],
        skip=[],
        again=True,
    )
    done = {
        "resnet50 cam 2 64": {"rows": {"salix": {}, "salix xla": {}}},
        "resnet50 ig 2 64": {"rows": {"salix": {}}},
        "xception ig 8 64": {"left out": "the minutes were spent"},
        "xception cam 8": {"rows": {"salix": {}, "salix xla": {}}},
    }
    keys = [group.key for group, _ in t.due(options, {}, done)]
    every = [f"{n} {t} {b} 64" for n in options.networks for b in (2, 8) for t in ("cam", "ig")]
    assert keys == every[1:]
    options.again = False
    found = list(t.due(options, {}, done))
    assert [group.key for group, _ in found] == every
    assert [row.name for row in found[0][1]] == ["salix", "salix xla"]


def test_rows_are_compared(scripts: Any) -> None:
    compare = scripts["groups"].compare
    rows = {
        "salix": {"sample": [1, 2, 3]},
        "torch channels_last": {"left out": "no memory"},
        "captum default": {"sample": [1, 1, 1]},
        "torch default": {"sample": [2, 4, 6]},
    }
    assert compare(rows) == "salix"
    assert rows["salix"] == {"correlation": pytest.approx(1)}
    assert rows["torch default"] == {"correlation": pytest.approx(1)}
    assert rows["captum default"] == {"correlation": None}
    assert rows["torch channels_last"] == {"left out": "no memory"}
    assert compare({"captum default": {"sample": [1]}}) is None


def test_files_are_of_one_network(
    scripts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    p = scripts["preparation"]

    def weigh(network: str, python: str, folder: Path) -> tuple[str, str]:
        (folder / f"{network}.pth").write_text("")
        return (str(folder / f"{network}.pth"),) * 2

    def left() -> set[str]:
        return {path.name for path in tmp_path.iterdir()}

    monkeypatch.setattr(p, "weigh", weigh)
    files = p.Files(tmp_path, "python")
    first = files.of("resnet18", 1, 8)
    assert first == files.of("resnet18", 1, 8)
    assert np.load(first["arrays"])["images"].shape == (1, 8, 8, 3)
    files.of("resnet18", 2, 8)
    assert left() == {"resnet18.pth", "resnet18-1.npz", "resnet18-2.npz"}
    files.of("resnet50", 2, 8)
    assert left() == {"resnet50.pth", "resnet50-2.npz"}
    alone = p.Files(tmp_path, None).of("resnet50", 2, 8)
    assert (alone["path"], alone["weights"]) == ("", "")
