"""Kinds of processor, and the parts of the throughput page on them and on training."""

import copy
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("flags", "kind", "vectors"),
    [
        ({"avx2", "avx512f", "amx_bf16", "amx_tile"}, "amx", "AVX-512 and AMX"),
        ({"avx2", "avx512f"}, "avx512", "AVX-512"),
        ({"sse2", "avx2"}, "avx2", "AVX2"),
        (set(), "other", "other vectors"),
    ],
)
def test_kinds_of_processor(scripts: Any, flags: set[str], kind: str, vectors: str) -> None:
    machine = scripts["machine"]
    assert machine.processor_kind(flags) == kind
    assert machine.VECTORS[kind] == vectors


def test_results_of_this_machine(scripts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = scripts["machine"]
    monkeypatch.setattr("salix.compiler.cpu_flags", lambda: frozenset({"avx2", "avx512f"}))
    assert machine.results_path("training").name == "training-cpu-avx512.json"
    assert machine.describe_machine()["vectors"] == "AVX-512"


def about(processor: str, jax: str, **more: Any) -> dict[str, Any]:
    packages = {"jax": jax, "torch": "2.13"}
    return {"processor": processor, "cores": 2, "python": "3", "packages": packages} | more


def test_history_by_machine(scripts: Any) -> None:
    pending = {"network": "resnet50", "task": "ig", "batch": 8, "left out": "time limit"}
    started = {"rounds": [], "started": "2026-11-23T06:53:14+00:00"}
    run = {"processor": "A|B", "vectors": "AVX2", "started": "2026-11-30T08:08:40+00:00"}
    results = {
        "throughput-cpu-amx": {"about": about("Xeon", "0.9"), "groups": {"a": pending}},
        "family-cpu-amx": {"about": about("Xeon", "0.10"), "tasks": {"b": started}},
        "training-cpu-avx2": {"about": about("A|B", "0.10", finished="2026-11-29T01:02:03+00:00")},
        "measures-cpu": [run | {"jax": "0.10"}, run | {"jax": "0.10"}],
        "throughput-gpu": None,
    }
    text = "\n".join(scripts["history_page"].history_section(results))
    rows = [line for line in text.splitlines() if line.startswith("| A")]
    assert rows == [
        "| AVX-512 and AMX | Xeon | 2026-11-23 | jax 0.10, jax 0.9, torch 2.13 "
        "| throughput, methods and metrics |",
        "| AVX2 | A/B | 2026-11-29 to 2026-11-30 | jax 0.10, torch 2.13 | training, measures |",
    ]
    assert text == "\n".join(scripts["history_page"].history_section(copy.deepcopy(results)))
    assert not list(scripts["history_page"].history_section({"measures-cpu": None}))


def test_each_kind_of_processor_has_its_section(scripts: Any) -> None:
    results = {
        f"throughput-cpu-{kind}": {"about": about(kind, "0.10", **{"left out": {}}), "groups": {}}
        for kind in ("avx2", "amx")
    }
    text = scripts["page"].render(results)
    titles = [line for line in text.splitlines() if line.startswith("## On a")]
    assert titles == ["## On a CPU with AVX-512 and AMX", "## On a CPU with AVX2", "## On a GPU"]
    assert text.count("No network and task that has a target was measured.") == 2
    assert "not measured" not in text


def test_training(scripts: Any) -> None:
    def row(images: int, *cpu: float) -> dict[str, Any]:
        rounds = [{"wall": 2.0, "cpu": seconds} for seconds in cpu]
        return {"rounds": rounds, "img/s": images / 2, "first_s": 4.0}

    rows = {
        "jax": row(8, 1, 2, 4),
        "jax, 3 seeds together": row(24, 4, 8, 16),
        "torch": row(8, 2, 4, 8),
        "torch compiled": {"left out": "no | compiler"},
    }
    loads = {"load before and after": [[0.5, 0, 0], [1.5, 0, 0]]}
    result = {"about": about("a processor", "0.10", **loads), "results": {"small, 64 px": rows}}
    text = "\n".join(scripts["training_page"].training_section({"avx2": result}))
    assert "### Training on a CPU with AVX2" in text
    assert "torch 2.13. Load 0.5 before and 1.5 after." in text
    assert "| small, 64 px | salix | 4 | 2 [2, 2] | 250 | 4 |" in text
    # four times the time of three seeds together: three images in 4 s, where torch needs 6 s
    assert "| small, 64 px | salix, 3 seeds together | 12 | 1.5 [1.5, 1.5] | 333 | 4 |" in text
    assert "| small, 64 px | torch | 4 | 1 [1, 1] | 500 | 4 |" in text
    assert "| small, 64 px | torch compiled | left out: no / compiler |" in text
    del rows["torch"]
    text = "\n".join(scripts["training_page"].training_section({"avx2": result}))
    assert "| small, 64 px | salix | 4 | – | 250 | 4 |" in text
