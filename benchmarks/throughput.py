"""Time explanations by Salix against those by other libraries, and write what was found.

    python benchmarks/throughput.py --peers PYTHON --minutes 45

For each network, task and size of batch every variant of every precision is a process of its own;
each in turn is asked for one run, round after round. A run explains one batch that lies on the
device already. Raw rounds are written after every task, so that a stop loses nothing and
`--continue` goes on; `benchmarks/page.py` makes a page of them. `--peers` is a Python that has
PyTorch and the other libraries. What cannot run is a row that says why.
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

from calls import work
from groups import Group, measure, show
from preparation import Files, ceilings
from surroundings import HERE, machine, versions
from variants import BATCHES, NETWORKS, PRECISIONS, TASKS, Variant, offered, variants

PACKAGES = ("torch", "captum", "saliency", "torchcam", "grad-cam", "quantus", "numpy")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", help="a Python that has PyTorch and the other libraries")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--networks", nargs="+", default=NETWORKS, choices=(*NETWORKS, "resnet18"))
    parser.add_argument("--tasks", nargs="+", default=TASKS, choices=TASKS)
    parser.add_argument("--precisions", nargs="+", help="float32, tf32, bfloat16")
    parser.add_argument("--variants", nargs="+", default=["*"], help="patterns of their names")
    parser.add_argument("--skip", nargs="+", default=[], help="patterns of names left out")
    parser.add_argument("--batches", nargs="+", type=int)
    parser.add_argument("--size", type=int, help="of images; by default the network's own")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="for everything")
    parser.add_argument("--task-minutes", type=float, default=float("inf"), help="rounds of a task")
    parser.add_argument("--continue", action="store_true", dest="again", help="keep what was found")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    options.precisions = list(options.precisions or PRECISIONS[options.device])
    options.batches = options.batches or BATCHES[options.device]
    options.out = options.out or HERE / "results" / f"throughput-{options.device}.json"
    return options


def due(
    options: argparse.Namespace, peers: dict[str, Any], groups: dict[str, Any]
) -> Iterator[tuple[Group, list[Variant]]]:
    """Yield every group with its variants; with `--continue`, those that lack one of them."""
    for network, batch, task in product(options.networks, options.batches, options.tasks):
        group = Group(network, task, batch, options.size)
        patterns = (options.variants, options.skip)
        rows = list(variants(task, options.device, options.precisions, peers, *patterns))
        had = groups.get(group.key, {}).get("rows", {})
        if not options.again or any(row.name not in had for row in rows):
            yield group, rows


def about(
    device: str, torch: str | None, faults: dict[str, str], limits: dict[str, Any]
) -> dict[str, Any]:
    """Return what results were found with."""
    packages = versions(sys.executable, ("jax", "flax", "salix"))
    packages |= versions(torch, PACKAGES) if torch else {}
    found = machine() | {"device": device, "packages": packages, "left out": faults}
    return found | ({"accelerator": limits["salix"].get("device")} if device == "gpu" else {})


def write(path: Path, result: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(result, indent=1) + "\n")
    os.replace(part, path)


def main() -> None:
    options = parsed()
    os.environ["JAX_PLATFORMS"] = "cpu"  # of this process, which only prepares
    until = time.monotonic() + 60 * options.minutes
    peers, faults = offered(options.peers)
    for module, fault in faults.items():
        print(f"left out: {module}: {fault}", file=sys.stderr, flush=True)
    torch = options.peers if "torch_forms" in peers else None
    result: dict[str, Any] = {"groups": {}}
    if options.again and options.out.exists():
        result = json.loads(options.out.read_text())
    limits = ceilings(options.device, options.precisions, torch)
    result["about"] = about(options.device, torch, faults, limits)
    with tempfile.TemporaryDirectory() as folder:
        files = Files(Path(folder), torch)
        for group, rows in due(options, peers, result["groups"]):
            if time.monotonic() > until:
                said = f"the {options.minutes:g} minutes were spent"
                result["groups"].setdefault(group.key, {"left out": said})
                print(f"{group.key}: left out: {said}", flush=True)
                write(options.out, result)
                continue
            held = files.of(group.network, group.batch, group.size)
            found = measure(group, rows, held, options) | {"ceilings": limits}
            result["groups"][group.key] = found
            write(options.out, result)
            show(group.key, found)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(json.loads(sys.argv[2]))
    else:
        main()
