"""Faults of the system: full disks, folders without permission, clocks set back, two writers."""

import errno
import json
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from salix import cli
from salix.engine import run as engine_run
from salix.store import Run
from salix.store.verification import repair, verify
from salix.typing import InputError
from tests.store.small_runs import COUNT, Numbers, compute


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """Return the rows of an undisturbed run."""
    return compute(tmp_path_factory.mktemp("expected") / "run").table


@pytest.fixture
def small_parts(monkeypatch):
    """Write a part for each batch."""
    monkeypatch.setattr(engine_run, "FLUSH_SECONDS", -1.0)


@pytest.mark.parametrize(("number", "range_size"), [(errno.ENOSPC, 16), (errno.EROFS, None)])
def test_writes_that_fail_lose_no_finished_row(
    number, range_size, expected, tmp_path, monkeypatch, small_parts
):
    written, write = [], pq.write_table

    def fail(table, where, **options):
        if len(written) == 3:
            where.write_bytes(b"PAR1")
            raise OSError(number, os.strerror(number))
        written.append(where)
        write(table, where, **options)

    with monkeypatch.context() as patch:
        patch.setattr(pq, "write_table", fail)
        with pytest.raises(OSError, match=r"part-.*\.parquet") as raised:
            compute(tmp_path / "run", range_size)
    assert raised.value.errno == number
    assert not list((tmp_path / "run").rglob("*.tmp"))
    assert not list((tmp_path / "run").rglob("writer.json"))
    assert verify(tmp_path / "run").rows == 24
    assert compute(tmp_path / "run", range_size).table.equals(expected)
    assert verify(tmp_path / "run").defects == []


def test_a_folder_without_permission_is_named_and_nothing_is_lost(expected, tmp_path, monkeypatch):
    compute(tmp_path / "run", shard="0/3")
    opened = Path.open

    def refuse(path, mode="r", *arguments, **options):
        if path.name == "writer.json" and mode == "x":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return opened(path, mode, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        with pytest.raises(PermissionError, match=r"writer\.json"):
            compute(tmp_path / "run")
        assert cli.main(["runs", "verify", str(tmp_path / "run")]) == 1  # reads alone
        assert cli.main(["runs", "list", str(tmp_path)]) == 0
    assert compute(tmp_path / "run").table.equals(expected)


@pytest.mark.parametrize("hours", [-10_000, 10_000])
def test_times_of_files_decide_nothing(hours, expected, tmp_path, small_parts):
    run = compute(tmp_path / "run", shard="0/2").path
    (run / "range=000001").mkdir()
    claim = run / "range=000001" / "writer.json"
    claim.write_text(json.dumps({"host": "elsewhere", "pid": 1, "since": "now"}))  # a lost one
    next((run / "range=000002").glob("part-*")).unlink()
    moment = time.time() + 3600 * hours
    for file in run.rglob("*"):
        os.utime(file, (moment, moment))
    assert compute(run).table.equals(expected)
    assert verify(run).defects == []
    assert not claim.exists()


@dataclass(frozen=True)
class Intruded(Numbers):
    """Numbers, in the middle of which another process writes the same run."""

    out: Path = Path()

    def load(self, index):
        """Return one number; at one of them, remove all claims by force and compute the run."""
        if index == COUNT // 2 and not (self.out / "intruded").exists():
            (self.out / "intruded").touch()
            for claim in self.out.rglob("writer.json"):
                claim.unlink()
            flush, engine_run.FLUSH_SECONDS = engine_run.FLUSH_SECONDS, 99.0
            compute(self.out, ((self.out / "range=000000").exists() and 16) or None)
            engine_run.FLUSH_SECONDS = flush
        return super().load(index)


@pytest.mark.parametrize("range_size", [16, None])
def test_two_writers_of_one_range_cost_time_and_no_rows(
    range_size, expected, tmp_path, small_parts, capsys
):
    run = compute(tmp_path / "run", range_size, data=Intruded(out=tmp_path / "run"))
    assert run.table.equals(expected)
    result = verify(run.path)
    assert "repeats batches of" in " ".join(result.defects)
    repair(result)
    assert "set aside as" in capsys.readouterr().err
    assert compute(run.path, range_size).table.equals(expected)
    assert verify(run.path).defects == []


def test_a_run_that_is_damaged_and_written_again_names_both(tmp_path, capsys):
    run = compute(tmp_path / "run").path
    os.truncate(next((run / "range=000001").glob("part-*")), 5)
    next((run / "range=000002").glob("part-*")).unlink()
    assert cli.main(["runs", "verify", "--repair", str(run)]) == 1
    out = capsys.readouterr().out
    assert "range=000001/part-000000002-000000003.parquet has 5 bytes" in out
    assert "range=000002/part-000000004-000000005.parquet is not there." in out
    assert "Examples 16 to 43 of 44 have no row." in out
    assert compute(run).complete
    assert cli.main(["runs", "verify", str(run)]) == 0
    with pytest.raises(InputError, match="no run given"):
        cli.runs.VerifyRuns(()).run()
    assert Run(run).missing == []


def test_temporary_files_of_ended_processes_are_removed(expected, tmp_path):
    run = compute(tmp_path / "run", shard="0/3").path
    files = [run / f"manifest.json.{socket.gethostname()}.99999999.tmp"]
    (run / "range=000001").mkdir()
    files.append(run / "range=000001" / f"part-0.{socket.gethostname()}.99999999.tmp")
    other = run / f"manifest.json.{socket.gethostname()}.1.tmp"  # of a living process
    for file in (*files, other):
        file.touch()
    assert compute(run).table.equals(expected)
    assert not any(file.exists() for file in files)
    assert other.exists()
