"""Groups of variants that run one task of one network, and take turns at it."""

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from preparation import environment
from rounds import correlation
from surroundings import HERE
from variants import Variant
from workers import PATIENCE, Order, ask, end, start

BASES = ("torch channels_last", "salix")  # the first that ran is what results are compared with


@dataclass(frozen=True)
class Group:
    """What the variants of a group have in common; without a `size`, it is the network's own."""

    network: str
    task: str
    batch: int
    size: int | None = None

    @property
    def key(self) -> str:
        """The group's name among results."""
        return f"{self.network} {self.task} {self.batch}" + (f" {self.size}" if self.size else "")


def measure(
    group: Group, rows: list[Variant], files: dict[str, str], options: argparse.Namespace
) -> dict[str, Any]:
    """Return what every variant of a group cost, round by round."""
    orders = {row.name: order(group, row, files, options) for row in rows}
    before, began = os.getloadavg(), time.monotonic()
    workers, found = start(orders, PATIENCE)
    until = time.monotonic() + 60 * options.task_minutes
    done = ask(workers, found, options.rounds, until, PATIENCE)
    end(workers)
    for row in rows:
        found[row.name] |= {"module": row.module, "precision": row.precision}
    return {
        "network": group.network,
        "task": group.task,
        "batch": group.batch,
        "flops": found.get("salix", {}).get("flops") or None,
        "rounds": done,
        "base": compare(found),
        "rows": found,
        "load": [before, os.getloadavg()],
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 1),
        "size": group.size,
    }


def order(group: Group, row: Variant, files: dict[str, str], options: argparse.Namespace) -> Order:
    """Return the command that starts the worker of a variant, and its environment."""
    python = sys.executable if row.module == "salix" else options.peers
    told = {
        "network": group.network,
        "task": group.task,
        "device": options.device,
        "module": row.module,
        "build": row.build,
        "precision": row.precision,
        "policy": row.policy,
    }
    command = [python, str(HERE / "throughput.py"), "--work", json.dumps(files | told)]
    own = {"TORCHINDUCTOR_CACHE_DIR": files["cache"]}
    return command, environment(options.device, row.name) | own


def compare(rows: dict[str, dict[str, Any]]) -> str | None:
    """Put correlations with the results of the base in the place of samples; return its name."""
    samples = {name: held.pop("sample") for name, held in rows.items() if "sample" in held}
    base = next((name for name in BASES if name in samples), None)
    if base:
        for name, sample in samples.items():
            r = correlation(sample, samples[base])
            rows[name]["correlation"] = None if np.isnan(r) else r
    return base


def show(key: str, found: dict[str, Any]) -> None:
    """Print the medians of a group."""
    print(f"{key}: {found['rounds']} rounds, {found['seconds']} s", flush=True)
    for name, held in found["rows"].items():
        if "left out" in held:
            print(f"  {name}: left out: {held['left out']}", flush=True)
            continue
        wall, cpu = (np.median([r[k] for r in held["rounds"]]) for k in ("wall", "cpu"))
        rate = f"{found['batch'] / wall:.4g} img/s, {found['batch'] / cpu:.4g} img/cpu-s"
        print(f"  {name}: {rate}, correlation {held.get('correlation')}", flush=True)
