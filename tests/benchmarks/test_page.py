"""What benchmarks make of their rounds: verdicts, the page, and the guard."""

import copy
from typing import Any

import pytest


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
