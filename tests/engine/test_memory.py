"""Memory of devices: the micro-batch that fits, and runs that go on where memory runs out."""

import os
import subprocess
import sys
from collections.abc import Container
from dataclasses import dataclass, field
from types import SimpleNamespace

import jax
import numpy as np
import pytest

import salix
from salix.engine import memory, problem_run, run_problem
from salix.engine import step as engine_step
from salix.engine.step import Step
from salix.store import Run
from salix.store.verification import verify
from salix.typing import Column, InputError
from tests.store.small_runs import COUNT, Numbers

OUT_OF_MEMORY = (
    "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 4770354232 bytes.\nStats"
)
LACKS = [
    OUT_OF_MEMORY,
    "RESOURCE_EXHAUSTED: Out of memory allocating 8796093022208 bytes.",
    "RESOURCE_EXHAUSTED: Failed to allocate request for 176.00MiB (184549376B) on device ordinal 0",
    "RESOURCE_EXHAUSTED: XLA:TPU compile permanent error. Ran out of memory in memory space hbm.",
    "Execution of replica 0 failed: RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9",
    "UNKNOWN: Failed to determine best cudnn convolution algorithm for:\n%cudnn-conv\n\n"
    "Original error: RESOURCE_EXHAUSTED: Out of memory while trying to allocate 17 bytes.",
    "INTERNAL: Failed to load in-memory CUBIN: CUDA_ERROR_OUT_OF_MEMORY: out of memory",
]
OTHERS = [
    "INTERNAL: CpuCallback error calling callback: Traceback:\nRESOURCE_EXHAUSTED: quota",
    "INTERNAL: callback failed\nRuntimeError: CUDA_ERROR_OUT_OF_MEMORY",
    "INVALID_ARGUMENT: the name RESOURCE_EXHAUSTED: is taken",
    "FAILED_PRECONDITION: DNN library initialization failed.",
]


def test_only_the_devices_own_errors_are_a_lack_of_memory():
    error = jax.errors.JaxRuntimeError
    assert [text for text in LACKS if not memory.is_out_of_memory(error(text))] == []
    assert [text for text in OTHERS if memory.is_out_of_memory(error(text))] == []
    assert not memory.is_out_of_memory(RuntimeError(OUT_OF_MEMORY))  # not of JAX
    assert memory.first_line(error(OUT_OF_MEMORY)) == OUT_OF_MEMORY.partition(".\n")[0]


def device(**stats):
    return SimpleNamespace(memory_stats=lambda: stats or None)


def test_free_memory_is_that_of_the_fullest_device_and_may_be_unknown():
    one, other = device(bytes_limit=1000, bytes_in_use=300), device(bytes_limit=900)
    assert memory.free_bytes([one, other]) == 630
    assert memory.free_bytes([other]) == 810
    assert memory.free_bytes([one, device()]) is None
    assert memory.free_bytes([device(bytes_in_use=3)]) is None
    assert memory.free_bytes(jax.devices("cpu")) is None


def test_batches_in_flight_add_up_temporaries_and_parameters_do_not():
    sizes = {"argument": 150, "output": 20, "alias": 0, "temp": 1000}
    analysis = SimpleNamespace(**{f"{name}_size_in_bytes": n for name, n in sizes.items()})
    program = SimpleNamespace(memory_analysis=lambda: analysis)
    assert memory.needed_bytes(program, 100, 3) == 1000 + 3 * (50 + 20)
    assert memory.needed_bytes(SimpleNamespace(memory_analysis=lambda: None), 100, 3) is None


@dataclass(frozen=True)
class Exact:
    """Integers, the same for every micro-batch."""

    columns: tuple[Column, ...] = ()
    example = jax.ShapeDtypeStruct((), np.float32)

    def row(self, params, example, key):
        """Return a product and random bits of the example's own key."""
        number = example.astype(np.int32)
        return {"product": number * params, "bits": jax.random.bits(key, (3,))}

    def identity(self):
        """Return the name."""
        return {"problem": "exact"}


def compute(out, **options):
    options = {"batch_size": 16, "workers": 1} | options
    return run_problem(Exact(), np.int32(7), Numbers(), out=out, **options)


@dataclass
class Lost:
    """Result of a failed execution: the error arrives when it is fetched."""

    error: Exception

    def __array__(self, dtype=None, copy=None):
        """Raise the error."""
        raise self.error


@dataclass
class Faults:
    """Lack of memory at the numbered compilations, dispatches and landings of a run.

    `capacity` is the greatest number of examples that dispatches have memory for; `broken` landings
    fail for another reason.
    """

    compilations: Container[int] = ()
    dispatches: Container[int] = ()
    landings: tuple[int, ...] = ()
    broken: tuple[int, ...] = ()
    capacity: int = 99
    compiled: list[int] = field(default_factory=list)
    dispatched: list[int] = field(default_factory=list)

    def compile(self, traced):
        """Compile, or raise."""
        (size,) = traced.out_info["product"].shape
        self.compiled.append(size)
        if len(self.compiled) in self.compilations:
            raise jax.errors.JaxRuntimeError(OUT_OF_MEMORY)
        program = traced.lower().compile()

        def start(*arguments):
            self.dispatched.append(size)
            count = len(self.dispatched)
            if count in self.dispatches or size > self.capacity:
                raise jax.errors.JaxRuntimeError(OUT_OF_MEMORY)
            columns = program(*arguments)
            if count in self.landings + self.broken:
                text = OUT_OF_MEMORY if count in self.landings else "INTERNAL: broken"
                lost = Lost(jax.errors.JaxRuntimeError(text))
                return jax.tree.map(lambda column: lost, columns)
            return columns

        analysis = SimpleNamespace(
            argument_size_in_bytes=4 + 10 * size, output_size_in_bytes=0, alias_size_in_bytes=0,
            temp_size_in_bytes=70 * size,
        )  # fmt: skip
        return Program(start, analysis, program.as_text())


@dataclass
class Program:
    """A compiled program that needs 100 bytes an example with three executions in flight."""

    start: object
    analysis: object
    text: str

    def __call__(self, *arguments):
        """Start it."""
        return self.start(*arguments)

    def memory_analysis(self):
        """Return the analysis."""
        return self.analysis

    def as_text(self):
        """Return its text."""
        return self.text


@pytest.fixture
def accelerator(monkeypatch):
    """Return a function that plants faults, and computes whole batches as an accelerator does."""

    def plant(**faults):
        planted = Faults(**faults)
        monkeypatch.setattr(problem_run, "micro_batch", lambda problem, size: size)
        monkeypatch.setattr(engine_step, "compile_traced", planted.compile)
        return planted

    return plant


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """Return the rows of an undisturbed run."""
    return compute(tmp_path_factory.mktemp("expected") / "run").table


FAULTS = {
    "compilation": ({"compilations": (1, 2)}, [16, 8, 4]),
    "dispatch": ({"dispatches": (1, 3)}, [16, 8, 4]),
    "dispatch in flight": ({"dispatches": (3,)}, [16, 8]),
    "landing": ({"landings": (1, 4)}, [16, 8, 4]),
    "middle of a batch": ({"dispatches": (1,), "landings": (4,)}, [16, 8, 4]),
    "all": ({"compilations": (2,), "dispatches": (2,), "landings": (5,)}, [16, 8, 4, 2]),
    "at one": ({"dispatches": (1, 2, 3, 4), "landings": (7,)}, [16, 8, 4, 2, 1]),
}


def slow(name):
    return pytest.param(name, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    "name", [name if name in {"all", "landing"} else slow(name) for name in FAULTS]
)
def test_a_run_out_of_memory_goes_on_with_fewer_examples_at_once(
    name, accelerator, expected, tmp_path, caplog
):
    faults, sizes = FAULTS[name]
    planted = accelerator(**faults)
    run = compute(tmp_path / "run")
    assert planted.compiled == sizes
    assert run.table.equals(expected)
    assert verify(run.path).defects == []
    assert run.manifest["about"]["micro_batch"] == sizes[-1]
    notes = [record.getMessage() for record in caplog.records]
    assert f"going on with {sizes[-1]} examples at once" in notes[-1]
    assert "RESOURCE_EXHAUSTED: Out of memory while trying to allocate" in notes[-1]
    assert not any("\n" in text for text in notes)


@pytest.mark.parametrize("size", [7, slow(44)])
def test_batches_that_do_not_divide_are_filled_with_empty_slots(
    size, accelerator, expected, tmp_path
):
    planted = accelerator(capacity=3)
    run = compute(tmp_path / "run", batch_size=size)
    assert planted.compiled == {7: [7, 4, 2], 44: [44, 22, 11, 6, 3]}[size]
    assert run.table.equals(expected)


@pytest.mark.slow
def test_ranges_record_the_micro_batch_and_later_ones_keep_it(accelerator, expected, tmp_path):
    planted = accelerator(dispatches=(2,))
    run = compute(tmp_path / "run", range_size=16)
    assert planted.compiled == [16, 8]
    assert run.table.equals(expected)
    marks = [problem_run.Ranges(run.path, 3, 1).folder(n) / "range.json" for n in range(3)]
    assert ['"micro_batch": 8' in mark.read_text() for mark in marks] == [True] * 3


def test_too_little_memory_for_one_example_keeps_all_finished_rows(accelerator, expected, tmp_path):
    planted = accelerator(dispatches=range(8, 99))
    with pytest.raises(InputError, match=r"for 1 at once \(RESOURCE_EXH.*--size.*rows are kept"):
        compute(tmp_path / "run", batch_size=2)
    # Of seven batches sent the last two were in flight when the eighth lacked memory.
    assert planted.compiled == [2, 1]
    assert Run(tmp_path / "run").table.equals(expected.slice(0, 10))
    planted = accelerator()
    run = compute(tmp_path / "run", batch_size=2)
    assert planted.compiled == [2]  # with memory enough, whole batches as before
    assert run.table.equals(expected)


@pytest.mark.slow
def test_a_program_that_never_compiles_and_parameters_that_do_not_fit(
    accelerator, tmp_path, monkeypatch
):
    planted = accelerator(compilations=range(1, 99))
    with pytest.raises(InputError, match="for 1 at once"):
        compute(tmp_path / "run")
    assert planted.compiled == [16, 8, 4, 2, 1]

    def refuse(*arguments):
        raise jax.errors.JaxRuntimeError(OUT_OF_MEMORY)

    monkeypatch.setattr(engine_step.jax, "device_put", refuse)
    with pytest.raises(InputError, match="parameters do not fit into the memory"):
        compute(tmp_path / "run")


@pytest.mark.slow
def test_other_errors_of_the_device_end_the_run_after_what_is_in_flight(
    accelerator, expected, tmp_path, monkeypatch
):
    planted = accelerator()
    original = Step.__call__

    def fail(self, batch, hashes, first):
        if batch.number == 2:
            raise jax.errors.JaxRuntimeError("INTERNAL: broken")
        return original(self, batch, hashes, first)

    with monkeypatch.context() as patch:
        patch.setattr(Step, "__call__", fail)
        with pytest.raises(jax.errors.JaxRuntimeError, match="broken"):
            compute(tmp_path / "run")
    assert len(planted.compiled) == 1
    assert len(Run(tmp_path / "run").table) == 32
    assert compute(tmp_path / "run").table.equals(expected)


@pytest.mark.slow
def test_a_batch_with_a_broken_part_is_computed_again_from_there(accelerator, expected, tmp_path):
    planted = accelerator(capacity=4, broken=(4,), landings=(6,))
    with pytest.raises(jax.errors.JaxRuntimeError, match="broken"):
        compute(tmp_path / "run")
    assert planted.compiled == [16, 8, 4, 2]
    table = Run(tmp_path / "run").table
    assert len(table) == 16
    assert table.equals(expected.slice(0, 16))


def test_the_micro_batch_is_the_half_that_fits_into_free_memory(
    accelerator, expected, tmp_path, monkeypatch, caplog
):
    stats = device(bytes_limit=1500, bytes_in_use=500)  # 900 usable, for 9 examples
    monkeypatch.setattr(engine_step, "free_bytes", lambda devices: memory.free_bytes([stats]))
    planted = accelerator()
    run = compute(tmp_path / "run", batch_size=None)
    assert planted.compiled == [32, 8]  # the estimate saves the compilation for 16
    assert run.table.equals(expected)
    assert run.manifest["config"]["batch_size"] == 32
    assert run.manifest["about"]["micro_batch"] == 8
    (record,) = caplog.records
    assert "32 examples at once need 0.00 GB of memory, 0.00 GB are free" in record.getMessage()

    planted = accelerator()
    run = compute(tmp_path / "given", batch_size=32)
    assert planted.compiled == [32]
    assert "micro_batch" not in run.manifest["about"]
    assert run.manifest["hash"] == Run(tmp_path / "run").manifest["hash"]


@pytest.mark.slow
def test_a_classifier_goes_on_in_halves(tiny, pictures, tmp_path, monkeypatch):
    whole = salix.sweep(*tiny, pictures, out=tmp_path / "whole")
    original = Step.__call__

    def fail(self, batch, hashes, first):
        if self.micro > 4:
            raise jax.errors.JaxRuntimeError(OUT_OF_MEMORY)
        return original(self, batch, hashes, first)

    monkeypatch.setattr(Step, "__call__", fail)
    run = salix.sweep(*tiny, pictures, out=tmp_path / "run")
    assert run.manifest["about"]["micro_batch"] == 4
    np.testing.assert_allclose(run.rows["logits"], whole.rows["logits"], rtol=1e-5, atol=1e-6)


DEVICES = """
import sys, jax
from tests.engine import test_memory as here
assert jax.device_count() == 8
here.problem_run.micro_batch = lambda problem, size: size
planted = here.Faults(compilations=(2,), dispatches=(2,), landings=(3,))
here.engine_step.compile_traced = planted.compile
here.compute(sys.argv[1], batch_size=32)
print(planted.compiled)
"""


@pytest.mark.slow
def test_eight_devices_share_the_smaller_micro_batches(expected, tmp_path):
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8"}
    command = [sys.executable, "-c", DEVICES, str(tmp_path / "run")]
    done = subprocess.run(command, env=os.environ | flags, capture_output=True, text=True)
    assert done.stdout == "[32, 16, 8]\n", done.stderr
    assert Run(tmp_path / "run").table.equals(expected)
    assert Run(tmp_path / "run").manifest["about"]["micro_batch"] == 8
    assert len(done.stderr.splitlines()) == 2
    assert COUNT == 44


LIMITED = """
import resource, sys
from dataclasses import dataclass
import jax, numpy as np
from salix.engine import run_problem
from tests.engine import test_memory as here

@dataclass(frozen=True)
class Hungry(here.Exact):
    def row(self, params, example, key):  # 32 MiB of temporaries for each example
        number = example.astype(np.int32)
        large = jax.numpy.zeros(2**23, np.int32).at[number].add(number)
        return super().row(params, example, key) | {"sum": large.sum(), "last": large[2 * number]}

here.compute(sys.argv[1])  # starts threads and loads libraries
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 200 * 2**20,) * 2)
run_problem(Hungry(), np.int32(7), here.Numbers(), out=sys.argv[2], workers=1)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are those of Linux")
def test_a_process_without_the_memory_goes_on_in_halves(expected, tmp_path):
    command = [sys.executable, "-c", LIMITED, *map(str, (tmp_path / "a", tmp_path / "run"))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "RESOURCE_EXHAUSTED: Out of memory allocating" in done.stderr
    run = Run(tmp_path / "run")
    assert run.manifest["about"]["micro_batch"] in {1, 2, 4}
    assert run.table.select(["id", "skipped", "product", "bits"]).equals(
        expected.select(["id", "skipped", "product", "bits"])
    )
    np.testing.assert_array_equal(run.rows["sum"], run.rows["index"])
