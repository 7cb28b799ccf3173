"""Wall, CPU and host time of runs, and checksums of their results."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np


@dataclass
class Costs:
    """Seconds of each run: wall clock, CPU time of all threads, time until the call returned."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    host: list[float] = field(default_factory=list)

    def add(self, run: Callable[[Any], Any], images: Any) -> None:
        """Time a run to its end."""
        cpu, start = time.process_time(), time.perf_counter()
        result = run(images)
        returned = time.perf_counter()
        jax.block_until_ready(result)
        self.wall.append(time.perf_counter() - start)
        self.cpu.append(time.process_time() - cpu)
        self.host.append(returned - start)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median and quartiles of values."""
    low, median, high = np.quantile(np.asarray(values, float), (0.25, 0.5, 0.75))
    return {"median": float(median), "low": float(low), "high": float(high)}


def checksum(result: Any) -> dict[str, float | None]:
    """Return mean and standard deviation over all arrays of a result, and the count of NaN and inf.

    Mean and standard deviation are over the finite numbers; None without any.
    """
    arrays = [np.asarray(leaf, np.float64).ravel() for leaf in jax.tree.leaves(result)]
    numbers = np.concatenate(arrays)
    defined = numbers[np.isfinite(numbers)]
    return {
        "mean": float(defined.mean()) if defined.size else None,
        "std": float(defined.std()) if defined.size else None,
        "undefined": int(numbers.size - defined.size),
    }
