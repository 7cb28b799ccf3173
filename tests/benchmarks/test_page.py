"""Speed targets, the throughput page and the guard, from made-up rounds."""

import copy
from typing import Any

import pytest


def rounds(*walls: float) -> list[dict[str, float]]:
    return [{"wall": w, "cpu": 2 * w, "host": 0.0} for w in walls]


def timed(*walls: float, precision: str = "float32", **more: Any) -> dict[str, Any]:
    row = {"rounds": rounds(*walls), "precision": precision, "first_call_s": 3.0}
    return row | {"module": "x", "correlation": 0.999} | more


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
    "left out": {"quantus_calls": "no | module"},
}


def test_targets(scripts: Any) -> None:
    t = scripts["targets"]
    groups = {"a": group()}
    statuses = {
        (r.target.text, r.network): (r.status, r.against)
        for r in t.check_targets(groups, t.CPU)
        if r.target.task == "saliency"
    }
    assert statuses["torch channels_last", "resnet50"] == ("reached", "torch channels_last")
    assert statuses["the best torch form", "resnet50"] == ("reached", "torch compiled")
    assert statuses["the best torch form", "densenet121"] == ("not measured", "")
    groups["a"]["rows"]["salix"] = timed(1.6, 3.1, 6.1)
    (result,) = (r for r in t.check_targets(groups, t.CPU[1:2]) if r.network == "resnet50")
    assert result.status == "missed"
    assert result.speedup is not None
    assert result.speedup["median"] == pytest.approx(3 / 3.1)
    groups["a"]["rows"]["salix"] = {"left out": "no memory", "precision": "float32"}
    assert next(t.check_targets(groups, t.CPU[1:2])).status == "not measured"


def test_target_per_pass(scripts: Any) -> None:
    t = scripts["targets"]
    rows = {"quantus default": timed(6, 12, 24)}
    per_pass, per_image = (
        next(r for r in t.check_targets({"a": group("deletion", **rows)}, [target]))
        for target in t.CPU
        if target.theirs == ("quantus default",)
    )
    assert per_image.speedup["median"] == 6
    assert per_pass.speedup["median"] == pytest.approx(2)


def test_page(scripts: Any) -> None:
    page = scripts["page"]
    rows = {"captum default": {"left out": "no | memory\nat all", "precision": "float32"}}
    groups = {"a": group(**rows), "b": group("forward", salix=timed(1, 1, 1))}
    groups["c"] = {"network": "resnet50", "task": "ig", "batch": 8, "left out": "time limit"}
    results = {"throughput-cpu-amx": {"about": ABOUT, "groups": groups}, "throughput-gpu": None}
    text = page.render(results)
    assert text == page.render(copy.deepcopy(results))
    # 8 images in 2 s, 1.5 times as fast as the best torch form, 2 GFLOP in 2 s of 4 GFLOP/s
    assert "| salix | 4 [3, 6] | 1.5 [1.5, 1.5] | 500 | 25 | 4.5 | 0.999000 |" in text
    # bfloat16 has its own best form and its own roofline, the higher of both sides
    assert "| torch default, bfloat16 | 80 [80, 80] | 1 [1, 1] | 25 | 250 | 3 | 0.999000 |" in text
    assert "| captum default | left out: no / memory at all |" in text
    assert "Left out: time limit." in text
    assert "- Left out: quantus_calls: no / module" in text
    assert "| ResNet-50, batch 8 | saliency" not in text  # is itself a single pass
    slower = text.split("### Where Salix is slower")[1].split("###")[0]
    assert "Nowhere" in slower
    groups["a"]["rows"]["salix"] = timed(2, 4, 8)
    slower = page.render(results).split("### Where Salix is slower")[1].split("###")[0]
    assert "saliency, batch 8, float32: salix has 0.75 [0.75, 0.75] of torch compiled." in slower
    assert page.render({}).count("Not measured.") == 5
    row = {"passes": 23, "images_per_second": 5.0, "cpu_share_outside": 0.39}
    run = {"processor": "A|B", "vectors": "AVX2", "cores": 2, "started": "2026-11-30", "rounds": 5}
    history = [run | {"results": {"meso4 paper": row}}, run | {"results": {"resnet50 paper": row}}]
    text = page.render({"measures-cpu": history})
    assert "A/B with AVX2, 2 cores, 2026-11-30, 5 rounds." in text
    assert "| meso4 paper | 23 | 5 | 61.0 | 60 | reached |" in text
    assert "| resnet50 paper | 23 | 5 | 61.0 | 95 | missed |" in text


def test_pass_shares(scripts: Any) -> None:
    page = scripts["page_tables"]
    groups = {"a": group("ig", salix=timed(20)), "b": group(salix=timed(1))}
    assert "| ResNet-50, batch 8 | ig | 16 x saliency | 80 |" in page.pass_shares(groups)
    groups["b"]["batch"] = 4
    assert "16 x saliency" not in page.pass_shares(groups)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5, "1230"), (0.01234, "0.0123"), (12.0, "12"), (None, "–"), (float("nan"), "–")],
)
def test_numbers(scripts: Any, value: float | None, text: str) -> None:
    assert scripts["page_tables"].number(value) == text


def test_guard(scripts: Any) -> None:
    g = scripts["guard"]
    rows = {
        "forward": {"rounds": rounds(1, 2)},
        "saliency": {"rounds": rounds(2, 4)},
        "ig": {"rounds": rounds(40, 80)},
        "deletion": {"left out": "no memory"},
    }
    measured = g.measured_ratios(rows, "wall")
    assert {k: v["median"] for k, v in measured.items()} == {
        "saliency / forward": 2,
        "ig / 16 saliency": 1.25,
    }
    accepted = {
        "saliency / forward": {"median": 1.9},
        "ig / 16 saliency": {"median": 1.1},
        "forward / torch forward": {"median": 1.0},
    }
    statuses = {name: s for name, *_, s in g.compare_ratios(measured, accepted, 0.1)}
    assert statuses == {
        "saliency / forward": "unchanged",
        "ig / 16 saliency": "worse",
        "forward / torch forward": "not measured",
    }
    statuses = {name: s for name, *_, s in g.compare_ratios(measured, accepted, 0.01)}
    assert statuses["saliency / forward"] == "worse"
    better = g.compare_ratios({"ig / 16 saliency": {"median": 0.9}}, accepted, 0.1)
    assert better[0][3] == "better"
    assert g.compare_ratios(measured, {}, 0.1)[0][3] == "new"
    assert "worse" in g.format_table(g.compare_ratios(measured, accepted, 0.1))


def test_methods_and_metrics(scripts: Any) -> None:
    salix = timed(1, 2, 4, passes=24, compile_s=1.5, difference=0.0)
    curve = {"passes": 25.0, "difference": 0.25, "shape": [4, 24]}
    tasks = {
        name: {
            "batch": 4,
            "rounds": 3,
            "load": [[0.5, 0, 0], [1.5, 0, 0]],
            "rows": {
                "salix": salix,
                "quantus default": timed(*(8 * w for w in walls), passes=24.0, difference=0.25),
                "quantus tuned": timed(*walls, **curve),
            },
        }
        for name, walls in {
            "pixel_flipping": (6, 12, 24),
            "gradcam": (2, 4, 8),
            "sparseness": (0.5, 1, 2),
        }.items()
    }
    tasks["selectivity"] = tasks["pixel_flipping"] | {
        "rows": {"salix": salix, "quantus default": {"left out": "no | memory"}}
    }
    result = {"about": ABOUT, "tasks": tasks}
    text = "\n".join(scripts["family_page"].family_section({"avx512": result}))
    # 2 s for 4 images; the tuned form is the best peer, its processor time twice the wall time
    row = "| quantus tuned | 24 | 25 | 1000 | 6000 | 500 | 3000 | 48 [48, 48] | 6 [6, 6] |"
    assert row in text
    assert "| 4.5, 3 | = 0.9990, 0.25 |" in text
    missed = text.split("### Where Salix is not ahead")[1].split("###")[0]
    assert "Sparseness (Gini): 0.5 [0.5, 0.5] of quantus tuned, behind." in missed
    assert "Pixel flipping" not in missed
    assert "Grad-CAM" not in missed
    tasks["pixel_flipping"]["rows"]["quantus tuned"] = timed(4, 8, 16)
    missed = "\n".join(scripts["family_page"].misses(tasks))
    assert "4 [4, 4] of quantus tuned, less than 5 times ahead. Both evaluate as many" in missed
    assert "Selectivity, 64 patches, quantus default: left out: no / memory" in text


def test_differences_from_salix(scripts: Any) -> None:
    rows = {
        "salix": {"sample": [1.0, 2.0, -4.0]},
        "quantus default": {"sample": [1.0, 3.0, -4.0]},
        "quantus tuned": {"sample": [1.0, 3.0]},
        "captum default": {"left out": "no memory"},
    }
    scripts["family"].add_differences(rows)
    assert rows["salix"]["difference"] == 0
    assert rows["quantus default"]["difference"] == 0.25
    assert not {"difference"} & {*rows["quantus tuned"], *rows["captum default"]}


def test_every_task_of_a_method_has_passes(scripts: Any) -> None:
    from salix.attribution import passes_of
    from salix.metrics import METRICS

    tasks, calls = scripts["family_tasks"].TASKS, scripts["family_calls"]
    for name, task in tasks.items():
        if task.kind != "method":
            assert calls.OTHERS.get(name, name) in METRICS
            assert ("chunk" in calls.metric_options(name, 2)) == (task.kind == "perturbation")
        elif name != "scorecam":  # whose number of channels is the model's
            assert passes_of(calls.method_of(name, 2), (224, 224, 3)).evaluations >= 0
