"""Log of JSON lines: its schema, its bounds, and what it does on errors."""

import io
import json
import sys
from datetime import datetime, timedelta

import pytest

from salix.callbacks import JsonLog, Measurement, open_json_log
from salix.interrupts import Interrupted
from salix.typing import InputError


def events(text):
    return [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]


def test_events_of_a_run():
    stream = io.StringIO()
    log = JsonLog(stream, "photos")
    counts = {"images": 8, "images_skipped": 2, "parts_written": 1, "rows_written": 8}
    log(Measurement("photos", "progress", 8, counts | {"seconds_left": float("inf")}))
    log(Measurement("photos", "progress", 9, counts | {"images": 9}))
    log(Measurement("photos", "epoch", 5, {"seed-0/validation_auc": float("nan")}))
    lines = events(stream.getvalue())
    assert [e["event"] for e in lines] == ["part", "skipped", "progress", "progress", "epoch"]
    part, skipped, progress, _, epoch = lines
    assert (part["parts"], part["rows"], skipped["images"]) == (1, 8, 2)
    assert progress["seconds_left"] is None
    assert (epoch["step"], epoch["seed-0/validation_auc"]) == (5, None)
    for line in lines:
        assert line["run"] == "photos"
        assert datetime.fromisoformat(line["time"]).utcoffset() == timedelta(0)


def test_notes_are_printed_and_logged_up_to_a_limit(tmp_path, capsys):
    with open_json_log(str(tmp_path / "log"), "sweep", "photos"):
        for i in range(150):
            print(f"note {i}", file=sys.stderr)
        print("progress", file=sys.stderr.without_log)
    start, *notes, end = events((tmp_path / "log").read_text())
    assert start["command"] == "sweep"
    assert [n["text"] for n in notes] == [f"note {i}" for i in range(100)]
    assert (end["status"], end["events_left_out"]) == ("done", 50)
    assert capsys.readouterr().err.splitlines() == [*(f"note {i}" for i in range(150)), "progress"]


@pytest.mark.parametrize(
    ("error", "status"),
    [(Interrupted(15), {"status": "interrupted", "exit_status": 143}),
     (InputError("no images"), {"status": "failed", "message": "InputError: no images"})],
)  # fmt: skip
def test_stderr_is_json_alone(capsys, error, status):
    def work():
        with open_json_log("-", "train", "nets"):
            print("a note", file=sys.stderr)
            print("a line of progress", file=sys.stderr.without_log)
            raise error

    with pytest.raises(type(error)):
        work()
    start, note, end = events(capsys.readouterr().err)
    assert (start["event"], note["text"], end["event"]) == ("start", "a note", "end")
    assert status.items() <= end.items()


def test_a_log_that_fails_is_noted_once(capsys):
    class Full(io.StringIO):
        def flush(self):
            raise OSError(28, "No space left on device")

    log = JsonLog(Full(), "photos")
    for _ in range(3):
        log.note("text")
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "the run goes on: [Errno 28] No space left on device" in error


def test_a_file_without_its_folder_is_named(tmp_path):
    context = open_json_log(str(tmp_path / "none" / "log"), "sweep", "photos")
    with pytest.raises(InputError, match=r"--log-json .*log: No such file .*: name a file in"):
        context.__enter__()
