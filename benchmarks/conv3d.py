"""Times of convolutions of volumes: python benchmarks/conv3d.py [--torch PYTHON].

`salix` is the form that Salix uses on the CPU, `xla` the compiler's own, `taps` one 2D convolution
for each tap of the kernel in depth, `torch` PyTorch's with channels first and last. Tasks are the
convolution and its gradient with respect to the input, alone and in a loop (`lax.scan`; in PyTorch
Python's). Each variant has its own process; every round runs each of them once. Times are of one
convolution; ratios are taken within rounds, above 1 where a variant is faster than XLA. Memory is
the program's temporary memory in JAX, and the growth of the process in PyTorch.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from conv3d_calls import STEPS, VolumeConvolution, jax_call, torch_call
from machine import HERE, RETAIN_MEMORY
from rounds import correlation, quartiles, round_ratios
from serving import serve
from torch_comparison import add_options, peer_variants, write_results
from workers import run_rounds, start_workers, stop_workers

SHAPES = {  # of a brain segmentation U-Net (the one in deepbrain's wheel), and of larger networks
    "64^3 8 to 8": VolumeConvolution((64, 64, 64), 8, 8),
    "64^3 16 to 8": VolumeConvolution((64, 64, 64), 16, 8),
    "32^3 32 to 32": VolumeConvolution((32, 32, 32), 32, 32),
    "128^3 8 to 8": VolumeConvolution((128, 128, 128), 8, 8),
    "32^3 32 to 64, stride 2": VolumeConvolution((32, 32, 32), 32, 64, stride=2),
    "32^3 32 to 32, depth alone": VolumeConvolution((32, 32, 32), 32, 32, (3, 1, 1)),
}
TASKS = ("forward", "gradient", "forward in a loop", "gradient in a loop")
VARIANTS = ("xla", "salix", "taps", "salix bfloat16_dots", "torch", "torch channels last")
BASE = "xla"


def run_worker(variant: str, name: str, task: str) -> None:
    prepare = torch_call if variant.startswith("torch") else jax_call
    serve(lambda: prepare(variant, SHAPES[name], task))


def measure(name: str, task: str, variants: list[str], options: Any) -> dict[str, Any]:
    script = [str(Path(__file__).resolve()), "--work"]
    pythons = {v: options.torch if v.startswith("torch") else sys.executable for v in variants}
    commands = {
        v: ([python, *script, v, name, task], RETAIN_MEMORY) for v, python in pythons.items()
    }
    workers, rows = start_workers(commands, timeout=300)
    run_rounds(workers, rows, options.rounds, timeout=300)
    stop_workers(workers)
    steps = STEPS if "loop" in task else 1
    timed = {v: row for v, row in rows.items() if "left out" not in row}
    base = timed.get(BASE, {})
    for row in timed.values():
        for key in ("wall", "cpu"):
            row[f"{key} ms"] = quartiles([1e3 * r[key] / steps for r in row["rounds"]])
            if base:
                row[f"{key} ratio"] = round_ratios(base["rounds"], row["rounds"], key)
        if base:
            row["correlation"] = correlation(row["sample"], base["sample"])
    for row in timed.values():
        del row["sample"], row["rounds"]
    return rows


def format_table(title: str, rows: dict[str, Any]) -> str:
    columns = ("wall ms", "cpu ms", "wall ratio", "cpu ratio")
    lines = [f"\n| {title} | " + " | ".join(columns) + " | MiB | correlation |", "|---" * 7 + "|"]
    for variant, row in rows.items():
        if "left out" in row:
            lines.append(f"| {variant} | left out: {row['left out']} |")
            continue
        cells = [f"{row[c]['median']:.3g}" if c in row else "" for c in columns]
        cells += [f"{row['MiB']:.0f}", f"{row['correlation']:.7f}" if "correlation" in row else ""]
        lines.append(f"| {variant} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser, VARIANTS, TASKS, rounds=7, out=HERE / "results" / "conv3d-cpu.json")
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    options = parser.parse_args()
    variants, torch = peer_variants(options)
    load = os.getloadavg()
    results: dict[str, Any] = {}
    for name in options.shapes:
        for task in options.tasks:
            title = f"{name}, {task}"
            results[title] = measure(name, task, variants, options)
            print(format_table(title, results[title]), flush=True)
    facts = {"rounds": options.rounds, "steps of a loop": STEPS, "base of ratios": BASE}
    write_results(options, results, load, ("jax", "jaxlib"), torch, facts)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        run_worker(*sys.argv[2:])
    else:
        main()
