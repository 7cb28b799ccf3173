"""Throughput of explanations by Salix and by other libraries, written as JSON.

    python benchmarks throughput --peers PYTHON --minutes 45

For each network, task and batch size every variant in every precision has its own process; each
round runs each of them once. A run explains one batch that is on the device already. The rounds are
written after every task: `--continue` resumes after an interruption, and `benchmarks/page.py` makes
a page of them. `--peers` is a Python that has PyTorch and the other libraries. Variants that cannot
run are recorded with the reason.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from calls import run_worker
from groups import TaskGroup, measure_group, print_group
from inputs import WorkerFiles, measure_ceilings
from machine import HERE, describe_machine, package_versions, results_path
from variants import BATCHES, NETWORKS, PRECISIONS, TASKS, Variant, available_peers, select_variants

PACKAGES = ("torch", "captum", "saliency", "torchcam", "grad-cam", "quantus", "numpy")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", help="a Python that has PyTorch and the other libraries")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--networks", nargs="+", default=NETWORKS, choices=(*NETWORKS, "resnet18"))
    parser.add_argument("--tasks", nargs="+", default=TASKS, choices=TASKS)
    parser.add_argument("--precisions", nargs="+", help="float32, tf32, bfloat16")
    parser.add_argument("--variants", nargs="+", default=["*"], help="patterns of names to run")
    parser.add_argument("--skip", nargs="+", default=[], help="patterns of names to leave out")
    parser.add_argument("--batches", nargs="+", type=int)
    parser.add_argument("--size", type=int, help="side of the images; the network's own by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="limit of the run")
    parser.add_argument(
        "--task-minutes", type=float, default=float("inf"), help="limit of the rounds of a task"
    )
    parser.add_argument(
        "--continue", action="store_true", dest="again", help="resume: keep existing results"
    )
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    options.precisions = list(options.precisions or PRECISIONS[options.device])
    options.batches = options.batches or BATCHES[options.device]
    if not options.out:
        gpu = HERE / "results" / "throughput-gpu.json"
        options.out = gpu if options.device == "gpu" else results_path("throughput")
    return options


def pending_groups(
    options: argparse.Namespace, peers: dict[str, Any], groups: dict[str, Any]
) -> Iterator[tuple[TaskGroup, list[Variant]]]:
    """Yield every group with its variants; with `--continue`, the groups that lack a variant."""
    for network, batch, task in product(options.networks, options.batches, options.tasks):
        group = TaskGroup(network, task, batch, options.size)
        patterns = (options.variants, options.skip)
        selected = list(select_variants(task, options.device, options.precisions, peers, *patterns))
        done = groups.get(group.key, {}).get("rows", {})
        if not options.again or any(v.name not in done for v in selected):
            yield group, selected


def describe_run(
    device: str, torch: str | None, errors: dict[str, str], limits: dict[str, Any]
) -> dict[str, Any]:
    """Machine, packages and omissions of the results."""
    packages = package_versions(sys.executable, ("jax", "flax", "salix"))
    packages |= package_versions(torch, PACKAGES) if torch else {}
    about = describe_machine() | {"device": device, "packages": packages, "left out": errors}
    return about | ({"accelerator": limits["salix"].get("device")} if device == "gpu" else {})


def write(path: Path, result: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(result, indent=1) + "\n")
    os.replace(part, path)


def main() -> None:
    os.environ["JAX_PLATFORMS"] = "cpu"  # this process only prepares inputs
    options = parse_options()
    deadline = time.monotonic() + 60 * options.minutes
    peers, errors = available_peers(options.peers)
    for module, error in errors.items():
        print(f"left out: {module}: {error}", file=sys.stderr, flush=True)
    torch = options.peers if "torch_calls" in peers else None
    result: dict[str, Any] = {"groups": {}}
    if options.again and options.out.exists():
        result = json.loads(options.out.read_text())
    limits = measure_ceilings(options.device, options.precisions, torch)
    result["about"] = describe_run(options.device, torch, errors, limits)
    with tempfile.TemporaryDirectory() as folder:
        files = WorkerFiles(Path(folder), torch)
        for group, selected in pending_groups(options, peers, result["groups"]):
            if time.monotonic() > deadline:
                reason = f"the limit of {options.minutes:g} minutes was reached"
                result["groups"].setdefault(group.key, {"left out": reason})
                print(f"{group.key}: left out: {reason}", flush=True)
                write(options.out, result)
                continue
            paths = files.paths(group.network, group.batch, group.size)
            measured = measure_group(group, selected, paths, options) | {"ceilings": limits}
            result["groups"][group.key] = measured
            write(options.out, result)
            print_group(group.key, measured)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        run_worker(json.loads(sys.argv[2]))
    else:
        main()
