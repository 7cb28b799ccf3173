"""What benchmarks make of their rounds: statistics, verdicts, the page, the guard, and workers."""

import copy
import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def scripts() -> Any:
    """The modules of the folder, which import each other as scripts do."""
    before = dict(sys.modules)
    sys.path.insert(0, str(FOLDER))
    names = ("workers", "throughput", "targets", "page", "guard")
    yield {name: importlib.import_module(name) for name in names}
    sys.path.remove(str(FOLDER))
    for name in set(sys.modules) - set(before):
        if getattr(sys.modules[name], "__file__", None) and str(FOLDER) in str(
            sys.modules[name].__file__
        ):
            del sys.modules[name]


def rounds(*walls: float) -> list[dict[str, float]]:
    return [{"wall": w, "cpu": 2 * w, "host": 0.0} for w in walls]


def timed(*walls: float, precision: str = "float32", **more: Any) -> dict[str, Any]:
    held = {"rounds": rounds(*walls), "precision": precision, "first_call_s": 3.0}
    return held | {"module": "x", "correlation": 0.999} | more


def group(task: str = "saliency", **rows: Any) -> dict[str, Any]:
    return {
        "network": "resnet50",
        "task": task,
        "batch": 8,
        "size": None,
        "flops": 2e9,
        "rounds": 3,
        "base": "torch channels_last",
        "load": [[0.1, 0, 0], [1.5, 0, 0]],
        "started": "2026-01-02T03:04:05+00:00",
        "seconds": 1.0,
        "ceilings": {
            "salix": {"gemm": {"float32": 1e9, "bfloat16_dots": 8e9}, "copy": 1e9},
            "torch": {"gemm": {"float32": 4e9, "bfloat16": 6e9}, "copy": 2e9},
        },
        "rows": {
            "salix": timed(1, 2, 4, compile_s=1.5),
            "torch channels_last": timed(2, 4, 8),
            "torch compiled": timed(1.5, 3, 6),
            "torch default, bfloat16": timed(0.1, 0.1, 0.1, precision="bfloat16"),
        }
        | rows,
    }


ABOUT = {
    "processor": "a processor",
    "cores": 2,
    "python": "3.11",
    "packages": {"jax": "0.10"},
    "left out": {"of_quantus": "no | module"},
}


def test_spread_and_ratios(scripts: Any) -> None:
    w = scripts["workers"]
    assert w.spread([1, 2, 3, 4, 100]) == {"median": 3, "low": 2, "high": 4, "n": 5}
    # The load triples from round to round and falls on both: it leaves ratios alone.
    found = w.ratios(rounds(2, 6, 18), rounds(1, 3, 9), "wall")
    assert found == {"median": 2, "low": 2, "high": 2, "n": 3}
    with pytest.raises(ValueError, match="longer"):
        w.ratios(rounds(1), rounds(1, 2), "cpu")


def test_results_are_compared(scripts: Any) -> None:
    w = scripts["workers"]
    arrays = w.to_arrays(({"b": np.ones(2), "a": np.zeros((1, 2))}, [np.float32(3)]))
    np.testing.assert_array_equal(arrays[0], [0, 0, 1, 1])
    assert arrays[1] == 3
    told = w.fingerprint([np.array([[1, -3], [np.nan, 2]])])
    assert told["shape"] == [2, 2]
    assert told["mean_abs"] == 2
    assert w.correlation([1, 2, 3, np.nan], [2, 4, 6, 5]) == pytest.approx(1)
    assert w.correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert np.isnan(w.correlation([1, 1], [1, 2]))
    assert np.isnan(w.correlation([1, 2], [1, 2, 3]))


SERVED = """
import sys, time; sys.path.insert(0, {folder!r})
from workers import serve

calls = []
def call():
    print("a library talks"); calls.append(0)
    if len(calls) == {dies}: raise OSError("the device is gone")
    return [[1.0, 2.0]]
serve(lambda: (call, lambda x: x, {{"flops": 8}}))
"""


def test_workers(scripts: Any) -> None:
    w = scripts["workers"]

    def command(dies: int) -> list[str]:
        return [sys.executable, "-c", SERVED.format(folder=str(FOLDER), dies=dies)]

    mute = [sys.executable, "-c", "import time; time.sleep(60)"]
    dead = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    # "fails" has run twice before the rounds, and dies in the second of them.
    workers, rows = w.start({"lives": command(0), "fails": command(4), "dead": dead}, {}, 60)
    assert set(workers) == {"lives", "fails"}
    assert rows["dead"] == {"left out": "ended by signal 9 (out of memory?)"}
    assert rows["lives"]["sample"] == [1]
    assert rows["lives"]["flops"] == 8
    assert w.ask(workers, rows, 1) == 1
    assert set(workers) == {"lives", "fails"}
    assert w.ask(workers, rows, 2) == 2
    assert len(rows["lives"]["rounds"]) == 3
    assert rows["fails"] == {"left out": "OSError: the device is gone"}
    assert w.ask(workers, rows, 3, until=0) == 1  # the first round is whole whatever the time
    w.end(workers)
    assert workers["lives"].process.returncode == 0
    _, rows = w.start({"mute": mute}, {}, 0.2)
    assert rows == {"mute": {"left out": "no answer in 0 s"}}


def test_variants(scripts: Any) -> None:
    t = scripts["throughput"]
    peers = {
        "torch_forms": {"tasks": {"ig": ["torch default"]}, "precisions": ["float32", "bfloat16"]},
        "of_captum": {"tasks": {"ig": ["captum default"]}, "precisions": ["float32"]},
    }

    def names(task: str, *patterns: str) -> list[str]:
        return [v.name for v in t.variants(task, "cpu", ["float32", "bfloat16"], peers, patterns)]

    ours = ["salix", "salix unfolded", "salix xla", "salix default"]
    theirs = ["salix, bfloat16_dots", "torch default, bfloat16"]
    assert names("ig", "*") == [*ours, "torch default", "captum default", *theirs]
    assert names("paper", "*") == [*ours, "salix, bfloat16_dots"]
    assert names("ig", "torch*", "salix") == ["salix", "torch default", theirs[1]]
    assert "MALLOC_ARENA_MAX" in t.environment("cpu", "salix")
    assert "MALLOC_ARENA_MAX" not in t.environment("cpu", "captum default")


def test_verdicts(scripts: Any) -> None:
    t = scripts["targets"]
    groups = {"a": group()}
    words = {
        (v.target.text, v.network): (v.word, v.against)
        for v in t.judge(groups, t.CPU)
        if v.target.task == "saliency"
    }
    assert words["torch channels_last", "resnet50"] == ("reached", "torch channels_last")
    assert words["the best torch form", "resnet50"] == ("reached", "torch compiled")
    assert words["the best torch form", "densenet121"] == ("not measured", "")
    groups["a"]["rows"]["salix"] = timed(1.6, 3.1, 6.1)
    (found,) = (v for v in t.judge(groups, t.CPU[1:2]) if v.network == "resnet50")
    assert found.word == "missed"
    assert found.found is not None
    assert found.found["median"] == pytest.approx(3 / 3.1)
    groups["a"]["rows"]["salix"] = {"left out": "no memory", "precision": "float32"}
    assert next(t.judge(groups, t.CPU[1:2])).word == "not measured"


def test_verdict_per_pass(scripts: Any) -> None:
    t = scripts["targets"]
    rows = {"quantus default": timed(6, 12, 24)}
    per_pass, per_image = (
        next(v for v in t.judge({"a": group("deletion", **rows)}, [target]))
        for target in t.CPU
        if target.theirs == ("quantus default",)
    )
    assert per_image.found["median"] == 6
    assert per_pass.found["median"] == pytest.approx(2)


def test_page(scripts: Any) -> None:
    page = scripts["page"]
    rows = {"captum default": {"left out": "no | memory\nat all", "precision": "float32"}}
    groups = {"a": group(**rows), "b": group("forward", salix=timed(1, 1, 1))}
    groups["c"] = {"network": "resnet50", "task": "ig", "batch": 8, "left out": "time was spent"}
    results = {"throughput-cpu": {"about": ABOUT, "groups": groups}, "throughput-gpu": None}
    text = page.render(results)
    assert text == page.render(copy.deepcopy(results))
    # 8 images in 2 s, 1.5 times as fast as the best torch form, 2 GFLOP in 2 s of 4 GFLOP/s
    assert "| salix | 4 [3, 6] | 1.5 [1.5, 1.5] | 500 | 25 | 4.5 | 0.999000 |" in text
    # bfloat16 has a best form and a roofline of its own: the higher of both sides'
    assert "| torch default, bfloat16 | 80 [80, 80] | 1 [1, 1] | 25 | 250 | 3 | 0.999000 |" in text
    assert "| captum default | left out: no / memory at all |" in text
    assert "Left out: time was spent." in text
    assert "- Left out: of_quantus: no / module" in text
    assert "| ResNet-50, batch 8 | saliency" not in text  # no single pass is its measure
    slower = text.split("### Where Salix is slower")[1].split("###")[0]
    assert "Nowhere" in slower
    groups["a"]["rows"]["salix"] = timed(2, 4, 8)
    slower = page.render(results).split("### Where Salix is slower")[1].split("###")[0]
    assert "saliency, batch 8, float32: salix has 0.75 [0.75, 0.75] of torch compiled." in slower
    assert page.render({}).count("Not measured.") == 3


def test_passes_of_the_page(scripts: Any) -> None:
    page = scripts["page"]
    groups = {"a": group("ig", salix=timed(20)), "b": group(salix=timed(1))}
    assert "| ResNet-50, batch 8 | ig | 16 x saliency | 80 |" in page.shares(groups)
    groups["b"]["batch"] = 4
    assert "16 x saliency" not in page.shares(groups)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5, "1230"), (0.01234, "0.0123"), (12.0, "12"), (None, "–"), (float("nan"), "–")],
)
def test_numbers(scripts: Any, value: float | None, text: str) -> None:
    assert scripts["page"].number(value) == text


def test_guard(scripts: Any) -> None:
    g = scripts["guard"]
    rows = {
        "forward": {"rounds": rounds(1, 2)},
        "saliency": {"rounds": rounds(2, 4)},
        "ig": {"rounds": rounds(40, 80)},
        "deletion": {"left out": "no memory"},
    }
    found = g.ratios_of(rows, "wall")
    assert {k: v["median"] for k, v in found.items()} == {
        "saliency / forward": 2,
        "ig / 16 saliency": 1.25,
    }
    accepted = {
        "saliency / forward": {"median": 1.9},
        "ig / 16 saliency": {"median": 1.1},
        "forward / torch forward": {"median": 1.0},
    }
    words = {name: word for name, *_, word in g.compare(found, accepted, 0.1)}
    assert words == {
        "saliency / forward": "kept",
        "ig / 16 saliency": "worse",
        "forward / torch forward": "not measured",
    }
    words = {name: word for name, *_, word in g.compare(found, accepted, 0.01)}
    assert words["saliency / forward"] == "worse"
    better = g.compare({"ig / 16 saliency": {"median": 0.9}}, accepted, 0.1)
    assert better[0][3] == "better"
    assert g.compare(found, {}, 0.1)[0][3] == "new"
    assert "worse" in g.table(g.compare(found, accepted, 0.1))
