"""Memory of devices: the need of a compiled program, the free bytes, and errors of its lack."""

import re
from collections.abc import Iterable
from typing import Any

import jax

# Of the free memory: the rest is for fragments between buffers and for libraries' work space.
USABLE = 0.9
# A message begins with its status; the compiler quotes that of an algorithm that it tried. Drivers'
# own allocations, of code and command buffers, fail under other statuses, by these names.
_STATUS = re.compile(
    r"(?:^|^Execution of replica \d+ failed: |Original error: )RESOURCE_EXHAUSTED: "
    r"|^[A-Z_]+: [^\n]*\b(?:CUDA_ERROR_OUT_OF_MEMORY|hipErrorOutOfMemory)\b"
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of JAX reports that memory of a device did not suffice."""
    is_runtime = isinstance(error, jax.errors.JaxRuntimeError)
    return is_runtime and _STATUS.search(str(error)) is not None


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, without the list of buffers after it."""
    return str(error).strip().partition("\n")[0][:200].rstrip(".")


def needed_bytes(program: Any, parameters: int, executions: int) -> int | None:
    """Return the memory that a compiled step needs on each device; None where it is unknown.

    The `parameters` bytes of its arguments are there already. Executions share their temporaries,
    as they run one after another; the batches and results of all `executions` in flight add up.
    """
    analysis = program.memory_analysis()
    if analysis is None:
        return None
    batch = max(analysis.argument_size_in_bytes - parameters, 0)
    each = batch + analysis.output_size_in_bytes - analysis.alias_size_in_bytes
    return analysis.temp_size_in_bytes + executions * each


def free_bytes(devices: Iterable[Any]) -> int | None:
    """Return the usable part of the least free memory of some devices.

    None for a device that reports none, such as a CPU.
    """
    free = []
    for device in devices:
        stats = device.memory_stats() or {}
        if not stats.get("bytes_limit"):
            return None
        free.append(stats["bytes_limit"] - stats.get("bytes_in_use", 0))
    return int(USABLE * min(free))
