"""Arrays of files with native parsers, read in a child process with limits of memory and time.

HDF5 and tensorstore are C and C++: a damaged file ends them by a signal, a hostile one in an
endless loop or with gigabytes of memory. The child process bounds all three.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any

import ml_dtypes  # noqa: F401  NumPy knows the names of bfloat16 and float8 from here
import numpy as np

from salix.models.checkpoints import isolated_child
from salix.models.checkpoints.errors import printable
from salix.models.checkpoints.naming import NamedArrays
from salix.typing import InputError

__all__ = ["array_limit", "read_isolated"]

_START = 60  # seconds to start the child, on a slow or busy machine
_PROCESSOR = 20  # seconds of processor time of a small file
_HEADER = 1 << 26  # bytes of the names and shapes
_ENVIRONMENT = {
    "HDF5_PLUGIN_PRELOAD": "::",  # a file may name a filter: none is loaded as a library
    "HDF5_USE_FILE_LOCKING": "FALSE",  # file systems without locks
    "OPENBLAS_NUM_THREADS": "1",  # address space of threads
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
}


def array_limit(size: int) -> int:
    """Return the bytes that the arrays of a file of `size` bytes may take.

    Trained weights hardly compress. 64 bytes for each of the file and 256 MiB leave room for
    pruned and for untrained networks.
    """
    return 64 * size + (1 << 28)


def _arrays(output: IO[bytes], limit: int) -> tuple[Any, NamedArrays]:
    """Return the notes and arrays that the child process writes."""
    line = output.readline(_HEADER)
    if not line.endswith(b"\n"):
        raise EOFError
    header = json.loads(line)
    arrays: NamedArrays = {}
    for name, dtype, shape in header["arrays"]:
        limit -= math.prod(shape) * np.dtype(dtype).itemsize
        if limit < 0:
            raise EOFError
        arrays[name] = np.empty(shape, dtype)
        raw = arrays[name].reshape(-1).view(np.uint8).data
        while raw:
            count = output.readinto(raw)  # pyright: ignore[reportAttributeAccessIssue]
            if not count:
                raise EOFError
            raw = raw[count:]
    return header["notes"], arrays


def _fault(status: int, text: str, kind: str, seconds: int) -> str:
    """Return the reason why a child process ended without its arrays."""
    if status == 1 and text:
        return text
    if status == isolated_child.DAMAGED:
        return f"damaged, or not {kind} ({printable(text)})"
    if status == isolated_child.MEMORY:
        return f"damaged, or not {kind} (takes more memory than its size explains)"
    if status in (-9, -24):  # killed by the timer, or at the limit of processor time
        return f"damaged, or not {kind} (takes more than {seconds} seconds)"
    return f"damaged, or not {kind} (its reader ends with status {status})"


def read_isolated(script: str, path: Path, kind: str, size: int) -> tuple[Any, NamedArrays]:
    """Return the notes and arrays that a script beside this module reads in a file or folder.

    `kind` is what the file should be, with its article; `size` are its bytes on disk, which bound
    memory and time. Raises InputError, without the name of the file.
    """
    here, limit = Path(__file__).parent, array_limit(size)
    seconds, processor = _START + (size >> 22), _PROCESSOR + (size >> 24)
    memory = limit + (1 << 30) + (os.cpu_count() or 1) * (16 << 20)  # a stack for each thread
    limits = [str(limit), str(memory), str(processor)]
    paths = os.pathsep.join(p for p in sys.path if p)
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            # -P: this folder has modules named as h5py's and tensorstore's own imports
            [sys.executable, "-P", here / "isolated_child.py", here / script, path, *limits],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **_ENVIRONMENT, "PYTHONPATH": paths},
        ) as process,
    ):
        timer = threading.Timer(seconds, process.kill)
        timer.start()
        assert process.stdout is not None
        try:
            notes, arrays = _arrays(process.stdout, limit)
            if process.wait() == 0:
                return notes, arrays
        except EOFError:
            process.stdout.close()  # ends a child that is still writing
            process.wait()
        finally:
            timer.cancel()
            process.kill()
        errors.seek(0)
        lines = errors.read(1 << 16).decode(errors="replace").strip().splitlines()
        raise InputError(_fault(process.returncode, lines[-1] if lines else "", kind, seconds))
