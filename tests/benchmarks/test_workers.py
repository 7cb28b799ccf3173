"""Worker processes, the loop that serves their calls, and statistics over rounds."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def rounds(*walls: float) -> list[dict[str, float]]:
    return [{"wall": w, "cpu": 2 * w, "host": 0.0} for w in walls]


def test_quartiles_and_ratios(scripts: Any) -> None:
    w = scripts["rounds"]
    assert w.quartiles([1, 2, 3, 4, 100]) == {"median": 3, "low": 2, "high": 4, "n": 5}
    # The load triples from round to round for both: the ratios do not change.
    result = w.round_ratios(rounds(2, 6, 18), rounds(1, 3, 9), "wall")
    assert result == {"median": 2, "low": 2, "high": 2, "n": 3}
    with pytest.raises(ValueError, match="longer"):
        w.round_ratios(rounds(1), rounds(1, 2), "cpu")


def test_results_to_arrays_and_correlation(scripts: Any) -> None:
    w = scripts["serving"]
    arrays = w.to_arrays(({"b": np.ones(2), "a": np.zeros((1, 2))}, [np.float32(3)]))
    np.testing.assert_array_equal(arrays[0], [0, 0, 1, 1])
    assert arrays[1] == 3
    fingerprint = w.fingerprint([np.array([[1, -3], [np.nan, 2]])])
    assert fingerprint["shape"] == [2, 2]
    assert fingerprint["mean_abs"] == 2
    correlation = scripts["rounds"].correlation
    assert correlation([1, 2, 3, np.nan], [2, 4, 6, 5]) == pytest.approx(1)
    assert correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert np.isnan(correlation([1, 1], [1, 2]))
    assert np.isnan(correlation([1, 2], [1, 2, 3]))


SERVED = """
import sys, time; sys.path.insert(0, {folder!r})
from serving import serve

calls = []
def call():
    print("a library talks"); calls.append(0)
    if len(calls) == {dies}: raise OSError("the device is gone")
    return [[1.0, 2.0]]
serve(lambda: (call, lambda x: x, {{"flops": 8}}))
"""


def test_workers(scripts: Any, folder: Path) -> None:
    w = scripts["workers"]

    def command(dies: int) -> list[str]:
        return [sys.executable, "-c", SERVED.format(folder=str(folder), dies=dies)]

    mute = [sys.executable, "-c", "import time; time.sleep(60)"]
    killed = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    # "fails" runs twice before the rounds and fails in the second of them.
    commands = {"lives": command(0), "fails": command(4), "killed": killed}
    workers, rows = w.start_workers({name: (c, {}) for name, c in commands.items()}, 60)
    assert set(workers) == {"lives", "fails"}
    assert rows["killed"] == {"left out": "ended by signal 9 (out of memory?)"}
    assert rows["lives"]["sample"] == [1]
    assert rows["lives"]["flops"] == 8
    assert w.run_rounds(workers, rows, 1) == 1
    assert set(workers) == {"lives", "fails"}
    assert w.run_rounds(workers, rows, 2) == 2
    assert len(rows["lives"]["rounds"]) == 3
    assert rows["fails"] == {"left out": "OSError: the device is gone"}
    assert (
        w.run_rounds(workers, rows, 3, deadline=0) == 1
    )  # the first round is completed at any time
    w.stop_workers(workers)
    assert workers["lives"].process.returncode == 0
    _, rows = w.start_workers({"mute": (mute, {})}, 0.2)
    assert rows == {"mute": {"left out": "no answer in 0 s"}}
