"""The machine that benchmarks run on, and the Pythons on it."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
# glibc otherwise gives every large buffer back, and asks for it again in the next call.
RETAIN = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**64 - 1),  # never
    "MALLOC_TOP_PAD_": "268435456",
    "MALLOC_ARENA_MAX": "1",
}
# Idle threads sleep, and the last line of an error of JAX is the error.
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "JAX_TRACEBACK_FILTERING": "off"}


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


def has(python: str, module: str) -> bool:
    try:
        ran = subprocess.run([python, "-c", f"import {module}"], capture_output=True)
    except OSError:  # there is no such program
        return False
    return ran.returncode == 0


def versions(python: str, packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of those packages that a Python has."""
    code = (
        "import json; from importlib import metadata as m\nfound = {}\n"
        f"for name in {tuple(packages)!r}:\n"
        "    try: found[name] = m.version(name)\n"
        "    except m.PackageNotFoundError: pass\nprint(json.dumps(found))"
    )
    return json.loads(run_here(python, code))


def available() -> float:
    """Return the GiB of memory that are free for new processes."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable"):
            return int(line.split()[1]) / 2**20
    return float("inf")


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
