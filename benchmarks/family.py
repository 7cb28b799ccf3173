"""Methods and metrics of Salix beside the best peer's own, written as JSON.

    python benchmarks family --peers PYTHON

Every variant has its own process, and each round runs a batch once in each of them in turn, on
ResNet-18 with the same random weights. Each task is written when it is done; `--continue` keeps
existing tasks. `benchmarks/page.py` makes a section of docs/throughput.md of the results.
"""

import argparse
import importlib
import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from calls import peer_call
from family_tasks import TASKS
from groups import add_correlations
from inputs import WorkerFiles, worker_environment
from machine import HERE, describe_machine, package_versions, results_path, run_code
from serving import PreparedCall, serve
from throughput import PACKAGES, write
from workers import run_rounds, start_workers, stop_workers

NETWORK, TIMEOUT = "resnet18", 400.0
MODULES = ("family_methods", "family_metrics")


def prepare(spec: dict[str, Any]) -> PreparedCall:
    """Call of a worker; of a peer with the images that pass through the network in its first."""
    from peers.case import BenchmarkCase

    arrays = np.load(spec["arrays"])
    images, maps = arrays["images"], arrays["maps"]
    case = BenchmarkCase(NETWORK, spec["task"], spec["path"], images, maps)
    if spec["module"] == "salix":
        from family_calls import salix_call

        return salix_call(spec, case)
    facts = count_images(len(images), importlib.import_module("peers.prepare"))
    call, wait, _ = peer_call(spec, case)
    return call, wait, facts


def count_images(batch: int, preparation: Any) -> dict[str, Any]:
    """Facts whose `passes` count images through the last layer, per image of the batch."""
    facts, load = {"passes": 0.0}, preparation.torch_network

    def hook(module: Any, inputs: Any) -> None:
        facts["passes"] += len(inputs[0]) / batch

    def torch_network(name: str) -> Any:
        net = load(name)
        net.fc.register_forward_pre_hook(hook)
        return net

    preparation.torch_network = torch_network
    return facts


def peer_variants(python: str) -> dict[str, dict[str, str]]:
    """Module of each variant of each task."""
    code = (
        "import importlib, json\n"
        f"modules = {{m: importlib.import_module('peers.' + m) for m in {MODULES!r}}}\n"
        "print(json.dumps({t: {v: m for v in vs}"
        " for m, module in modules.items() for t, vs in module.VARIANTS.items()}))"
    )
    return json.loads(run_code(python, code).splitlines()[-1])


def measure(task: str, peers: dict[str, str], paths: Any, options: argparse.Namespace) -> Any:
    """Rounds of a task: cost of every variant, and how its values compare with those of Salix."""
    commands = {}
    for name, module in {"salix": "salix", **peers}.items():
        python = sys.executable if module == "salix" else options.peers
        spec = paths | {"task": task, "module": module, "build": name, "device": "cpu"}
        command = [python, str(HERE / "family.py"), "--work", json.dumps(spec)]
        commands[name] = command, worker_environment("cpu", name)
    load, began = os.getloadavg(), time.monotonic()
    workers, rows = start_workers(commands, TIMEOUT)
    deadline = time.monotonic() + 60 * options.task_minutes
    rounds = run_rounds(workers, rows, options.rounds, deadline, TIMEOUT)
    stop_workers(workers)
    add_differences(rows)
    add_correlations(rows)
    return {
        "batch": TASKS[task].batch,
        "rounds": rounds,
        "rows": rows,
        "load": [load, os.getloadavg()],
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 1),
    }


def add_differences(rows: dict[str, dict[str, Any]]) -> None:
    """Add the largest difference from the result of Salix, relative to its largest value."""
    ours = np.asarray(rows["salix"].get("sample", []), float)
    for row in rows.values():
        theirs = np.asarray(row.get("sample", []), float)
        if ours.size and ours.shape == theirs.shape and np.isfinite(ours).any():
            largest = np.nanmax(np.abs(ours - theirs)) / np.nanmax(np.abs(ours))
            row["difference"] = float(largest) if np.isfinite(largest) else None


def report(task: str, result: dict[str, Any]) -> None:
    print(f"{task}: {result['rounds']} rounds, {result['seconds']} s", flush=True)
    for name, row in result["rows"].items():
        if "left out" in row:
            print(f"  {name}: left out: {row['left out']}", flush=True)
            continue
        wall, cpu = (1e3 * np.median([r[k] for r in row["rounds"]]) for k in ("wall", "cpu"))
        costs = f"{wall / result['batch']:.4g} ms, cpu {cpu / result['batch']:.4g} ms an image"
        facts = {k: row.get(k) for k in ("passes", "mean_abs", "correlation", "difference")}
        print(f"  {name}: {costs}, {facts}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", required=True, help="a Python that has the other libraries")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=TASKS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--task-minutes", type=float, default=1.0, help="limit of a task's rounds")
    parser.add_argument("--continue", action="store_true", dest="again")
    os.environ["JAX_PLATFORMS"] = "cpu"
    parser.add_argument("--out", type=Path, default=results_path("family"))
    options = parser.parse_args()
    result: dict[str, Any] = {"tasks": {}}
    if options.again and options.out.exists():
        result = json.loads(options.out.read_text())
    packages = package_versions(sys.executable, ("jax", "flax", "salix"))
    packages |= package_versions(options.peers, PACKAGES)
    result["about"] = describe_machine() | {"packages": packages, "network": NETWORK}
    variants = peer_variants(options.peers)
    with tempfile.TemporaryDirectory() as folder:
        files = WorkerFiles(Path(folder), options.peers)
        for task in options.tasks:
            if task in result["tasks"] and options.again:
                continue
            paths = files.paths(NETWORK, TASKS[task].batch, 224)
            result["tasks"][task] = measure(task, variants[task], paths, options)
            write(options.out, result)
            report(task, result["tasks"][task])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work = json.loads(sys.argv[2])
        serve(lambda: prepare(work), warm=False)
    else:
        main()
