"""Make docs/throughput.md of the results: python benchmarks/page.py.

Every number is read from benchmarks/results; what was not measured says so. The same results give
the same page.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rounds import Spread, spread
from surroundings import HERE
from targets import PASSES, TARGETS, best_torch, faster, fastest, judge, ran, wall

Groups = Mapping[str, Mapping[str, Any]]
TITLES = {
    "resnet18": "ResNet-18",
    "resnet50": "ResNet-50",
    "densenet121": "DenseNet-121",
    "inception_v3": "Inception-v3",
    "xception": "Xception",
    "clip_vit_b16": "ViT-B/16",
}
TASKS = {
    "forward": "Forward pass",
    "cam": "CAM",
    "gradcam": "Grad-CAM",
    "saliency": "Saliency",
    "smoothgrad": "SmoothGrad, 16 samples",
    "ig": "Integrated gradients, 16 steps",
    "deletion": "Deletion curve, 16 steps",
    "measures": "The measures of a sweep, preset standard",
    "paper": "The five measures of the study, preset paper",
}
INTRO = """# Throughput

What Salix and other libraries take to explain images, measured on one machine. This page is made by
`benchmarks/page.py` of `benchmarks/results`; `benchmarks/throughput.py` measures anew.
"""
HOW = """## How it was measured

- Every variant is a process of its own. In each round each of them in turn is asked for one run of
  a batch, so that all meet the same load; the others wait, and use no processor. A run is timed
  from the call until its result is there; images and weights are on the device before.
- Weights are random and the same everywhere. *img/s* is the median over rounds, with the quartiles
  in brackets. *of torch* is how many times as fast a variant is as the fastest form of PyTorch by
  itself in the same precision, in the same round: median and quartiles. *cpu ms* are processor
  milliseconds of all threads, user and system, for an image.
- *roofline*: products of the task a second, as counted in the program that Salix compiles for it
  (two operations for each product that is added up), in percent of what the fastest product of
  matrices reached in that precision, in PyTorch or in JAX, before the same run. Other variants are
  given the same count, also those that do more.
- *first, s*: compiling and the first run, without loading. The graphs of torch compiled are kept
  between the tasks of a run: a later task may find one compiled.
- *r*: correlation of the result with that of the base, which is named above each table. Noise of
  SmoothGrad is drawn anew by each library; the released measures are other numbers, and have none.
- Variants called *default* run as the library comes, also with the allocator as it comes; the
  others keep freed memory (glibc's MALLOC_ settings), as the command line of Salix does.
"""


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with so many significant digits, without an exponent."""
    if value is None or value != value:
        return "–"
    text = f"{value:.{digits}g}"
    return f"{float(text):.0f}" if "e" in text and abs(value) >= 1 else text


def ranged(found: Spread, digits: int = 3) -> str:
    low, median, high = (number(found[k], digits) for k in ("low", "median", "high"))
    return f"{median} [{low}, {high}]"


def ceiling(group: Mapping[str, Any], precision: str) -> float | None:
    """Return the FLOP/s that the fastest side reached in a precision, whatever its policy."""
    found = [
        value
        for side in group.get("ceilings", {}).values()
        for name, value in side.get("gemm", {}).items()
        if name == precision or (precision == "bfloat16" and name == "bfloat16_dots")
    ]
    return max(found, default=None)


def percent(group: Mapping[str, Any], held: Mapping[str, Any]) -> float | None:
    """Return a row's share of the roofline, in percent."""
    flops, top = group.get("flops"), ceiling(group, held["precision"])
    return 100 * flops / wall(held) / top if flops and top else None


def first(held: Mapping[str, Any]) -> float | None:
    return held["first_call_s"] + held.get("compile_s", 0.0) if "first_call_s" in held else None


def row(group: Mapping[str, Any], name: str) -> list[str]:
    rows, batch = group["rows"], group["batch"]
    held = rows[name]
    if not held.get("rounds"):
        return [name, f"left out: {clean(held['left out'])}", *[""] * 5]
    rates = spread([batch / r["wall"] for r in held["rounds"]])
    cpu = spread([1e3 * r["cpu"] / batch for r in held["rounds"]])["median"]
    best = best_torch(rows, held["precision"])
    r = held.get("correlation")
    return [
        name,
        ranged(rates),
        ranged(faster(rows, name, best)) if best else "–",
        number(cpu),
        number(percent(group, held)),
        number(first(held)),
        "–" if r is None else f"{r:.6f}",
    ]


def clean(text: str) -> str:
    """Return text that a table can hold."""
    return text.replace("|", "/").replace("\n", " ")[:160]


def table(head: list[str], body: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def grouped(group: Mapping[str, Any]) -> Iterator[str]:
    size = f", {group['size']}x{group['size']}" if group.get("size") else ""
    title = f"{TITLES[group['network']]}: {TASKS[group['task']]}"
    yield f"### {title}, batch {group['batch']}{size}\n"
    if "left out" in group:
        yield f"Left out: {group['left out']}.\n"
        return
    before, after = (number(load[0]) for load in group["load"])
    yield (
        f"{group['started']}, {group['rounds']} rounds, load {before} before and {after} after; "
        f"base of *r*: {group['base'] or 'none'}.\n"
    )
    head = ["variant", "img/s", "of torch", "cpu ms", "roofline %", "first, s", "r"]
    yield table(head, [row(group, name) for name in group["rows"]])


def verdicts(groups: Groups, device: str) -> str:
    body = []
    for v in judge(groups, TARGETS[device]):
        where = f"{TITLES[v.network]}, batch {v.batch}" if v.batch else TITLES[v.network]
        goal = f"{v.target.ours}: at least {number(v.target.least)} x {v.target.text}"
        found = ranged(v.found) if v.found else "–"
        body.append([v.target.task, where, goal, v.against or "–", found, v.word])
    head = ["task", "network", "target", "against", "found", "verdict"]
    return table(head, body)


def slower(groups: Groups) -> Iterator[str]:
    """Yield where no variant of Salix is as fast as the best form of PyTorch in a precision."""
    for group in groups.values():
        rows = group.get("rows", {})
        for precision in dict.fromkeys(held["precision"] for held in rows.values()):
            ours = fastest(rows, ran(rows, ("salix*",), precision))
            theirs = best_torch(rows, precision)
            if ours and theirs and (found := faster(rows, ours, theirs))["median"] < 1:
                where = f"{TITLES[group['network']]}, {group['task']}, batch {group['batch']}"
                yield f"- {where}, {precision}: {ours} has {ranged(found)} of {theirs}."


def shares(groups: Groups) -> str:
    """Return the time of as many single passes as a task takes, over the time of the task."""
    body = []
    for group in groups.values():
        single, passes = PASSES.get(group["task"], ("", 0))
        other = next(
            (
                g
                for g in groups.values()
                if single == g["task"] and all(g[k] == group[k] for k in ("network", "batch"))
            ),
            {},
        )
        if ran(group.get("rows", {}), ("salix",)) and ran(other.get("rows", {}), ("salix",)):
            share = passes * wall(other["rows"]["salix"]) / wall(group["rows"]["salix"])
            where = f"{TITLES[group['network']]}, batch {group['batch']}"
            body.append([where, group["task"], f"{passes} x {single}", number(100 * share)])
    return table(["network", "task", "passes", "% of its time"], body)


def about(result: Mapping[str, Any]) -> str:
    held = result["about"]
    packages = ", ".join(f"{name} {version}" for name, version in sorted(held["packages"].items()))
    device = held.get("accelerator") or held["processor"]
    lines = [f"{device}, {held['cores']} cores, Python {held['python']}. {packages}.\n"]
    lines += [f"- Left out: {name}: {clean(why)}" for name, why in held["left out"].items()]
    return "\n".join(lines)


def ceilings(groups: Groups) -> str:
    """Return the table of what the last group's run found as ceilings."""
    last = [g["ceilings"] for g in groups.values() if "ceilings" in g][-1:]
    body = [
        [side, name, number(value / 1e9, 4)]
        for found in last
        for side, limits in found.items()
        for name, value in [*limits.get("gemm", {}).items(), ("stream", limits.get("copy", 0))]
        if value
    ]
    return table(["side", "ceiling", "GFLOP/s, GB/s"], body)


def measures(result: Mapping[str, Any]) -> str:
    """Return how much of a sweep with measures is spent outside the passes of the model."""
    body = [
        [
            name,
            str(held["passes"]),
            number(held["images_per_second"]),
            f"{100 * (1 - held['cpu_share_outside']):.1f}",
            "reached" if held["cpu_share_outside"] <= 0.1 else "missed",
        ]
        for name, held in result["results"].items()
    ]
    head = ["network, preset", "passes", "img/s", "% of processor time in passes", "at least 90 %"]
    return table(head, body)


def device_part(device: str, result: Mapping[str, Any] | None) -> Iterator[str]:
    yield f"## On a {device.upper()}\n"
    if result is None:
        yield "Not measured.\n"
        return
    groups = result["groups"]
    yield about(result)
    yield ceilings(groups)
    yield "### What must be reached\n"
    yield verdicts(groups, device)
    yield "### Where Salix is slower\n"
    lines = list(slower(groups))
    yield "\n".join(lines or ["Nowhere in these results."]) + "\n"
    yield "### Salix beside its own passes\n"
    yield "Passes as they were timed alone, in another task: medians, not of the same rounds.\n"
    yield shares(groups)
    for group in groups.values():
        yield from grouped(group)


def render(results: Mapping[str, Any]) -> str:
    """Return the page; `results` are those of `throughput-cpu` and so on, None where missing."""
    parts = [INTRO, HOW]
    for device in ("cpu", "gpu"):
        parts += device_part(device, results.get(f"throughput-{device}"))
    parts.append("## The measures beside bare passes, by `benchmarks/measures.py`\n")
    found = results.get("measures-cpu")
    parts.append(measures(found) if found else "Not measured.\n")
    return "\n".join(parts).rstrip() + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "throughput.md")
    options = parser.parse_args()
    names = ("throughput-cpu", "throughput-gpu", "measures-cpu")
    paths = {name: options.results / f"{name}.json" for name in names}
    found = {n: json.loads(p.read_text()) if p.exists() else None for n, p in paths.items()}
    # Groups of a task that the time ran out for have neither network nor task beside the reason.
    for name in names[:2]:
        for key, group in (found[name] or {"groups": {}})["groups"].items():
            network, task, batch, *_ = key.split()
            group.update({"network": network, "task": task, "batch": int(batch)})
    options.out.write_text(render(found))


if __name__ == "__main__":
    main()
