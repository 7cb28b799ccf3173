"""Child process of `isolated`: limits, then the arrays of a file on standard output.

Run by its path and imports nothing of Salix, so that it starts in a quarter of a second. The script
of a format defines `read(path, limit) -> (notes, arrays)`; it refuses a file by `sys.exit(text)`.
"""

import contextlib
import json
import runpy
import sys
from typing import Any

DAMAGED, MEMORY = 2, 3  # exit statuses beside 1, a refusal


def limit_resources(memory: int, seconds: int) -> None:
    """Limit the address space and processor time of this process, where the system can."""
    with contextlib.suppress(ImportError):
        import resource

        for name, value in (("CORE", 0), ("AS", memory), ("CPU", seconds)):
            with contextlib.suppress(AttributeError, ValueError, OSError):
                which = getattr(resource, f"RLIMIT_{name}")
                hard = resource.getrlimit(which)[1]
                allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
                resource.setrlimit(which, (allowed, hard))


def dtype_name(array: Any) -> str:
    """Return the NumPy name of the type of an array of h5py or tensorstore."""
    return str(getattr(array.dtype, "numpy_dtype", array.dtype))


def main(script: str, path: str, limit: int) -> None:
    """Write a line of JSON, {"notes": ..., "arrays": [[name, type, shape], ...]}, then the bytes.

    `limit` bounds the bytes of all arrays; nothing is allocated for a file that declares more.
    """
    import numpy as np

    notes, arrays = runpy.run_path(script)["read"](path, limit)
    listed = [(name, dtype_name(a), list(map(int, a.shape))) for name, a in arrays.items()]
    header = json.dumps({"notes": notes, "arrays": listed}).encode()
    output = sys.stdout.buffer
    output.write(header + b"\n")
    for array in arrays.values():
        output.write(np.ascontiguousarray(np.asarray(array)).tobytes())
    output.flush()


if __name__ == "__main__":
    limit_resources(int(sys.argv[4]), int(sys.argv[5]))
    try:
        main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    except MemoryError:
        sys.exit(MEMORY)
    except Exception as error:  # a native parser raises nearly anything at damaged bytes
        print(f"{type(error).__name__}: {error}".strip().split("\n")[0], file=sys.stderr)
        sys.exit(DAMAGED)
