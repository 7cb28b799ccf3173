"""Operation of sweeps and trainings: measurements, callbacks, traces, log, and requeueing."""

import gzip
import json
import time

import numpy as np
import pytest
from PIL import Image

from salix import sweep
from salix.cli import main
from salix.measurement import Callbacks, Measurement
from salix.profiler import Profiler
from salix.progress import Progress
from salix.store.manifest import read_manifest


def test_progress_tells_what_the_loop_waits_for(capsys, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    measured = []

    def feed():
        for number in range(4):
            clock[0] += 3.0
            yield number

    with Progress("run", 100, show=True, callback=measured.append) as bar:
        bar.skip(20)
        for _ in bar.input(feed()):
            clock[0] += 1.0
            bar.device_seconds += 0.5
            bar.count("images_skipped", 1)
            bar.advance(10)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "run: 50 of 100 images, 2.5 images/s, waiting 75% for input and 12% for the device, "
        "20 s left",
        "run: 60 of 100 images, 2.5 images/s, waiting 75% for input and 12% for the device, "
        "16 s left",
    ]
    assert [m.step for m in measured] == [50, 60]
    assert measured[1].values == {
        "images": 60, "images_total": 100, "images_per_second": 2.5, "seconds_left": 16.0,
        "share_waiting_for_input": 0.75, "share_waiting_for_device": 0.125, "images_skipped": 4,
    }  # fmt: skip
    assert bar.timing() == {
        "images_per_second": 2.5, "images_timed": 40,
        "seconds_waiting_for_input": 12.0, "seconds_waiting_for_device": 2.0,
    }  # fmt: skip


def test_a_callback_that_fails_is_noted_once(capsys):
    received = []

    def broken(measurement):
        raise ConnectionError("no route to host\nmore")

    callbacks = Callbacks(broken, None, received.append)
    measurement = Measurement("run", "progress", 1, {})
    for _ in range(3):
        callbacks(measurement)
    assert received == [measurement] * 3
    assert capsys.readouterr().err == (
        "the callback broken fails, and the run goes on: ConnectionError: no route to host\n"
    )


@pytest.mark.slow
def test_a_sweep_calls_back_and_keeps_its_timing(tiny, pictures, tmp_path):
    measured = []
    model, params = tiny
    run = sweep(model, params, pictures, out=tmp_path / "r", batch_size=8, callback=measured.append)
    values = measured[-1].values
    assert (measured[-1].run, measured[-1].step, values["images_total"]) == ("tiny", 23, 23)
    about = read_manifest(run.path)["about"]
    assert about["seconds_waiting_for_input"] + about["seconds_waiting_for_device"] > 0


def test_a_run_of_one_batch_has_no_trace(tmp_path, capsys):
    with Profiler(tmp_path / "traces") as profiler:
        assert list(profiler.watch([1])) == [1]
    assert "no trace in" in capsys.readouterr().err
    assert not (tmp_path / "traces").exists()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of 40 small images of two classes, of which one cannot be read."""
    root = tmp_path_factory.mktemp("data")
    for name in ("real", "fake"):
        (root / name).mkdir()
        for i in range(20):
            pixels = np.random.default_rng(i).integers(0, 256, (8, 8), np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i}.png")
    (root / "real" / "0.png").write_bytes(b"no image")
    return root


def read_log(path):
    lines = path.read_text().splitlines()
    assert len(lines) < 50
    return [json.loads(line, parse_constant=pytest.fail) for line in lines]


@pytest.mark.slow
def test_log_and_trace_of_a_sweep(folder, tmp_path, capsys):
    command = ["sweep", "--model", "small", "--data", str(folder), "--out", str(tmp_path / "run")]
    command += ["--batch-size", "8", "--log-json", str(tmp_path / "log")]
    assert main([*command, "--profile", str(tmp_path / "traces")]) == 0
    error = capsys.readouterr().err
    assert "trace of 4 batches" in error
    assert "run: 40 of 40 images" in error
    log = read_log(tmp_path / "log")
    kinds = [e["event"] for e in log]
    assert kinds[0] == "start"
    assert kinds[-1] == "end"
    assert set(kinds) == {"start", "note", "part", "skipped", "progress", "end"}
    progress = [e for e in log if e["event"] == "progress"][-1]
    assert (progress["images"], progress["images_skipped"], progress["rows_written"]) == (40, 1, 40)
    assert 0 <= progress["share_waiting_for_input"] + progress["share_waiting_for_device"] <= 1
    (file,) = (tmp_path / "traces").rglob("*.trace.json.gz")
    with gzip.open(file) as stream:
        names = [e.get("name") for e in json.load(stream)["traceEvents"]]
    assert names.count("batch") == 4
    assert any("jit_step" in str(n) or "jit(step)" in str(n) for n in names)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:1 image cannot be read")
def test_log_and_trace_of_a_training(folder, tmp_path, capsys):
    recipe = "Recipe(CrossEntropy(), AdamW(), epochs=2, batch_size=8, validation=0.25)"
    command = ["train", "--arch", "small", "--data", str(folder), "--recipe", recipe]
    command += ["--out", str(tmp_path / "nets"), "--profile", str(tmp_path / "traces")]
    assert main([*command, "--log-json", "-"]) == 0
    log = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    epochs = [e for e in log if e["event"] == "epoch"]
    assert [e["seed-0/epoch"] for e in epochs] == [0, 1]
    assert 0 <= epochs[1]["seed-0/validation_auc"] <= 1
    assert log[-1]["status"] == "done"
    assert [e["steps"] for e in log if e["event"] == "progress"][-1] == epochs[1]["step"]
    assert list((tmp_path / "traces").rglob("*.xplane.pb"))
