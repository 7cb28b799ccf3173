"""Overhead of shards and of Ray against one process, and scaling over processes and devices.

Each run is a `salix sweep` of a small network in a new directory, timed from its start to its end,
and compared with the rows of one process. Usage:

    python benchmarks shards --images 2048 --rounds 3
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import jax
import numpy as np
from machine import HERE
from PIL import Image

import salix
from salix.store import Run

BATCH = 32
RANGE = 128  # examples
IDLE_LOAD = 0.5
DEVICES = "--xla_force_host_platform_device_count="


def sweep(data: Path, out: Path, *more: str, range_size: int = RANGE, devices: int = 1) -> Any:
    """Start a sweep in a process of its own."""
    command = [sys.executable, "-m", "salix.cli", "sweep", "--model", "small"]
    command += ["--data", str(data), "--out", str(out), "--batch-size", str(BATCH)]
    command += ["--range-size", str(range_size), *more]
    variables = os.environ | {"XLA_FLAGS": f"{DEVICES}{devices}", "JAX_PLATFORMS": "cpu"}
    streams: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=variables, **streams)


def timed(data: Path, runs: Sequence[tuple[str, ...]], **options: int) -> dict[str, Any]:
    """Return the cost of processes that compute one run at the same time, and its table."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        start = time.perf_counter()
        processes = [sweep(data, out, *more, **options) for more in runs]
        errors = [process.communicate()[1].decode() for process in processes]
        wall = time.perf_counter() - start
        if failed := [e for p, e in zip(processes, errors, strict=True) if p.returncode]:
            raise RuntimeError(failed[0])
        run = Run(out)
        assert run.complete
        marks = [json.loads(path.read_text()) for path in out.glob("range=*/range.json")]
        seconds = [mark["seconds"] for mark in marks]
        return {
            "wall_s": round(wall, 2),
            "images": run.count,
            "images_per_second": round(run.count / wall, 1),
            "ranges": len(marks),
            "range_median_s": round(median(seconds), 3) if seconds else None,
            "table": run.table,
        }


def shards(count: int) -> list[tuple[str, ...]]:
    return [("--shard", f"{index}/{count}") for index in range(count)]


def write_images(folder: Path, count: int) -> Path:
    """Write random images of 64 x 64 pixels."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(count):
        Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(folder / f"{i:06d}.png")
    return folder


def measure(images: int, rounds: int, processes: Sequence[int], devices: Sequence[int]) -> Any:
    with tempfile.TemporaryDirectory() as root:
        same = write_images(Path(root) / "same", images)
        grown = {n: write_images(Path(root) / f"x{n}", n * images // 2) for n in processes}
        ray_cores = {1: os.cpu_count() or 1, 2: 1}
        variants: dict[str, tuple[Path, Sequence[tuple[str, ...]], dict[str, Any]]] = {
            "plain, one range": (same, [()], {"range_size": 10**6}),
            "plain, ranges": (same, [()], {}),
            "plain, ranges of a batch": (same, [()], {"range_size": BATCH}),
            **{f"shards, {n} processes": (same, shards(n), {}) for n in processes},
            **{
                f"ray, {n} workers": (same, [("--ray", "--ray-cores", str(cores))], {})
                for n, cores in ray_cores.items()
            },
            "ray, 1 workers, ranges of a batch": (
                same,
                [("--ray", "--ray-cores", str(ray_cores[1]))],
                {"range_size": BATCH},
            ),
            **{f"weak, {n} processes": (grown[n], shards(n), {}) for n in processes},
            **{f"devices, {n}": (same, [()], {"devices": n}) for n in devices},
        }
        results: dict[str, list[dict[str, Any]]] = {name: [] for name in variants}
        tables: dict[Path, Any] = {}
        for _ in range(rounds):
            for name, (data, runs, options) in variants.items():
                cost = timed(data, runs, **options)
                table = cost.pop("table")
                # Another number of devices is another program: rows agree to rounding.
                cost["rows_equal"] = tables.setdefault(data, table).equals(table)
                results[name].append(cost)
                print(name, cost, flush=True)
    return {name: {**costs[0], "wall_s": [c["wall_s"] for c in costs],
                   "images_per_second": round(median(c["images_per_second"] for c in costs), 1)}
            for name, costs in results.items()}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--devices", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--out", type=Path, default=HERE / "results/shards-cpu.json")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    results = measure(options.images, options.rounds, options.processes, options.devices)
    walls = {name: median(cost["wall_s"]) for name, cost in results.items()}
    ranges = {name: results[name]["ranges"] for name in results}

    def per_range(many: str, few: str) -> float:
        return round((walls[many] - walls[few]) / (ranges[many] - ranges[few]), 4)

    about = {
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
        "jax": jax.__version__,
        "salix": salix.__version__,
        "images": options.images,
        "rounds": options.rounds,
        "load_before": round(load, 1),
        "note": "load_before is the load average before the first run: above 0.5, other work makes "
        "times too long, and overheads, which are differences, are not given",
    }
    overheads = {
        "range_s_plain": per_range("plain, ranges of a batch", "plain, ranges"),
        "range_s_ray": per_range("ray, 1 workers, ranges of a batch", "ray, 1 workers"),
        "ray_minus_plain_s": round(walls["ray, 1 workers"] - walls["plain, ranges"], 2),
        "shard_minus_plain_s": round(walls["shards, 1 processes"] - walls["plain, ranges"], 2),
    }
    if load > IDLE_LOAD:
        overheads = {}
    result = {"about": about, "overheads": overheads, "runs": results}
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(overheads, indent=1))


if __name__ == "__main__":
    main()
