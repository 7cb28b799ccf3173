"""Wall, CPU and host time of runs, and summaries of their results."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np


@dataclass
class Costs:
    """Seconds of each run: wall clock, CPU of all threads, and until the call returned."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    host: list[float] = field(default_factory=list)

    def add(self, run: Callable[[Any], Any], images: Any) -> None:
        """Time one run, and wait for it."""
        cpu, start = time.process_time(), time.perf_counter()
        result = run(images)
        returned = time.perf_counter()
        jax.block_until_ready(result)
        self.wall.append(time.perf_counter() - start)
        self.cpu.append(time.process_time() - cpu)
        self.host.append(returned - start)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median of values and their quartiles."""
    low, median, high = np.quantile(np.asarray(values, float), (0.25, 0.5, 0.75))
    return {"median": float(median), "low": float(low), "high": float(high)}


def checksum(result: Any) -> dict[str, float | None]:
    """Return mean and standard deviation of all numbers of a result, and how many have no value.

    None where no number has one. Numbers are counted alike, whichever array they stand in.
    """
    arrays = [np.asarray(leaf, np.float64).ravel() for leaf in jax.tree.leaves(result)]
    numbers = np.concatenate(arrays)
    defined = numbers[np.isfinite(numbers)]
    some = defined.size > 0
    return {
        "mean": float(defined.mean()) if some else None,
        "std": float(defined.std()) if some else None,
        "undefined": int(numbers.size - defined.size),
    }
