"""What a process that computes should set before it starts: its allocator and its programs' cache.

Both are of the whole process, so that importing Salix sets neither; its command line does.
"""

import contextlib
import ctypes
import os
import warnings
import zlib
from pathlib import Path
from typing import Any

import jax

from salix.data.assets import cache

# Parameters of mallopt in malloc.h of glibc, and their values: large buffers come from the heap,
# and the heap is kept, however large, so that the pages of one batch are there for the next.
KEEP = {
    -4: 0,  # M_MMAP_MAX
    -1: -1,  # M_TRIM_THRESHOLD: never
    -2: 256 * 2**20,  # M_TOP_PAD
    -8: 1,  # M_ARENA_MAX
}
WORTH = 0.5  # seconds of compilation from which a program is kept
BOUND = 2**30  # bytes of the programs that are kept
ENTRY = "*-cache"  # a program, as JAX names its file
ZSTANDARD = b"\x28\xb5\x2f\xfd"  # how what it packs begins: JAX takes it where it is installed


def keep_memory() -> bool:
    """Let the C library keep what is freed, for buffers as large as the next batch's.

    Otherwise it gives them back to the system, which clears their pages again for each batch.
    Returns whether it was done: False where the library has no such setting (it is glibc's).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # of another C library, or another system
        return False
    return all(mallopt(name, value) for name, value in KEEP.items())


def cache_programs(folder: Path | str | None = None) -> Path | None:
    """Let JAX keep compiled programs in a folder, by default `programs` in the cache of Salix.

    A program that took over half a second to compile is kept, and read by later processes that
    would compile the same for the same device; those unused for longest are deleted beyond 1 GiB.
    Call it before anything is compiled. Returns the folder. None, changing nothing, where JAX has
    been given one (JAX_COMPILATION_CACHE_DIR) or told to keep none
    (JAX_ENABLE_COMPILATION_CACHE=false); and, with a warning, where the folder cannot be written.
    """
    told: Any = jax.config
    if told.jax_compilation_cache_dir is not None or not told.jax_enable_compilation_cache:
        return None
    folder = cache() / "programs" if folder is None else Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _tidy(folder)
    except OSError as error:
        hint = "name a folder that can be written in SALIX_CACHE"
        warnings.warn(f"compiled programs are not kept ({error}): {hint}", stacklevel=2)
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", WORTH)
    return folder


def _tidy(folder: Path) -> None:
    """Delete what is not whole, of what was written since this was last done, and what is old.

    A process that is killed leaves half a program, which JAX would warn of and never replace.
    """
    checked = folder / "checked"
    before = checked.stat().st_mtime_ns if checked.exists() else 0
    checked.touch()
    held = 0
    for path in sorted(folder.glob(ENTRY), key=_used, reverse=True):
        with contextlib.suppress(FileNotFoundError):  # another process may be tidying
            about = path.stat()
            held += about.st_size
            if held > BOUND or (about.st_mtime_ns >= before and not _whole(path)):
                path.unlink()


def _used(path: Path) -> int:
    try:
        about = os.stat(path)
    except FileNotFoundError:
        return 0
    return max(about.st_atime_ns, about.st_mtime_ns)


def _whole(path: Path) -> bool:
    """Whether a file that zlib has packed ends as it should; those of Zstandard are not read."""
    data = path.read_bytes()
    if data.startswith(ZSTANDARD):
        return True
    try:
        zlib.decompress(data)
    except zlib.error:
        return False
    return True
