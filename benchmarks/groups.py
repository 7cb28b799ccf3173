"""One task on one network: all variants run in turn, and their results compared."""

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from inputs import worker_environment
from machine import HERE
from rounds import correlation
from variants import Variant
from workers import TIMEOUT, WorkerCommand, run_rounds, start_workers, stop_workers

BASES = ("torch channels_last", "salix")  # the first that ran is the reference of correlations


@dataclass(frozen=True)
class TaskGroup:
    """Network, task and batch of a group of variants; `size` None is the network's own."""

    network: str
    task: str
    batch: int
    size: int | None = None

    @property
    def key(self) -> str:
        """Key of the group in the results."""
        return f"{self.network} {self.task} {self.batch}" + (f" {self.size}" if self.size else "")


def measure_group(
    group: TaskGroup, variants: list[Variant], paths: dict[str, str], options: argparse.Namespace
) -> dict[str, Any]:
    """Cost of every variant of a group, round by round."""
    commands = {v.name: worker_command(group, v, paths, options) for v in variants}
    load, began = os.getloadavg(), time.monotonic()
    workers, rows = start_workers(commands, TIMEOUT)
    deadline = time.monotonic() + 60 * options.task_minutes
    rounds = run_rounds(workers, rows, options.rounds, deadline, TIMEOUT)
    stop_workers(workers)
    for variant in variants:
        rows[variant.name] |= {"module": variant.module, "precision": variant.precision}
    return {
        "network": group.network,
        "task": group.task,
        "batch": group.batch,
        "flops": rows.get("salix", {}).get("flops") or None,
        "rounds": rounds,
        "base": add_correlations(rows),
        "rows": rows,
        "load": [load, os.getloadavg()],
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 1),
        "size": group.size,
    }


def worker_command(
    group: TaskGroup, variant: Variant, paths: dict[str, str], options: argparse.Namespace
) -> WorkerCommand:
    """Command and environment of the worker of a variant."""
    python = sys.executable if variant.module == "salix" else options.peers
    spec = {
        "network": group.network,
        "task": group.task,
        "device": options.device,
        "module": variant.module,
        "build": variant.build,
        "precision": variant.precision,
        "policy": variant.policy,
    }
    command = [python, str(HERE / "throughput.py"), "--work", json.dumps(paths | spec)]
    cache = {"TORCHINDUCTOR_CACHE_DIR": paths["cache"]}
    return command, worker_environment(options.device, variant.name) | cache


def add_correlations(rows: dict[str, dict[str, Any]]) -> str | None:
    """Replace samples of results by their correlation with those of the base; return its name."""
    samples = {name: row.pop("sample") for name, row in rows.items() if "sample" in row}
    base = next((name for name in BASES if name in samples), None)
    if base:
        for name, sample in samples.items():
            r = correlation(sample, samples[base])
            rows[name]["correlation"] = None if np.isnan(r) else r
    return base


def print_group(key: str, group: dict[str, Any]) -> None:
    """Print the median rates of a group."""
    print(f"{key}: {group['rounds']} rounds, {group['seconds']} s", flush=True)
    for name, row in group["rows"].items():
        if "left out" in row:
            print(f"  {name}: left out: {row['left out']}", flush=True)
            continue
        wall, cpu = (np.median([r[k] for r in row["rounds"]]) for k in ("wall", "cpu"))
        rate = f"{group['batch'] / wall:.4g} img/s, {group['batch'] / cpu:.4g} img/cpu-s"
        print(f"  {name}: {rate}, correlation {row.get('correlation')}", flush=True)
