"""Loop of a worker process: run the call for each line on stdin, print its cost as JSON."""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

# The call, a function that waits for its result, and facts to report once.
PreparedCall = tuple[Callable[[], Any], Callable[[Any], Any], dict[str, Any]]


def cpu_seconds() -> float:
    """Processor seconds of this process so far, in user and system mode."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def serve(prepare: Callable[[], PreparedCall], warm: bool = True) -> None:
    """Prepare a call, report its first run, then run it once for every line on stdin.

    `warm` runs it a second time before the rounds. Output of libraries is redirected to stderr, so
    that stdout has lines of JSON only.
    """
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # Out of memory, the kernel ends this process rather than the benchmark.
    Path("/proc/self/oom_score_adj").write_text("1000")
    started, cpu = time.perf_counter(), cpu_seconds()
    call, wait, facts = prepare()
    prepared = time.perf_counter()
    handle = wait(call())
    first_call = time.perf_counter() - prepared
    result = to_arrays(handle)
    first = {
        "make_s": prepared - started,
        "first_call_s": first_call,
        "first_s": time.perf_counter() - started,
        "first_cpu_s": cpu_seconds() - cpu,
    }
    if warm:
        wait(call())
    print(json.dumps(first | facts | fingerprint(result)), file=out, flush=True)
    for _ in sys.stdin:
        started, cpu = time.perf_counter(), cpu_seconds()
        handle = call()
        host = time.perf_counter() - started
        wait(handle)
        cost = {"wall": time.perf_counter() - started, "cpu": cpu_seconds() - cpu, "host": host}
        print(json.dumps(cost), file=out, flush=True)


def to_arrays(result: Any) -> list[np.ndarray]:
    """Arrays of a result of NumPy, JAX or PyTorch; those of a mapping are concatenated."""
    if isinstance(result, Mapping):
        parts = [a.ravel() for key in sorted(result) for a in to_arrays(result[key])]
        return [np.concatenate(parts)]
    if isinstance(result, (list, tuple)):
        return [a for part in result for a in to_arrays(part)]
    if hasattr(result, "detach"):
        result = result.detach().float().cpu()
    return [np.asarray(result, np.float64)]


def fingerprint(arrays: Sequence[np.ndarray], size: int = 5000) -> dict[str, Any]:
    """Shape, mean absolute value and a sample of the first array of a result."""
    flat = arrays[0].reshape(-1)
    finite = flat[np.isfinite(flat)]
    return {
        "shape": list(arrays[0].shape),
        "mean_abs": float(np.abs(finite).mean()) if finite.size else None,
        "sample": flat[:: max(1, flat.size // size)].tolist(),
    }
