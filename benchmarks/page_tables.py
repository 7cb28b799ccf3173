"""Tables of the throughput page, in Markdown."""

from collections.abc import Iterator, Mapping
from typing import Any

from rounds import Quartiles, quartiles
from targets import (
    PASSES,
    TARGETS,
    best_torch,
    check_targets,
    fastest,
    median_wall,
    speedup,
    timed_rows,
)

Groups = Mapping[str, Mapping[str, Any]]
NETWORK_TITLES = {
    "resnet18": "ResNet-18",
    "resnet50": "ResNet-50",
    "densenet121": "DenseNet-121",
    "inception_v3": "Inception-v3",
    "xception": "Xception",
    "clip_vit_b16": "ViT-B/16",
    "efficientnet_b0": "EfficientNet-B0",
    "nsfwjs_mobilenet_v2": "MobileNetV2",
    "meso4": "Meso4",
}
TASK_TITLES = {
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


def number(value: float | None, digits: int = 3) -> str:
    """Number with so many significant digits, without an exponent; a dash for None and NaN."""
    if value is None or value != value:
        return "–"
    text = f"{value:.{digits}g}"
    return f"{float(text):.0f}" if "e" in text and abs(value) >= 1 else text


def with_quartiles(values: Quartiles, digits: int = 3) -> str:
    low, median, high = (number(values[k], digits) for k in ("low", "median", "high"))
    return f"{median} [{low}, {high}]"


def escape(text: str) -> str:
    """Text without the characters that would end a cell of a table, shortened."""
    return text.replace("|", "/").replace("\n", " ")[:160]


def format_machine(about: Mapping[str, Any]) -> str:
    """Processor, cores, Python and package versions of a result, in a sentence each."""
    packages = ", ".join(f"{name} {version}" for name, version in sorted(about["packages"].items()))
    device = about.get("accelerator") or about["processor"]
    cores = "1 core" if about["cores"] == 1 else f"{about['cores']} cores"
    return f"{device}, {cores}, Python {about['python']}. {packages}."


def table(head: list[str], body: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def ceiling(group: Mapping[str, Any], precision: str) -> float | None:
    """Highest FLOP/s of matrix products in a precision, over both sides and their policies."""
    rates = [
        value
        for side in group.get("ceilings", {}).values()
        for name, value in side.get("gemm", {}).items()
        if name == precision or (precision == "bfloat16" and name == "bfloat16_dots")
    ]
    return max(rates, default=None)


def variant_row(group: Mapping[str, Any], name: str) -> list[str]:
    rows, batch = group["rows"], group["batch"]
    row = rows[name]
    if not row.get("rounds"):
        return [name, f"left out: {escape(row['left out'])}", *[""] * 5]
    rates = quartiles([batch / r["wall"] for r in row["rounds"]])
    cpu = quartiles([1e3 * r["cpu"] / batch for r in row["rounds"]])["median"]
    best = best_torch(rows, row["precision"])
    flops, top = group.get("flops"), ceiling(group, row["precision"])
    first = row["first_call_s"] + row.get("compile_s", 0.0) if "first_call_s" in row else None
    r = row.get("correlation")
    return [
        name,
        with_quartiles(rates),
        with_quartiles(speedup(rows, name, best)) if best else "–",
        number(cpu),
        number(100 * flops / median_wall(row) / top if flops and top else None),
        number(first),
        "–" if r is None else f"{r:.6f}",
    ]


def group_section(group: Mapping[str, Any]) -> Iterator[str]:
    """Yield the title and the table of one task on one network."""
    size = f", {group['size']}x{group['size']}" if group.get("size") else ""
    title = f"{NETWORK_TITLES[group['network']]}: {TASK_TITLES[group['task']]}"
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
    yield table(head, [variant_row(group, name) for name in group["rows"]])


def target_table(groups: Groups, device: str) -> str:
    """Table of the targets whose network and task were measured."""
    body = []
    for result in check_targets(groups, TARGETS[device]):
        if not result.batch:
            continue
        title, target = NETWORK_TITLES[result.network], result.target
        where = f"{title}, batch {result.batch}"
        goal = f"{target.ours}: at least {number(target.minimum)} x {target.text}"
        ratio = with_quartiles(result.speedup) if result.speedup else "–"
        body.append([target.task, where, goal, result.against or "–", ratio, result.status])
    head = ["task", "network", "target", "against", "speedup", "result"]
    return table(head, body) if body else "No network and task that has a target was measured.\n"


def slower_cases(groups: Groups) -> Iterator[str]:
    """Yield where no variant of Salix is as fast as the best form of PyTorch in a precision."""
    for group in groups.values():
        rows = group.get("rows", {})
        for precision in dict.fromkeys(row["precision"] for row in rows.values()):
            ours = fastest(rows, timed_rows(rows, ("salix*",), precision))
            theirs = best_torch(rows, precision)
            if ours and theirs and (ratio := speedup(rows, ours, theirs))["median"] < 1:
                title = NETWORK_TITLES[group["network"]]
                where = f"{title}, {group['task']}, batch {group['batch']}"
                yield f"- {where}, {precision}: {ours} has {with_quartiles(ratio)} of {theirs}."


def pass_shares(groups: Groups) -> str:
    """Time of the single passes of a task, timed in another task, in percent of its own time."""
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
        rows, single_rows = group.get("rows", {}), other.get("rows", {})
        if timed_rows(rows, ("salix",)) and timed_rows(single_rows, ("salix",)):
            share = passes * median_wall(single_rows["salix"]) / median_wall(rows["salix"])
            where = f"{NETWORK_TITLES[group['network']]}, batch {group['batch']}"
            body.append([where, group["task"], f"{passes} x {single}", number(100 * share)])
    return table(["network", "task", "passes", "% of its time"], body)


def ceiling_table(groups: Groups) -> str:
    """Ceilings measured before the last group."""
    last = [g["ceilings"] for g in groups.values() if "ceilings" in g][-1:]
    body = [
        [side, name, number(value / 1e9, 4)]
        for ceilings in last
        for side, limits in ceilings.items()
        for name, value in [*limits.get("gemm", {}).items(), ("stream", limits.get("copy", 0))]
        if value
    ]
    return table(["side", "ceiling", "GFLOP/s, GB/s"], body)


# Least share of processor time in passes of the model, by network: small ones leave less room.
IN_PASSES = {"small": 0.75, "meso4": 0.6, "resnet50": 0.95}


def measure_table(result: Mapping[str, Any]) -> str:
    """Share of a sweep's processor time that its measures spend in passes of the model."""
    body = []
    for name, row in result["results"].items():
        share, goal = 1 - row["cpu_share_outside"], IN_PASSES[name.split()[0]]
        cells = name, row["passes"], number(row["images_per_second"]), f"{100 * share:.1f}"
        outcome = "reached" if share >= goal else "missed"
        body.append([*map(str, cells), f"{100 * goal:.0f}", outcome])
    head = ["network, preset", "passes", "img/s", "% of processor time in passes", "goal", "result"]
    return table(head, body)
