"""Processes that each hold one variant, asked in turn for one run, and the statistics of rounds.

A worker reads a line for each run and writes what the run cost as a line of JSON. One that waits
uses no processor time; all meet the same load, as each round asks every one of them once.
"""

import json
import os
import platform
import resource
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
# glibc otherwise gives every large buffer back, and asks for it again in the next call.
RETAIN = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "2000000000",
    "MALLOC_TOP_PAD_": "268435456",
    "MALLOC_ARENA_MAX": "1",
}
# Idle threads sleep, and the last line of an error of JAX is the error.
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "JAX_TRACEBACK_FILTERING": "off"}
SPARE = 1.5  # GiB that must be free before another worker starts
Spread = dict[str, float]
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


class Worker:
    """A process that holds one variant, ready to be called."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]):
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the process
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=self.said, text=True, env=dict(environment)
        )

    def read(self, seconds: float | None = None) -> dict[str, Any]:
        """Return its next line. Raises `RuntimeError` with its last words where none comes."""
        assert self.process.stdout
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        if not ready:
            self.process.kill()
            raise RuntimeError(f"no answer in {seconds:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(self.last_words())
        return json.loads(line)

    def last_words(self) -> str:
        code = self.process.wait()
        self.said.seek(0)
        lines = [line.strip() for line in self.said.read().splitlines() if line.strip()]
        if code < 0:
            return f"ended by signal {-code}" + (" (out of memory?)" if code == -9 else "")
        return lines[-1] if lines else f"ended with {code}, without a word"

    def call(self, seconds: float | None = None) -> dict[str, Any]:
        """Return what one run costs."""
        assert self.process.stdin
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise RuntimeError(self.last_words()) from None
        return self.read(seconds)

    def end(self) -> None:
        """Let it finish, and leave nothing of it behind."""
        assert self.process.stdin
        assert self.process.stdout
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.said.close()


def start(
    commands: Mapping[str, Sequence[str]],
    environments: Mapping[str, Mapping[str, str]],
    seconds: float | None = None,
) -> tuple[dict[str, Worker], dict[str, dict[str, Any]]]:
    """Start workers, one after the other; return those that live, and what all first said."""
    workers: dict[str, Worker] = {}
    rows: dict[str, dict[str, Any]] = {}
    for name, command in commands.items():
        if (free := available()) < SPARE:
            rows[name] = {"left out": f"{free:.1f} GiB of memory are free, not {SPARE}"}
            continue
        worker = Worker(command, os.environ | PASSIVE | dict(environments.get(name, {})))
        try:
            rows[name] = worker.read(seconds) | {"rounds": []}
        except RuntimeError as error:
            rows[name] = {"left out": str(error)}
            worker.end()
        else:
            workers[name] = worker
    return workers, rows


def ask(
    workers: dict[str, Worker],
    rows: dict[str, dict[str, Any]],
    rounds: int,
    until: float | None = None,
    seconds: float | None = None,
) -> int:
    """Ask every worker once in each round, until all rounds are done or a moment has passed.

    The first round is always whole. Returns the rounds done; a worker that dies becomes a row that
    is left out.
    """
    for done in range(rounds):
        if done and until is not None and time.monotonic() > until:
            return done
        for name in list(workers):
            try:
                rows[name]["rounds"].append(workers[name].call(seconds))
            except RuntimeError as error:
                rows[name] = {"left out": str(error)}
                workers.pop(name).end()
    return rounds


def end(workers: Mapping[str, Worker]) -> None:
    for worker in workers.values():
        worker.end()


def spread(values: Sequence[float]) -> Spread:
    """Return the median and the quartiles of values."""
    low, median, high = np.quantile(np.asarray(values, float), (0.25, 0.5, 0.75))
    return {"median": float(median), "low": float(low), "high": float(high), "n": len(values)}


def ratios(
    numerator: Sequence[Mapping[str, float]], denominator: Sequence[Mapping[str, float]], key: str
) -> Spread:
    """Return the spread of the ratios within each round of two variants that met the same load."""
    return spread([a[key] / b[key] for a, b in zip(numerator, denominator, strict=True)])


def correlation(found: Sequence[float], expected: Sequence[float]) -> float:
    """Return Pearson's correlation; NaN where the results have other sizes or are constant."""
    if len(found) != len(expected):
        return float("nan")
    x, y = np.array([found, expected], float)
    both = np.isfinite(x) & np.isfinite(y)
    if not both.any() or np.ptp(x[both]) == 0 or np.ptp(y[both]) == 0:
        return float("nan")
    return float(np.corrcoef(x[both], y[both])[0, 1])


def available() -> float:
    """Return the GiB of memory that are free for new processes."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable"):
            return int(line.split()[1]) / 2**20
    return float("inf")


def has(python: str, module: str) -> bool:
    try:
        ran = subprocess.run([python, "-c", f"import {module}"], capture_output=True)
    except OSError:  # there is no such program
        return False
    return ran.returncode == 0


def run_here(python: str, code: str, environment: Mapping[str, str] | None = None) -> str:
    """Run code in a Python that finds the files of this folder; return what it printed.

    Raises `RuntimeError` with the last line that it said.
    """
    code = f"import sys; sys.path.insert(0, {str(HERE)!r})\n{code}"
    around = os.environ | PASSIVE | dict(environment or {})
    ran = subprocess.run([python, "-c", code], capture_output=True, text=True, env=around)
    if ran.returncode:
        raise RuntimeError((ran.stderr.strip().splitlines() or ["ended without a word"])[-1])
    return ran.stdout.strip()


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def machine() -> dict[str, Any]:
    return {
        "machine": platform.machine(),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
    }


def versions(python: str, packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of those packages that a Python has."""
    code = (
        "import json; from importlib import metadata as m\nfound = {}\n"
        f"for name in {tuple(packages)!r}:\n"
        "    try: found[name] = m.version(name)\n"
        "    except m.PackageNotFoundError: pass\nprint(json.dumps(found))"
    )
    return json.loads(run_here(python, code))
