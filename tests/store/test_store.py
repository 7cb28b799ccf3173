"""Parts are whole or absent, and a manifest guards its directory."""

import json

import pytest

from salix.store import Run, Writer, open_run, read_runs, update_about
from salix.store.schema import schema
from salix.store.writer import finished
from salix.typing import InputError

CONFIG = {"classes": ["real", "fake"], "grid": [1, 2], "data": {"count": 4}, "seed": 0}
ABOUT = {"name": "a", "group": "g"}


def row(index, **more):
    return {
        "index": index,
        "id": f"i{index}",
        "label": 1,
        "logits": [0.0, 1.0],
        "map": [3, 4],
    } | more


@pytest.fixture
def run(tmp_path):
    open_run(tmp_path / "run", CONFIG, ABOUT)
    return tmp_path / "run"


def test_rows_come_back_in_order_whatever_the_order_of_parts(run):
    writer = Writer(run, schema(2, (1, 2), {"flip": (), "curve": (3,)}))
    writer.add(3, [row(3, flip=0.5, curve=[1, 2, 3])])
    writer.add(0, [row(0), row(1, skipped="broken", label=None)])
    writer.add(1, [row(2, label=None)])
    writer.flush()
    assert sorted(p.name for p in run.glob("*.parquet")) == [
        "part-000000000-000000001.parquet",
        "part-000000003-000000003.parquet",
    ]
    assert finished(run) == {0, 1, 3}
    read = Run(run)
    assert read.rows["id"].tolist() == ["i0", "i2", "i3"]
    assert read.rows["label"].tolist() == [1, -1, 1]
    assert read.rows["map"].shape == (3, 1, 2)
    assert read.rows["logits"].tolist() == [[0.0, 1.0]] * 3
    assert read.rows["flip"][2] == 0.5
    assert read.rows["curve"].shape == (3, 3)
    assert read.rows["curve"][2].tolist() == [1, 2, 3]
    assert all(v != v for v in read.rows["curve"][:2].ravel())  # not there: NaN
    assert read.skipped == [{"id": "i1", "label": None, "skipped": "broken"}]
    assert (read.name, read.group, read.complete) == ("a", "g", True)


def test_a_part_that_was_not_finished_is_removed_and_never_read(run):
    (run / "part-000000000-000000000.parquet.tmp").write_bytes(b"half")
    assert finished(run) == set()
    Writer(run, schema(2, (1, 2), {}))
    assert [p.name for p in run.iterdir()] == ["manifest.json"]
    with pytest.raises(InputError, match="no finished rows"):
        _ = Run(run).table


def test_the_same_configuration_goes_on_and_another_is_refused(run):
    open_run(run, CONFIG, {"name": "other"})
    assert Run(run).name == "a"
    with pytest.raises(InputError, match="seed: 0 there, 1 now"):
        open_run(run, CONFIG | {"seed": 1}, ABOUT)
    with pytest.raises(InputError, match="more: None there, 2 now"):
        open_run(run, CONFIG | {"more": 2}, ABOUT)


def test_directories_that_are_no_runs(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match="is a file"):
        open_run(tmp_path / "file", CONFIG, ABOUT)
    with pytest.raises(InputError, match="holds other files"):
        open_run(tmp_path / "full", CONFIG, ABOUT)
    for place in ("none", "file", "full"):
        with pytest.raises(InputError, match="is not a run"):
            _ = read_runs([tmp_path / place])[0].name
    with pytest.raises(InputError, match="no run given"):
        read_runs([])


def test_a_broken_or_foreign_manifest(run):
    (run / "manifest.json").write_text("{")
    with pytest.raises(InputError, match="not readable"):
        _ = Run(run).manifest
    (run / "manifest.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(InputError, match="format 99, expected 1"):
        _ = Run(run).manifest


def test_runs_are_found_below_a_directory_and_must_differ_by_name(tmp_path):
    for name in ("b", "a"):
        open_run(tmp_path / name, CONFIG, ABOUT | {"name": name})
    assert [r.name for r in read_runs([tmp_path])] == ["a", "b"]
    open_run(tmp_path / "c", CONFIG, ABOUT)
    with pytest.raises(InputError, match="several runs are named a"):
        read_runs([tmp_path])


def test_about_can_grow(run):
    update_about(run, images_per_second=3.0)
    assert Run(run).manifest["about"]["images_per_second"] == 3.0
    assert Run(run).manifest["config"] == CONFIG


def test_a_training_is_not_taken_for_a_run(tmp_path):
    open_run(tmp_path / "seed-0", {"kind": "training"}, ABOUT)
    with pytest.raises(InputError, match="seed-0 holds a training, not rows"):
        read_runs([tmp_path])
