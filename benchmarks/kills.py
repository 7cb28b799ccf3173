"""Sweeps killed at random moments and resumed, compared with an undisturbed one.

    python benchmarks kills --kills 200

A run of several ranges is computed by one process or by two in shards, which SIGKILL ends at a
random moment after their start, compilation included; the same commands go on until every row is
there. Processes are forked, so that imports take no time. The rows must be equal to the last bit to
those of an undisturbed run, and `salix runs verify` must name no defect. Then the next run begins,
until the kills are done.
"""

import argparse
import json
import multiprocessing
import os
import random
import signal
import tempfile
import time
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import jax
import numpy as np

from salix.data import Unreadable
from salix.engine import run as engine_run
from salix.engine import run_problem
from salix.store import Run
from salix.store.verification import verify
from salix.typing import Column

HERE = Path(__file__).parent
COUNT = 404  # in 51 batches of 8, 13 ranges of at most 4


@dataclass(frozen=True)
class Numbers:
    """Numbers as examples, loaded slowly; some cannot be read."""

    sleep: float = 0.0
    columns: tuple[Column, ...] = ()
    ids = tuple(f"n{i:03d}" for i in range(COUNT))

    def load(self, index: int) -> Any:
        """Return one number."""
        time.sleep(self.sleep)
        if index % 100 == 21:
            raise Unreadable("no number")
        return np.float32(index)

    def describe(self, index: int, example: Any) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def identity(self) -> dict[str, Any]:
        """Return nothing."""
        return {}


@dataclass(frozen=True)
class Noisy:
    """A square and noise."""

    columns: tuple[Column, ...] = (Column("square", "Square"), Column("noise", "Noise"))
    example = jax.ShapeDtypeStruct((), np.float32)

    def row(self, params: Any, example: Any, key: Any) -> dict[str, Any]:
        """Return the square times the parameter, and noise of the example's own key."""
        return {"square": example**2 * params, "noise": jax.random.normal(key, (64,))}

    def identity(self) -> dict[str, Any]:
        """Return the name."""
        return {"problem": "noisy"}


def compute(out: Path, shard: str = "0/1", sleep: float = 0.0) -> Run:
    """Compute the missing rows of a shard; a part is written for each batch."""
    engine_run.FLUSH_SECONDS = -1.0
    return run_problem(
        Noisy(), np.float32(2), Numbers(sleep), out=out, batch_size=8, workers=1, shard=shard,
        range_size=32,
    )  # fmt: skip


def start(out: Path, shard: str = "0/1", sleep: float = 0.0) -> Any:
    """Start a process that computes a shard."""
    process = multiprocessing.get_context("fork").Process(target=compute, args=(out, shard, sleep))
    process.start()
    return process


def kill_and_resume(out: Path, processes: int, rng: random.Random, most: int, sleep: float) -> int:
    """Return the number of kills until a run is complete, or of `most`."""
    kills = 0
    while kills < most and not ((out / "manifest.json").exists() and Run(out).complete):
        running = [start(out, f"{i}/{processes}", sleep) for i in range(processes)]
        begun = time.monotonic()
        moments = [(rng.uniform(0, 5), process) for process in running]
        for moment, process in sorted(moments, key=itemgetter(0)):
            process.join(max(0, begun + moment - time.monotonic()))
            process.kill()
            process.join()
            kills += process.exitcode == -signal.SIGKILL
    return kills


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sleep", type=float, default=0.015, help="seconds to load an example")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "kills.json")
    options = parser.parse_args()
    rng, begun = random.Random(options.seed), time.monotonic()
    kills, runs, identical, sound = {1: 0, 2: 0}, {1: 0, 2: 0}, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        start(Path(folder) / "undisturbed", sleep=options.sleep).join()
        undisturbed = round(time.monotonic() - begun, 1)
        expected = Run(Path(folder) / "undisturbed").table
        while sum(kills.values()) < options.kills:
            processes = 1 if kills[1] <= kills[2] else 2
            out = Path(folder) / f"{sum(runs.values())}"
            most = options.kills - sum(kills.values())
            kills[processes] += kill_and_resume(out, processes, rng, most, options.sleep)
            start(out).join()  # what the last kill left
            runs[processes] += 1
            identical += Run(out).table.equals(expected)
            sound += not verify(out).defects and not list(out.rglob("*.tmp"))
            print(f"{kills} kills, {identical} of {runs} runs identical, {sound} sound", flush=True)
            result = {
                "kills": {f"{n} processes": count for n, count in kills.items()},
                "runs": {f"{n} processes": count for n, count in runs.items()},
                "seconds_of_an_undisturbed_run": undisturbed,
                "runs_identical": identical,
                "runs_sound": sound,
                "rows_of_a_run": COUNT,
                "seconds": round(time.monotonic() - begun),
                "cpus": os.cpu_count(),
            }
            options.results.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
