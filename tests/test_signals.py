"""Signals, closed pipes and full disks: one line, an exit status, and a resumable run."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from salix import interrupts, sweep
from salix.cli import main
from salix.engine import run as engine_run
from salix.engine.step import Step
from salix.store import Run

SLOW = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by a test in the background
from salix.data.files import Folder
from salix.engine import run
run.FLUSH_SECONDS = -1.0
read = Folder.read
def slow(self, index):
    time.sleep({sleep})
    return read(self, index)
Folder.read = slow
from salix.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of 60 small images of two classes."""
    root = tmp_path_factory.mktemp("data")
    for name in ("real", "fake"):
        (root / name).mkdir()
        for i in range(30):
            pixels = np.random.default_rng(i).integers(0, 256, (8, 8), np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i}.png")
    return root


def start(arguments, sleep=0.0, **options):
    code = SLOW.format(sleep=sleep)
    command = [sys.executable, "-c", code, *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen(command, text=True, **pipes)


def wait_for(condition, process):
    deadline = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)],
)
@pytest.mark.slow
def test_a_sweep_ends_in_good_order_and_resumes(folder, tmp_path, number, status):
    sweep = ["sweep", "--model", "small", "--data", folder, "--batch-size", "8", "--out"]
    with start([*sweep, tmp_path / "run"], 0.2) as process:
        wait_for(lambda: list((tmp_path / "run").glob("part-*")), process)
        process.send_signal(number)
        _, text = process.communicate(timeout=60)
    assert process.returncode == status
    assert "Traceback" not in text
    assert text.splitlines()[-1].endswith("finished work is kept: run the same command to go on")
    run = Run(tmp_path / "run")
    assert 0 < len(run.table) < 60
    others = sorted(p.name for p in run.path.iterdir() if p.suffix != ".parquet")
    assert others == ["inputs.arrow", "manifest.json"]
    for out in (tmp_path / "run", tmp_path / "whole"):
        assert main([*map(str, sweep), str(out), "--name", "run"]) == 0
    whole = Run(tmp_path / "whole")
    assert repr(Run(tmp_path / "run").table.to_pylist()) == repr(whole.table.to_pylist())


def test_batches_on_the_device_are_finished(tiny, pictures, tmp_path, monkeypatch):
    model, params = tiny
    start, started = Step.__call__, []

    def interrupted(self, batch, hashes, first):
        results = start(self, batch, hashes, first)
        started.append(batch.number)
        if len(started) == 2:
            signal.raise_signal(signal.SIGTERM)
        return results

    with monkeypatch.context() as patch, interrupts.signals_as_exceptions():
        patch.setattr(Step, "__call__", interrupted)
        with pytest.raises(interrupts.Interrupted):
            sweep(model, params, pictures, out=tmp_path / "run", batch_size=8)
    assert started == [0, 1]
    assert len(Run(tmp_path / "run").table) == 16
    whole = sweep(model, params, pictures, out=tmp_path / "whole", batch_size=8)
    again = sweep(model, params, pictures, out=tmp_path / "run", batch_size=8)
    assert again.table.equals(whole.table)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_training_ends_in_good_order(folder, tmp_path, number):
    recipe = "Recipe(CrossEntropy(), AdamW(), epochs=100000)"
    train = ["train", "--arch", "small", "--data", folder, "--recipe", recipe, "--out"]
    with start([*train, tmp_path / "t"]) as process:
        wait_for(lambda: list((tmp_path / "t").glob("seed-0/epoch-*.parquet")), process)
        process.send_signal(number)
        _, text = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert "Traceback" not in text
    assert "run the same command to go on" in text.splitlines()[-1]


@pytest.mark.slow
def test_a_second_signal_ends_at_once(folder, tmp_path):
    sweep = ["sweep", "--model", "small", "--data", folder, "--out", tmp_path / "run"]
    with start(sweep, 60) as process:
        wait_for(lambda: (tmp_path / "run" / "writer.json").exists(), process)
        time.sleep(2)
        process.send_signal(signal.SIGTERM)  # waits for the images that are being decoded
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        _, text = process.communicate(timeout=20)
    assert process.returncode == 143
    assert "Traceback" not in text


@pytest.mark.slow
def test_a_closed_pipe_ends_without_a_word(folder, tmp_path):
    sweep = ["sweep", "--model", "small", "--data", folder, "--out", tmp_path / "run"]
    reader, writer = os.pipe()
    os.close(reader)
    with start(sweep, stdout=writer) as process:
        os.close(writer)
        _, text = process.communicate(timeout=240)
    assert process.returncode == 141
    assert "Traceback" not in text
    assert "BrokenPipe" not in text
    assert Run(tmp_path / "run").complete


def test_an_interrupt_that_a_callback_loses_is_raised_again():
    def lose():
        with interrupts.signals_as_exceptions():
            with contextlib.suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGTERM)
            interrupts.check()

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(interrupts.Interrupted) as error:
        lose()
    assert error.value.status == 143
    interrupts.check()  # outside, nothing is pending
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_interrupt_waits_for_the_end_of_deferred_work():
    steps = []

    @interrupts.deferred()
    def write():
        with interrupts.deferred():
            signal.raise_signal(signal.SIGTERM)
            steps.append("inner")
        steps.append("outer")

    def work():
        with interrupts.signals_as_exceptions():
            try:
                write()
                steps.append("after")
            finally:
                with interrupts.deferred():  # closes while the exception passes
                    steps.append("closed")

    with pytest.raises(interrupts.Interrupted) as error:
        work()
    assert error.value.status == 143
    assert steps == ["inner", "outer", "closed"]


@pytest.mark.slow
def test_a_checkpoint_is_not_interrupted(tmp_path):
    # Orbax's threads would fail while the interpreter ends.
    import jax.numpy as jnp

    from salix.train import checkpoint

    def work():
        with interrupts.signals_as_exceptions():
            checkpoints = checkpoint.Checkpoints(tmp_path / "c", "owner")
            save = checkpoints.manager.save

            def interrupted(*args, **kwargs):
                signal.raise_signal(signal.SIGTERM)
                return save(*args, **kwargs)

            checkpoints.manager.save = interrupted
            try:
                checkpoints.save(1, {"a": jnp.ones(3)}, {"step": 1})
            finally:
                checkpoints.close()

    with pytest.raises(interrupts.Interrupted):
        work()
    again = checkpoint.Checkpoints(tmp_path / "c", "owner")
    arrays, progress = again.restore({"a": jnp.zeros(3)})
    again.close()
    assert arrays["a"].tolist() == [1, 1, 1]
    assert progress["step"] == 1


FULL = OSError(28, "No space left on device", "runs/a/part-1.parquet")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (FULL, "salix: runs/a/part-1.parquet: No space left on device; finished work is kept"),
        (
            OSError("Error writing bytes to file. Detail: No space left on device\nmore"),
            "device; finished work is kept: make room, and run the same command to go on",
        ),
        (PermissionError(13, "Permission denied", "/r"), "salix: /r: Permission denied; give perm"),
        (OSError(30, "Read-only file system", "/r"), "/r: Read-only file system; give permission"),
        (OSError(5, "Input/output error", "/r"), "salix: /r: Input/output error"),
    ],
)
def test_errors_of_the_system_are_one_line(monkeypatch, capsys, error, line):
    from salix.cli.report import Report

    def fail(self):
        raise error

    monkeypatch.setattr(Report, "run", fail)
    assert main(["report", "x"]) == 1
    text = capsys.readouterr().err
    assert line in text
    assert text.count("\n") == 1


@pytest.mark.slow
def test_a_full_disk_keeps_finished_rows(folder, tmp_path, monkeypatch, capsys):
    write_table = pq.write_table

    def full(table, path, **options):
        if "part-000000003" in path.name:
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device", str(path))
        write_table(table, path, **options)

    monkeypatch.setattr(engine_run, "FLUSH_SECONDS", -1.0)
    sweep = ["sweep", "--model", "small", "--data", str(folder), "--batch-size", "8", "--out"]
    with monkeypatch.context() as patch:
        patch.setattr(pq, "write_table", full)
        assert main([*sweep, str(tmp_path / "run")]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert "No space left on device; finished work is kept: make room" in line
    assert len(Run(tmp_path / "run").table) >= 24
    assert not list((tmp_path / "run").glob("*.tmp"))
    assert main([*sweep, str(tmp_path / "run")]) == 0
    assert len(Run(tmp_path / "run").table) == 60


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_directory_without_permission_is_named(folder, tmp_path, capsys):
    (tmp_path / "closed").mkdir(mode=0o500)
    out = tmp_path / "closed" / "run"
    assert main(["sweep", "--model", "small", "--data", str(folder), "--out", str(out)]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert f"{out}: Permission denied; give permission to it, or name another place" in line
