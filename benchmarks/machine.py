"""Description of the benchmark machine, and running code in other Python interpreters."""

import json
import os
import platform
import resource
import subprocess
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
# By default glibc returns every large buffer to the system and requests it anew in the next call.
RETAIN_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**64 - 1),  # never
    "MALLOC_TOP_PAD_": "268435456",
    "MALLOC_ARENA_MAX": "1",
}
# Kinds of processor by the first CPU flag that one has, and their instruction sets. Each has files
# of results of its own, for instruction sets change the ratios of libraries too.
KINDS = {"amx_bf16": "amx", "avx512f": "avx512", "avx2": "avx2"}
VECTORS = {"amx": "AVX-512 and AMX", "avx512": "AVX-512", "avx2": "AVX2", "other": "other vectors"}
# Idle threads sleep, and the last line of a JAX traceback is the error message.
WORKER_DEFAULTS = {"OMP_WAIT_POLICY": "PASSIVE", "JAX_TRACEBACK_FILTERING": "off"}


def run_code(python: str, code: str, environment: Mapping[str, str] | None = None) -> str:
    """Run code in a Python that can import the modules of this folder; return its output.

    Raises `RuntimeError` with the last line of its errors.
    """
    code = f"import sys; sys.path.insert(0, {str(HERE)!r})\n{code}"
    variables = os.environ | WORKER_DEFAULTS | dict(environment or {})
    process = subprocess.run([python, "-c", code], capture_output=True, text=True, env=variables)
    if process.returncode:
        lines = process.stderr.strip().splitlines()
        raise RuntimeError((lines or [f"{python} failed without an error message"])[-1])
    return process.stdout.strip()


def has_module(python: str, module: str) -> bool:
    try:
        process = subprocess.run([python, "-c", f"import {module}"], capture_output=True)
    except OSError:  # no such program
        return False
    return process.returncode == 0


def package_versions(python: str, packages: Sequence[str]) -> dict[str, str]:
    """Versions of the packages that are installed for a Python."""
    code = (
        "import json; from importlib import metadata as m\nversions = {}\n"
        f"for name in {tuple(packages)!r}:\n"
        "    try: versions[name] = m.version(name)\n"
        "    except m.PackageNotFoundError: pass\nprint(json.dumps(versions))"
    )
    return json.loads(run_code(python, code))


def free_memory() -> float:
    """Memory available to new processes, in GiB."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable"):
            return int(line.split()[1]) / 2**20
    return float("inf")


def peak_memory() -> float:
    """Peak memory of this process, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def processor_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def processor_kind(flags: Collection[str] | None = None) -> str:
    """Kind of the processor with these CPU flags, None for this one: a key of `VECTORS`."""
    if flags is None:
        from salix.compiler import cpu_flags

        flags = cpu_flags()
    return next((kind for flag, kind in KINDS.items() if flag in flags), "other")


def results_path(benchmark: str) -> Path:
    """File of a benchmark's results on processors of this kind, `BENCHMARK-cpu-KIND.json`."""
    return HERE / "results" / f"{benchmark}-cpu-{processor_kind()}.json"


def describe_machine() -> dict[str, Any]:
    """Architecture, processor, cores and Python version, as written into the results."""
    return {
        "machine": platform.machine(),
        "processor": processor_name(),
        "vectors": VECTORS[processor_kind()],
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
    }
