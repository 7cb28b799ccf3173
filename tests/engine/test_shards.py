"""Ranges and shards: any number of workers complete one run with the rows of a single one."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from salix.engine import step as engine_step
from salix.engine.shard import Shard, as_shard
from salix.store import Run, claim
from salix.store.claim import Claim
from salix.store.ranges import read_mark
from salix.typing import InputError
from tests.store import small_runs
from tests.store.small_runs import COUNT, Numbers


def compute(out, shard=None, range_size=16, sleep=0.0, **options):
    return small_runs.compute(out, range_size, shard, data=Numbers(sleep=sleep), **options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the table of an undisturbed run of one range."""
    run = compute(tmp_path_factory.mktemp("whole") / "run", range_size=None)
    assert not list(run.path.glob("range=*"))
    assert len(run.table) == COUNT
    return run.table


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_shards_complete_the_rows_of_one_process(count, whole, tmp_path, capsys):
    for index in reversed(range(count)):
        assert not Run(tmp_path / "run").complete if index < min(count, 3) - 1 else True
        run = compute(tmp_path / "run", f"{index}/{count}")
    assert run.complete
    assert run.missing == []
    assert run.table.equals(whole)
    assert sorted(p.name for p in run.path.glob("range=*")) == [
        "range=000000", "range=000001", "range=000002",
    ]  # fmt: skip
    assert not list(run.path.rglob("writer.json"))
    left = [f"shard {i}/5 has no range: the run has 3" for i in (4, 3)]
    assert [line.partition(": ")[2] for line in capsys.readouterr().err.splitlines()] == (
        left if count == 5 else []
    )


def test_finished_ranges_are_passed_over(whole, tmp_path, monkeypatch, capsys):
    compute(tmp_path, "1/3")
    run = compute(tmp_path, progress=True, name="n")
    assert capsys.readouterr().err.startswith("n: 44 of 44 examples")
    compute(tmp_path / "last", "2/3", progress=True, name="n")
    assert capsys.readouterr().err.startswith("n: 12 of 12 examples")
    monkeypatch.setattr(engine_step, "compile_traced", None)
    for shard in (None, "0/2", (1, 2)):
        assert compute(tmp_path, shard).table.equals(whole)
    mark = read_mark(tmp_path / "range=000001")
    assert mark["batches"] == 2
    (name,) = mark["parts"]
    assert mark["parts"][name]["bytes"] == (run.path / "range=000001" / name).stat().st_size


def test_a_range_of_another_process_is_left_to_it(whole, tmp_path, capsys):
    compute(tmp_path, "0/3")
    with Claim(tmp_path / "range=000000"), pytest.raises(InputError, match="process"):
        Claim(tmp_path / "range=000000").__enter__()
    (tmp_path / "range=000001").mkdir()
    with Claim(tmp_path / "range=000001"):
        run = compute(tmp_path)
        assert (tmp_path / "range=000001" / "writer.json").exists()
    assert run.missing == ["Examples 16 to 31 of 44 have no row."]
    assert f"left to another process: {tmp_path / 'range=000001'}" in capsys.readouterr().err
    assert compute(tmp_path).table.equals(whole)


@pytest.mark.slow
@pytest.mark.parametrize("signs", [True, False])
def test_a_range_of_another_host_is_awaited_until_its_claim_lapses(
    signs, whole, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(claim, "LAPSE_SECONDS", 60.0 if signs else 1.0)
    compute(tmp_path, "0/3")
    file = tmp_path / "range=000001" / "writer.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"host": "elsewhere", "pid": 1, "since": "now"}))

    def sleep(seconds, pause=time.sleep):
        pause(0.1)
        if signs:
            os.utime(file, (time.time() + 9, time.time() + 9))  # later, on a coarse clock too

    monkeypatch.setattr("salix.engine.assignment.time.sleep", sleep)
    run = compute(tmp_path)
    assert run.complete != signs
    assert ("left to another process" in capsys.readouterr().err) == signs
    assert file.exists() == signs


def cut(part):
    os.truncate(part, 999)


@pytest.mark.parametrize("damage", [cut, Path.unlink, lambda part: part.write_bytes(b"")])
def test_a_damaged_part_of_a_finished_range_is_computed_again(damage, whole, tmp_path):
    compute(tmp_path)
    damage(next((tmp_path / "range=000001").glob("part-*")))
    assert not Run(tmp_path).complete
    run = compute(tmp_path)
    assert run.table.equals(whole)
    asides = list((tmp_path / "range=000001").glob("_set-aside-*"))
    assert len(asides) == (damage is not Path.unlink)
    assert len(read_mark(tmp_path / "range=000001").get("set_aside", [])) == len(asides)


def test_a_lost_mark_is_written_again(whole, tmp_path):
    compute(tmp_path)
    mark = tmp_path / "range=000002" / "range.json"
    before = read_mark(mark.parent)["parts"]
    for content in (None, "", "[]", '{"parts": {"part": 1}}', '{"parts": {}}'):
        mark.unlink() if content is None else mark.write_text(content)
        assert compute(tmp_path).table.equals(whole)
        assert read_mark(mark.parent)["parts"] == before


def test_ranges_of_a_run_are_those_it_began_with(whole, tmp_path):
    compute(tmp_path / "cut", "0/2")
    assert compute(tmp_path / "cut", range_size=None).table.equals(whole)
    compute(tmp_path / "one", range_size=None)
    with pytest.raises(InputError, match="a run of one range, which --range-size 16 would cut"):
        compute(tmp_path / "one")
    with pytest.raises(InputError, match="ranges of 16 examples, which --range-size 24 would"):
        compute(tmp_path / "cut", range_size=24)
    assert compute(tmp_path / "cut", range_size=15).complete  # in whole batches the same


@pytest.mark.parametrize(
    ("shard", "words"),
    [
        ("4/4", "shard 4/4 is out of range: the shards are 0/4 to 3/4, counted from 0"),
        ((0, 0), "in 0 shards"),
        ("-1/4", "give the shard and the number of shards, as 0/4 to 3/4"),
        ("3", "give the shard"),
    ],
)
def test_wrong_shards_are_refused(shard, words, tmp_path):
    with pytest.raises(InputError, match=words):
        compute(tmp_path / "run", shard)
    assert not (tmp_path / "run").exists()


def test_shards_are_pairs_or_text():
    assert as_shard(" 3/16 ") == as_shard((3, 16)) == Shard(3, 16)
    assert [list(Shard(i, 3).ranges(7)) for i in range(3)] == [[0, 3, 6], [1, 4], [2, 5]]
    for value in ((1, 2, 3), (1.0, 2), [1, 2], 3):
        with pytest.raises(InputError, match="give the shard and the number of shards"):
            as_shard(value)
    with pytest.raises(InputError, match="range_size is 0"):
        compute(Path("unused"), range_size=0)


CODE = """
import sys
from salix.engine import run as engine_run
from tests.engine.test_shards import compute
engine_run.FLUSH_SECONDS = 0.0
compute(sys.argv[1], sys.argv[2], sleep=float(sys.argv[3]))
"""


def start(out, shard, sleep):
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", CODE, str(out), shard, str(sleep)]
    return subprocess.Popen(command, env=os.environ, cwd=root)


@pytest.mark.slow
def test_processes_killed_at_any_moment_complete_the_run(whole, tmp_path):
    rng = np.random.default_rng(0)
    for _ in range(4):
        processes = [start(tmp_path / "run", f"{i}/2", 0.05) for i in range(2)]
        time.sleep(2.0 + 2.0 * rng.random())
        for process in processes:
            process.send_signal(signal.SIGKILL)
            process.wait()
    # A third worker, of the whole, beside both.
    processes = [start(tmp_path / "run", shard, 0) for shard in ("0/2", "1/2", "0/1")]
    assert [p.wait(60) for p in processes] == [0, 0, 0]
    assert compute(tmp_path / "run").table.equals(whole)
    assert not list((tmp_path / "run").rglob("*.tmp"))
