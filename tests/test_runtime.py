"""Process settings: freed memory is reused, and compiled programs are cached."""

import ctypes
import os
import subprocess
import sys
import zlib

import jax
import numpy as np
import pytest
from PIL import Image

from salix import runtime, store

FAULTS = """
import ctypes
import sys
from resource import RUSAGE_SELF, getrusage
from salix import runtime

assert sys.argv[1] == "leave" or runtime.keep_memory()
library = ctypes.CDLL(None)
library.malloc.argtypes, library.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
library.free.argtypes = [ctypes.c_void_p]
def fill():
    before = getrusage(RUSAGE_SELF).ru_minflt
    b"." * 2**29
    return getrusage(RUSAGE_SELF).ru_minflt - before
fill()
library.free(library.malloc(int(sys.argv[2])))
print(fill())
"""
KEPT = """
import jax
import salix
from salix import runtime

assert jax.config.jax_compilation_cache_dir is None  # importing Salix sets nothing
runtime.MIN_COMPILE_SECONDS = 0.0
runtime.cache_programs(FOLDER)
events = []
jax.monitoring.register_event_listener(lambda event, **_: events.append(event))
total = float(jax.jit(lambda x: jax.numpy.tanh(x) @ x.T)(jax.numpy.ones((3, 3))).sum()).hex()
print(events.count("/jax/compilation_cache/cache_hits"), total)
"""
SWEEP = """
import sys
import jax
from salix import runtime
from salix.cli import main

runtime.MIN_COMPILE_SECONDS = 0.0
made = []
jax.monitoring.register_event_listener(lambda event, **_: made.append(event))
assert main(sys.argv[1:]) == 0
print("made", made.count("/jax/compilation_cache/cache_misses"))
"""
WITHOUT = ("JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE", "SALIX_KEEP_MEMORY")


def python(code, *arguments, **environment):
    """Run code in a process of its own; returns the completed process."""
    around = {k: v for k, v in os.environ.items() if k not in WITHOUT} | environment
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=around)


@pytest.fixture
def config():
    """Restore JAX's settings of its cache."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {n: getattr(jax.config, n) for n in (*names, "jax_enable_compilation_cache")}
    jax.config.update("jax_compilation_cache_dir", None)
    yield jax.config
    for name, value in before.items():
        jax.config.update(name, value)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="another C library")
@pytest.mark.parametrize("beside", [1, 3 * 2**30])
def test_memory_that_is_freed_is_used_again(beside):
    pages = 2**29 // os.sysconf("SC_PAGE_SIZE")
    left, kept = (int(python(FAULTS, what, beside).stdout) for what in ("leave", "keep"))
    assert kept < pages / 1000
    if left < pages / 2:
        pytest.skip("the system gives out larger pages")


@pytest.mark.slow
@pytest.mark.parametrize(("named", "pool"), [("", "system"), ("mimalloc", "mimalloc")])
def test_arrow_takes_its_memory_from_the_c_library_unless_another_is_named(named, pool):
    code = "from salix import runtime; print(runtime.keep_memory()); import pyarrow; "
    code += "print(pyarrow.default_memory_pool().backend_name)"
    variables = {"ARROW_DEFAULT_MEMORY_POOL": named} if named else {}
    kept, name = python(code, **variables).stdout.split()
    assert name == pool or kept == "False"


@pytest.mark.parametrize("library", [object(), None], ids=["without mallopt", "no library"])
def test_another_c_library_is_left_alone(monkeypatch, library):
    def load(name):
        if library is None:
            raise OSError
        return library

    monkeypatch.setattr(ctypes, "CDLL", load)
    assert runtime.keep_memory() is False


@pytest.mark.slow
def test_a_second_process_reads_what_the_first_compiled_and_mends_what_is_broken(tmp_path):
    folder = tmp_path / "programs"
    code = KEPT.replace("FOLDER", repr(str(folder)))
    none, value = python(code).stdout.split()
    files = sorted(folder.glob("*-cache"))
    assert none == "0"
    assert len(files) > 1
    several, again = python(code).stdout.split()
    assert int(several) == len(files)
    assert sorted(folder.glob("*-cache")) == files
    for path, broken in zip(files, (b"", path_half(files[1])), strict=False):
        path.write_bytes(broken)
    ran = python(code)
    fewer, mended = ran.stdout.split()
    assert int(fewer) == len(files) - 2
    assert "rror" not in ran.stderr
    assert all(zlib.decompress(path.read_bytes()) for path in files)
    assert value == again == mended


def path_half(path):
    """Return half of the content of a file."""
    return path.read_bytes()[: path.stat().st_size // 2]


def test_programs_unused_for_longest_go_first(tmp_path, monkeypatch, config):
    monkeypatch.setattr(runtime, "MAX_BYTES", 250)
    for age, name in enumerate(("new", "middle", "old")):
        path = tmp_path / f"{name}-cache"
        path.write_bytes(runtime.ZSTANDARD.ljust(100, b"."))
        os.utime(path, (1e9 - age, 1e9 - age))
    (tmp_path / "other").write_bytes(bytes(1000))
    assert runtime.cache_programs(tmp_path) == tmp_path
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "checked", "middle-cache", "new-cache", "other"
    ]  # fmt: skip
    assert config.jax_compilation_cache_dir == str(tmp_path)
    assert config.jax_persistent_cache_min_compile_time_secs == 0.5


def test_programs_are_kept_in_the_cache_of_salix_unless_the_user_has_chosen(
    tmp_path, monkeypatch, config
):
    monkeypatch.setenv("SALIX_CACHE", str(tmp_path / "own"))
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "theirs"))
    assert runtime.cache_programs() is None
    assert config.jax_compilation_cache_dir == str(tmp_path / "theirs")
    jax.config.update("jax_compilation_cache_dir", None)
    jax.config.update("jax_enable_compilation_cache", False)
    assert runtime.cache_programs() is None
    assert config.jax_compilation_cache_dir is None
    assert not (tmp_path / "own").exists()
    jax.config.update("jax_enable_compilation_cache", True)
    assert runtime.cache_programs() == tmp_path / "own" / "programs"


def test_a_folder_that_cannot_be_written_is_told_and_left(tmp_path, config):
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match=r"programs are not cached \(.*file.*SALIX_CACHE"):
        assert runtime.cache_programs(tmp_path / "file") is None
    assert config.jax_compilation_cache_dir is None


@pytest.mark.slow
def test_a_sweep_with_kept_programs_writes_the_same_rows(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for i in range(3):
        image = rng.integers(0, 256, (64, 64), np.uint8)
        Image.fromarray(image).save(tmp_path / "images" / f"{i}.png")
    (tmp_path / "file").touch()
    made, runs = [], []
    folders = {"cold": tmp_path / "cache", "warm": tmp_path / "cache", "none": tmp_path / "file"}
    for name, folder in folders.items():
        out = tmp_path / name
        words = ["--model", "small", "--data", tmp_path / "images", "--no-labels", "--out", out]
        ran = python(SWEEP, "sweep", *words, SALIX_CACHE=str(folder))
        assert ("programs are not cached" in ran.stderr) == (name == "none")
        assert "achine" not in ran.stderr  # XLA warns of programs for another machine
        assert len(list((tmp_path / "cache" / "programs").glob("jit_step-*-cache"))) == 1
        made.append(int(ran.stdout.split()[-1]))
        runs.append(store.Run(out))
    assert made[0] > 0
    assert made[1:] == [0, 0]
    assert len({repr(run.table.to_pylist()) for run in runs}) == 1
    assert len({run.manifest["about"]["step_flops"] for run in runs}) == 1
