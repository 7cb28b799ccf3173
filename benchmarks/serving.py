"""What a worker does: it runs a call whenever it reads a line, and writes what the run cost."""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Made = tuple[Callable[[], Any], Callable[[Any], Any], dict[str, Any]]


def spent() -> float:
    """Return the processor seconds of this process, in user and system mode."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def serve(make: Callable[[], Made], warm: bool = True) -> None:
    """Serve runs of the call that `make` returns, with what waits for its result and facts of it.

    `warm` runs it a second time before the rounds. What libraries print goes to the errors, so that
    lines of JSON stay alone.
    """
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    Path("/proc/self/oom_score_adj").write_text("1000")  # if memory ends, this process does
    started, cpu = time.perf_counter(), spent()
    call, wait, facts = make()
    made = time.perf_counter()
    handle = wait(call())
    called = time.perf_counter() - made
    result = to_arrays(handle)
    first = {
        "make_s": made - started,
        "first_call_s": called,
        "first_s": time.perf_counter() - started,
        "first_cpu_s": spent() - cpu,
    }
    if warm:
        wait(call())
    print(json.dumps(first | facts | fingerprint(result)), file=out, flush=True)
    for _ in sys.stdin:
        started, cpu = time.perf_counter(), spent()
        handle = call()
        host = time.perf_counter() - started
        wait(handle)
        cost = {"wall": time.perf_counter() - started, "cpu": spent() - cpu, "host": host}
        print(json.dumps(cost), file=out, flush=True)


def to_arrays(result: Any) -> list[np.ndarray]:
    """Return the arrays of a result, NumPy's, JAX's or PyTorch's; those of a mapping as one."""
    if isinstance(result, Mapping):
        parts = [a.ravel() for key in sorted(result) for a in to_arrays(result[key])]
        return [np.concatenate(parts)]
    if isinstance(result, (list, tuple)):
        return [a for part in result for a in to_arrays(part)]
    if hasattr(result, "detach"):
        result = result.detach().float().cpu()
    return [np.asarray(result, np.float64)]


def fingerprint(arrays: Sequence[np.ndarray], size: int = 5000) -> dict[str, Any]:
    """Return the shape, the mean of the absolutes and a sample of the first array of a result."""
    flat = arrays[0].reshape(-1)
    defined = flat[np.isfinite(flat)]
    return {
        "shape": list(arrays[0].shape),
        "mean_abs": float(np.abs(defined).mean()) if defined.size else None,
        "sample": flat[:: max(1, flat.size // size)].tolist(),
    }
