"""TensorBoard, W&B and mlflow: what their own offline writers stored, read back."""

import json
import struct
import sys
import time

import pytest

from salix.callbacks import Measurement, open_tracker
from salix.typing import InputError

SENT = (
    Measurement("photos", "progress", 8, {"images": 8, "images_per_second": 4.5}),
    Measurement("photos", "epoch", 16, {"seed-0/validation_auc": 0.75}),
)
EXPECTED = {("images", 8, 8.0), ("images_per_second", 8, 4.5), ("seed-0/validation_auc", 16, 0.75)}


def send(place):
    tracker = open_tracker(place, "photos")
    for measurement in SENT:
        tracker(measurement)
    tracker.close()


@pytest.mark.slow
def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import Event

    send(f"tensorboard:{tmp_path / 'logs'}")
    (file,) = (tmp_path / "logs" / "photos").glob("events.out.tfevents.*")
    data, events = file.read_bytes(), []
    while data:  # a TFRecord: length, its checksum, content, its checksum
        (length,) = struct.unpack("<Q", data[:8])
        events.append(Event.FromString(data[12 : 12 + length]))
        data = data[16 + length :]
    read = {(v.tag, e.step, v.simple_value) for e in events for v in e.summary.value}
    assert read == EXPECTED


def read_records(file):
    """Return the records of a log in LevelDB's format, of one block."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, records = file.read_bytes()[7:], []
    while len(data) > 7:  # checksum, length, kind, content
        length, kind = struct.unpack("<HB", data[4:7])
        assert kind == 1
        records.append(Record.FromString(data[7 : 7 + length]))
        data = data[7 + length :]
    return records


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_wandb_offline(tmp_path, monkeypatch):
    pytest.importorskip("wandb")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    send("wandb:faces")
    (file,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    deadline = time.monotonic() + 60
    while not (records := read_records(file)) or not records[-1].HasField("exit"):
        assert time.monotonic() < deadline  # W&B's own process writes the file
        time.sleep(0.1)
    rows = []
    for record in records:
        items = record.history.item
        rows.append({i.key or i.nested_key[0]: json.loads(i.value_json) for i in items})
    read = {(n, r["step"], v) for r in rows for n, v in r.items() if n[0] not in "_s" or "/" in n}
    assert read == EXPECTED
    (run,) = (r.run for r in records if r.run.run_id)
    assert (run.project, run.display_name) == ("faces", "photos")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_mlflow_in_a_folder(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    place = (tmp_path / "store").as_uri()
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    with pytest.raises(InputError, match=r"mlflow store 'file:.*maintenance mode"):
        open_tracker(f"mlflow:{place}", "photos")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    send(f"mlflow:{place}")
    client = mlflow.MlflowClient(tracking_uri=place)
    experiment = client.get_experiment_by_name("salix").experiment_id
    (run,) = client.search_runs([experiment])
    assert (run.info.run_name, run.info.status) == ("photos", "FINISHED")
    names = ("images", "images_per_second", "seed-0/validation_auc")
    history = [m for n in names for m in client.get_metric_history(run.info.run_id, n)]
    assert {(m.key, m.step, m.value) for m in history} == EXPECTED


@pytest.mark.parametrize("place", ["tensorboard", "aim:x", "wandb:", ""])
def test_unknown_places_are_refused(place):
    with pytest.raises(InputError, match=r"give tensorboard:DIR, wandb:PROJECT or mlflow:URI"):
        open_tracker(place, "photos")


@pytest.mark.parametrize(
    ("place", "module"),
    [("tensorboard:x", "tensorboardX"), ("wandb:x", "wandb"), ("mlflow:x", "mlflow")],
)
def test_missing_packages_are_named(place, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=rf"pip install 'salix\[{place.split(':')[0]}\]'"):
        open_tracker(place, "photos")
