"""XRAI and performance information curves beside PAIR's package: python benchmarks xrai.

`--peer PYTHON` has saliency 0.2.1 and numpy<2.4. Each round runs every task once in each library,
in turn, in a process of its own, on scikit-image's samples and the images of `--images FOLDER`.
Times are of one image, attribution given and imports excluded; ratios are medians over rounds. The
results of the two libraries are compared as well: segments, their order, gains, and areas.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from machine import HERE, describe_machine, package_versions, run_code
from rounds import quartiles, round_ratios

TASKS = ("xrai full", "xrai fast", "pic smooth", "pic regions")
RESULTS = HERE / "results" / "xrai-cpu.json"
CODE = """
import json, time
from peers import xrai_tasks
print(json.dumps(xrai_tasks.run({library!r}, {task!r}, {image!r}, {side})))
"""


def run_task(python: str, library: str, task: str, image: str, side: int) -> dict[str, Any]:
    code = CODE.format(library=library, task=task, image=image, side=side)
    if library == "salix":
        code = f"import sys; sys.path.insert(0, {str(HERE.parent)!r})\n{code}"
    return json.loads(run_code(python, code, {"OMP_NUM_THREADS": "1"}).splitlines()[-1])


def agreement(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Differences between the results of both libraries for one task."""
    if "area" in ours:
        return {"area": ours["area"], "area_difference": ours["area"] - theirs["area"]}
    gains = max(abs(a - b) for a, b in zip(ours["gains"], theirs["gains"], strict=True))
    return {
        "segments": len(ours["gains"]),
        "ranks_equal": ours["ranks"] == theirs["ranks"],
        "largest_gain_difference": gains,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", required=True, metavar="PYTHON")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", type=int, default=299)
    parser.add_argument("--images", type=Path, help="compare the segments of these images too")
    parser.add_argument("--tasks", nargs="+", default=TASKS, choices=TASKS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    libraries = {"salix": sys.executable, "pair": options.peer}
    samples = ["astronaut", "cat", "coffee"]
    times: dict[str, Any] = {}
    agreements: dict[str, Any] = {task: {} for task in options.tasks}
    for round_ in range(options.rounds):
        name = samples[round_ % len(samples)]
        for task in options.tasks:
            both = {k: run_task(p, k, task, name, options.side) for k, p in libraries.items()}
            for library, result in both.items():
                times.setdefault(task, {}).setdefault(library, []).append(result["time"])
            agreements[task][name] = agreement(both["salix"], both["pair"])
            print(task, name, {k: v["time"] for k, v in both.items()}, agreements[task][name])
    for path in sorted(options.images.iterdir()) if options.images else ():
        for task in (t for t in options.tasks if t.startswith("xrai")):
            both = [run_task(p, k, task, str(path), options.side) for k, p in libraries.items()]
            agreements[task][path.name] = agreement(*both)
            print(task, path.name, agreements[task][path.name])
    packages = ("numpy", "scipy", "scikit-image", "pillow", "saliency", "jax")
    results = {
        "machine": describe_machine(),
        "side": options.side,
        "rounds": options.rounds,
        "versions": {k: package_versions(p, packages) for k, p in libraries.items()},
        "tasks": {
            task: {
                key: {
                    **{k: quartiles([t[key] for t in v]) for k, v in by_library.items()},
                    "pair over salix": round_ratios(by_library["pair"], by_library["salix"], key),
                }
                for key in ("seconds", "cpu_seconds")
            }
            for task, by_library in times.items()
        },
        "agreement": agreements,
    }
    options.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
