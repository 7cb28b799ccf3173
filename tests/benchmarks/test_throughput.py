"""Selection of variants and groups, worker files, and correlation of results."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def test_variants(scripts: Any) -> None:
    t = scripts["variants"]
    peers = {
        "torch_calls": {"tasks": {"ig": ["torch default"]}, "precisions": ["float32", "bfloat16"]},
        "captum_calls": {"tasks": {"ig": ["captum default"]}, "precisions": ["float32"]},
    }

    def names(task: str, *patterns: str, skip: Any = ()) -> list[str]:
        precisions = ["float32", "bfloat16"]
        selected = t.select_variants(task, "cpu", precisions, peers, patterns, skip)
        return [variant.name for variant in selected]

    ours = ["salix", "salix unfolded", "salix xla", "salix default"]
    theirs = ["salix, bfloat16_dots", "torch default, bfloat16"]
    assert names("ig", "*") == [*ours, "torch default", "captum default", *theirs]
    assert names("paper", "*") == [*ours, "salix, bfloat16_dots"]
    assert names("ig", "torch*", "salix") == ["salix", "torch default", theirs[1]]
    assert names("ig", "*", skip=["torch*", "* *"]) == ["salix"]
    assert t.Variant("salix, bfloat16_dots", "salix", "bfloat16", "bfloat16_dots").build == "salix"


def test_environment(scripts: Any) -> None:
    environment = scripts["inputs"].worker_environment
    assert "MALLOC_ARENA_MAX" in environment("cpu", "salix")
    assert "MALLOC_ARENA_MAX" not in environment("cpu", "captum default")


def test_pending_groups(scripts: Any) -> None:
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
        "xception ig 8 64": {"left out": "the limit of 5 minutes was reached"},
        "xception cam 8": {"rows": {"salix": {}, "salix xla": {}}},
    }
    keys = [group.key for group, _ in t.pending_groups(options, {}, done)]
    expected = [f"{n} {t} {b} 64" for n in options.networks for b in (2, 8) for t in ("cam", "ig")]
    assert keys == expected[1:]
    options.again = False
    pending = list(t.pending_groups(options, {}, done))
    assert [group.key for group, _ in pending] == expected
    assert [variant.name for variant in pending[0][1]] == ["salix", "salix xla"]


def test_correlations(scripts: Any) -> None:
    add_correlations = scripts["groups"].add_correlations
    rows = {
        "salix": {"sample": [1, 2, 3]},
        "torch channels_last": {"left out": "no memory"},
        "captum default": {"sample": [1, 1, 1]},
        "torch default": {"sample": [2, 4, 6]},
    }
    assert add_correlations(rows) == "salix"
    assert rows["salix"] == {"correlation": pytest.approx(1)}
    assert rows["torch default"] == {"correlation": pytest.approx(1)}
    assert rows["captum default"] == {"correlation": None}
    assert rows["torch channels_last"] == {"left out": "no memory"}
    assert add_correlations({"captum default": {"sample": [1]}}) is None


def test_files_of_one_network_at_a_time(
    scripts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    p = scripts["inputs"]

    def write_weights(network: str, python: str, folder: Path) -> tuple[str, str]:
        (folder / f"{network}.pth").write_text("")
        return (str(folder / f"{network}.pth"),) * 2

    def file_names() -> set[str]:
        return {path.name for path in tmp_path.iterdir()}

    monkeypatch.setattr(p, "write_weights", write_weights)
    files = p.WorkerFiles(tmp_path, "python")
    first = files.paths("resnet18", 1, 8)
    assert first == files.paths("resnet18", 1, 8)
    assert np.load(first["arrays"])["images"].shape == (1, 8, 8, 3)
    files.paths("resnet18", 2, 8)
    assert file_names() == {"resnet18.pth", "resnet18-1.npz", "resnet18-2.npz"}
    files.paths("resnet50", 2, 8)
    assert file_names() == {"resnet50.pth", "resnet50-2.npz"}
    alone = p.WorkerFiles(tmp_path, None).paths("resnet50", 2, 8)
    assert (alone["path"], alone["weights"]) == ("", "")
