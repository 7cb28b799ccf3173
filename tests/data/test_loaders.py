"""Loading in processes: the same batches as with threads, and their end."""

import os
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from salix.data import batches
from salix.data.loaders import open_loader, results
from salix.typing import InputError
from tests.data.numbered_examples import Numbers

EXAMPLE = {"x": jax.ShapeDtypeStruct((2,), np.int32)}


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Let processes import the examples from here, as they import this process's path."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2])


def load(examples, loader):
    return list(batches(examples, EXAMPLE, 4, range(6), workers=2, loader=loader))


@pytest.mark.slow
def test_batches_are_those_of_threads():
    for one, other in zip(load(Numbers(), "threads"), load(Numbers(), "processes"), strict=True):
        assert (one.number, one.indices) == (other.number, other.indices)
        assert one.reasons == other.reasons
        np.testing.assert_array_equal(one.examples["x"], other.examples["x"])
        np.testing.assert_array_equal(one.valid, other.valid)


@pytest.mark.slow
def test_a_killed_process_is_an_error_with_the_remedy():
    with pytest.raises(InputError, match="has ended, killed or out of memory: run the same"):
        load(Numbers(deadly=9), "processes")


@pytest.mark.slow
def test_a_submission_after_the_end_of_a_process_is_the_same_error():
    with open_loader("processes", 1, os._exit) as submit:
        with pytest.raises(InputError, match="has ended, killed or out of memory"):
            list(results(submit(range(1))))
        with pytest.raises(InputError, match="has ended, killed or out of memory"):
            submit(range(1))


def test_what_cannot_be_sent_to_processes_is_one_line():
    with pytest.raises(InputError, match=r"cannot be sent to processes .*use --loader threads"):
        load(Numbers(unsendable=lambda: None), "processes")


ORPHANS = """
import os, sys
sys.path.insert(0, sys.argv[1])
from tests.data.numbered_examples import Numbers
from salix.data.loaders import open_loader

if __name__ == "__main__":
    with open_loader("processes", 1, Numbers().load) as submit:
        submit(range(1))[0].result()
        import multiprocessing
        print(multiprocessing.active_children()[0].pid, flush=True)
        os.kill(os.getpid(), 9)
"""


@pytest.mark.slow
def test_processes_end_with_a_killed_parent(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(ORPHANS)
    ran = subprocess.run(
        [sys.executable, script, Path(__file__).parents[2]], stdout=subprocess.PIPE, text=True
    )
    assert ran.returncode == -9
    process = Path(f"/proc/{int(ran.stdout)}")
    for _ in range(100):
        if not process.exists() or ") Z" in (process / "stat").read_text():
            return
        time.sleep(0.1)
    os.kill(int(ran.stdout), 9)
    pytest.fail("the process outlives its parent")


@pytest.mark.slow
def test_processes_are_out_of_reach_of_signals_to_the_group():
    # Slurm sends SIGTERM to all processes of a task, of which the first alone knows what to finish.
    with open_loader("processes", 1, os.getpgid) as submit:
        (group,) = results(submit(range(1)))
    assert group != os.getpgrp()
