"""Process settings: the C allocator, the cache of compiled programs, and ends of processes.

Both affect the whole process: the command line sets them, and importing Salix does not.
"""

import contextlib
import ctypes
import os
import sys
import time
import warnings
import zlib
from pathlib import Path
from typing import Any

import jax

from salix.data.assets import cache

# Parameters of mallopt (malloc.h of glibc) and values: large buffers are allocated on the heap,
# which is never trimmed, so that the next batch reuses the pages of the last.
MALLOC_OPTIONS = {
    -4: 0,  # M_MMAP_MAX
    -1: -1,  # M_TRIM_THRESHOLD: never
    -2: 256 * 2**20,  # M_TOP_PAD
    -8: 1,  # M_ARENA_MAX
}
MIN_COMPILE_SECONDS = 0.5  # of a cached program
MAX_BYTES = 2**30  # of all cached programs
ENTRY = "*-cache"  # file name of a program in JAX's cache
GRACE_SECONDS = 3.0  # for other processes to print their errors before process 0 ends
ZSTANDARD = b"\x28\xb5\x2f\xfd"  # magic number; JAX compresses by it where it is installed


def keep_memory() -> bool:
    """Make the C library keep freed memory for the next batch; returns whether it can.

    Otherwise freed buffers go back to the system, which zeroes their pages again for each batch.
    Only glibc has this setting. Arrow, once it is imported, takes its memory there too.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library or operating system
        return False
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # 20 MiB less than its own pool
    return all(mallopt(name, value) for name, value in MALLOC_OPTIONS.items())


def cache_programs(folder: Path | str | None = None) -> Path | None:
    """Enable JAX's cache of compiled programs, by default in `programs` in the cache of Salix.

    Programs that compile for over half a second are cached, and reused by later processes on the
    same kind of device; beyond 1 GiB the least recently used are deleted. Call it before any
    compilation. Returns the folder; None, without a change, where JAX_COMPILATION_CACHE_DIR is set
    or JAX_ENABLE_COMPILATION_CACHE is false, and, with a warning, where the folder is not writable.
    """
    config: Any = jax.config
    if config.jax_compilation_cache_dir is not None or not config.jax_enable_compilation_cache:
        return None
    folder = cache() / "programs" if folder is None else Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _evict(folder)
    except OSError as error:
        hint = "set SALIX_CACHE to a writable folder"
        warnings.warn(f"compiled programs are not cached ({error}): {hint}", stacklevel=2)
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", MIN_COMPILE_SECONDS)
    return folder


def is_one_of_several() -> bool:
    """Whether this process has joined others by `jax.distributed`."""
    return jax.distributed.is_initialized()


def end_process(status: int) -> None:
    """End a failed process of several at once; does nothing in a process by itself.

    JAX would wait for the others, which wait for this one. Without process 0 it ends the others
    with a stack trace: so it ends last, for them to print their own errors first.
    """
    if not is_one_of_several():
        return
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    if jax.process_index() == 0:
        time.sleep(GRACE_SECONDS)
    os._exit(status)


def _evict(folder: Path) -> None:
    """Delete incomplete programs written since the last call, and the least recently used.

    A killed process leaves an incomplete program, for which JAX warns without replacing it.
    """
    checked = folder / "checked"
    before = checked.stat().st_mtime_ns if checked.exists() else 0
    checked.touch()
    total = 0
    for path in sorted(folder.glob(ENTRY), key=_last_used, reverse=True):
        with contextlib.suppress(FileNotFoundError):  # another process may evict too
            status = path.stat()
            total += status.st_size
            if total > MAX_BYTES or (status.st_mtime_ns >= before and not _is_complete(path)):
                path.unlink()


def _last_used(path: Path) -> int:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return 0
    return max(status.st_atime_ns, status.st_mtime_ns)


def _is_complete(path: Path) -> bool:
    """Whether a zlib stream is complete; Zstandard streams are not checked."""
    data = path.read_bytes()
    if data.startswith(ZSTANDARD):
        return True
    try:
        zlib.decompress(data)
    except zlib.error:
        return False
    return True
