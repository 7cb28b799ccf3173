"""Parts are whole or absent, and a manifest guards its directory."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from salix.store import KEYS, Run, Writer, open_run, read_runs, update_about, write_run
from salix.store import writer as writing
from salix.store.claim import Claim
from salix.store.ranges import Ranges
from salix.typing import Column, InputError

CONFIG = {"classes": ["real", "fake"], "data": {"count": 4}, "seed": 0}
ABOUT = {"name": "a", "group": "g"}
COLUMNS = (
    *KEYS,
    Column("label", dtype="int32"),
    Column("logits", "Logits", dims=("class",), shape=(2,)),
    Column("map", "Map", low=0, high=255, dims=("y", "x"), shape=(1, 2), dtype="uint8"),
    Column("flip", "Flips", "About flips.", 0, 1, "lower"),
    Column(
        "curve", "Curve", axis="level", coordinates=(0.0, "x", 1.0), dims=("level",), shape=(3,)
    ),
    Column("alike", dtype="bool"),
    Column("half", dims=("y", "x"), shape=(2, 2), dtype="float16"),
    Column("share", dtype="float16"),
    Column("thumb", dtype="binary"),
)


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
    open_run(tmp_path / "run", CONFIG, ABOUT, columns=COLUMNS)
    return tmp_path / "run"


def test_rows_come_back_in_order_whatever_the_order_of_parts(run):
    writer = Writer(run, COLUMNS)
    writer.add(3, [row(3, flip=0.5, curve=[1, 2, 3])])
    writer.add(0, [row(0), row(1, skipped="broken", label=None)])
    writer.add(1, [row(2, label=None)])
    writer.flush()
    assert sorted(p.name for p in run.glob("*.parquet")) == [
        "part-000000000-000000001.parquet",
        "part-000000003-000000003.parquet",
    ]
    assert Ranges(run, 4, None).unfinished(0) == ([2], [])
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
    assert Ranges(run, 2, None).unfinished(0) == ([0, 1], [])
    with Claim(run):
        pass
    assert [p.name for p in run.iterdir()] == ["manifest.json"]
    assert len(Run(run).table) == 0


def test_the_same_configuration_goes_on_and_another_is_refused(run):
    open_run(run, CONFIG, {"name": "other"}, columns=COLUMNS)
    assert Run(run).name == "a"
    with pytest.raises(InputError, match="seed: 0 there, 1 now"):
        open_run(run, CONFIG | {"seed": 1}, ABOUT, columns=COLUMNS)
    with pytest.raises(InputError, match="more: None there, 2 now"):
        open_run(run, CONFIG | {"more": 2}, ABOUT, columns=COLUMNS)
    with pytest.raises(InputError, match=r"columns: .*'thumb'.* there"):
        open_run(run, CONFIG, ABOUT, columns=COLUMNS[:-1])
    open_run(run, CONFIG, ABOUT, columns=[replace(c, meaning="Said better.") for c in COLUMNS])
    assert Run(run).columns["flip"].meaning == "About flips."


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


def test_a_run_that_another_process_begins_meanwhile_is_joined(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    folder.mkdir()
    listed = Path.iterdir

    def begun(path):
        monkeypatch.setattr(Path, "iterdir", listed)
        open_run(folder, CONFIG, ABOUT, columns=COLUMNS)
        (folder / "inputs.arrow").touch()
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", begun)
    open_run(folder, CONFIG, ABOUT, columns=COLUMNS)
    assert Path.iterdir is listed
    assert Run(folder).name == "a"


def test_a_broken_or_foreign_manifest(run):
    (run / "manifest.json").write_text("{")
    with pytest.raises(InputError, match="not readable"):
        _ = Run(run).manifest
    (run / "manifest.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(InputError, match="format 99, expected 2"):
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


def test_a_manifest_describes_each_column(run):
    assert list(Run(run).columns) == [c.name for c in COLUMNS]
    assert tuple(Run(run).columns.values()) == COLUMNS


def test_values_come_back_in_their_type_and_shape_and_missing_ones_by_their_type(run):
    half = np.array([[0.5, 1], [2, 65504]], np.float16)
    writer = Writer(run, COLUMNS)
    full = row(0, curve=[1, None, 3], alike=True, half=half, share=np.float16(0.1), thumb=b"JPEG")
    writer.add(0, [full, {"index": 1, "id": "i1"}])
    writer.flush()
    rows = Run(run).rows
    for name, column in Run(run).columns.items():
        if name != "skipped":
            assert rows[name].shape == (2, *column.shape)
            text = column.dtype in ("string", "binary")
            assert rows[name].dtype == (object if text else column.dtype)
    assert rows["half"][0].tolist() == half.tolist()
    assert rows["share"][0] == np.float16(0.1)
    np.testing.assert_array_equal(rows["curve"][0], [1, np.nan, 3])
    assert rows["thumb"].tolist() == [b"JPEG", None]
    assert rows["alike"].tolist() == [True, False]
    assert rows["label"].tolist() == [1, -1]
    assert rows["map"].tolist() == [[[3, 4]], [[0, 0]]]
    for name in ("logits", "flip", "curve", "half", "share"):
        assert np.isnan(rows[name][1]).all()


def test_a_run_without_finished_rows_reads_as_empty_arrays(run):
    read = Run(run)
    assert read.rows["half"].shape == (0, 2, 2)
    assert read.rows["half"].dtype == np.float16
    assert (read.skipped, read.complete, read.count, list(read.iterate())) == ([], False, 4, [])


def test_columns_are_read_in_pieces_and_only_those_that_are_asked_for(run, monkeypatch):
    monkeypatch.setattr(writing, "GROUP_ROWS", 2)
    writer = Writer(run, COLUMNS)
    writer.add(0, [row(i) for i in range(3)])
    writer.add(2, [row(3, skipped="broken"), row(4)])
    writer.flush()
    asked, read_row_group = [], pq.ParquetFile.read_row_group

    def noted(self, group, columns):
        asked.append(set(columns))
        return read_row_group(self, group, columns=columns)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", noted)
    read = Run(run)
    assert [c["index"].tolist() for c in read.iterate(["index"])] == [[0, 1], [2], [4]]
    assert read.read(["map", "id"])["id"].tolist() == ["i0", "i1", "i2", "i4"]
    assert asked == [{"index", "skipped"}] * 3 + [{"map", "id", "skipped"}] * 3
    with pytest.raises(InputError, match=r"no column gin, mop: choose from index, id, .*flip"):
        read.read(["gin", "map", "mop"])
    with pytest.raises(InputError, match="no column gin"):
        read.iterate(["gin"])


def test_a_run_of_another_problem_has_no_classes_labels_or_maps(tmp_path):
    rows = [{"index": 0, "id": "a", "error": 0.5}, {"index": 1, "id": "b", "skipped": "no number"}]
    config = {"data": {"count": 2}}
    write_run(tmp_path / "run", (Column("error"),), rows, config=config, about=ABOUT)
    read = Run(tmp_path / "run")
    assert read.classes == ()
    assert set(read.rows) == {"index", "id", "error"}
    assert read.skipped == [{"id": "b", "label": None, "skipped": "no number"}]
