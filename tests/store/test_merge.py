"""Merge of runs of one configuration, and compaction."""

import json
import os
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from salix import cli
from salix.engine import run as engine_run
from salix.store import Run, merge, writer
from salix.store.merge import differing_rows, merge_runs
from salix.store.parts import parts
from salix.store.verification import verify
from salix.typing import Column, InputError
from tests.store.small_runs import COUNT, compute


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    """Runs of shards with directories of their own, in small parts, and one of all rows."""
    path = tmp_path_factory.mktemp("workers")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_run, "FLUSH_SECONDS", -1.0)
        compute(path / "w0", shard="0/2")
        compute(path / "w1", shard="1/2")
        compute(path / "all", None)
    return path


@pytest.fixture
def expected(workers):
    return Run(workers / "all").table


def command(out, *paths):
    return ["runs", "merge", *map(str, paths), "--out", str(out)]


def content(path):
    return {p: p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def test_workers_apart_make_one_run_of_one_part_a_range(workers, expected, tmp_path, capsys):
    before, out = content(workers), tmp_path / "out"
    arguments = command(out, workers / "w0", workers / "w1")
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out == f"{out}: 2 runs in 3 parts\n"
    assert Run(out).table.equals(expected)
    result = verify(out)
    assert (result.defects, result.notes) == ([], [])
    assert content(workers) == before
    stamps = content(out)
    assert cli.main(arguments) == 0
    assert content(out) == stamps
    assert compute(out).table.equals(expected)  # the same sweep has nothing to do
    assert content(out) == stamps


def test_a_single_run_is_compacted(workers, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "GROUP_ROWS", 10)
    run = merge_runs([workers / "all"], tmp_path / "out")
    (part,) = parts(run.path)
    groups = pq.read_metadata(part.path)
    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [10] * 4 + [4]
    assert run.table.equals(expected)
    assert verify(run.path).defects == []
    again = merge_runs([run.path], tmp_path / "again")
    assert again.table.equals(expected)


@pytest.mark.parametrize("order", [("w0", "all"), ("all", "w0")])
def test_runs_of_other_ranges_are_united_in_those_of_the_first(order, workers, expected, tmp_path):
    run = merge_runs([workers / name for name in order], tmp_path / "out")
    assert run.table.equals(expected)
    assert len(list(run.path.glob("range=*"))) == (3 if order[0] == "w0" else 0)


def test_an_incomplete_merge_goes_on_by_a_merge_or_a_sweep(workers, expected, tmp_path, capsys):
    assert cli.main(command(tmp_path / "out", workers / "w1")) == 0
    printed = capsys.readouterr().out
    assert "Examples 0 to 15 of 44 have no row." in printed
    assert "next: the same sweep" in printed
    shutil.copytree(tmp_path / "out", tmp_path / "sweep")
    assert compute(tmp_path / "sweep").table.equals(expected)
    assert merge_runs([workers / "w1", workers / "w0"], tmp_path / "out").table.equals(expected)


def test_damaged_parts_are_left_out_and_an_interrupted_range_goes_on(
    workers, expected, tmp_path, capsys, monkeypatch
):
    copy = shutil.copytree(workers / "w0", tmp_path / "w0")
    part = next((copy / "range=000000").glob("part-000000001-*"))
    os.truncate(part, 99)
    run = merge_runs([copy, workers / "w1"], tmp_path / "out")
    assert f"{part} has 99 bytes" in capsys.readouterr().err
    assert run.missing == ["Examples 8 to 15 of 44 have no row."]
    rows = merge._merged
    monkeypatch.setattr(merge, "_merged", lambda *a: (1 / 0 for _ in [0]))
    with pytest.raises(ZeroDivisionError):
        merge_runs([workers / "w0"], tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.tmp"))
    assert not list((tmp_path / "out").rglob("writer.json"))
    monkeypatch.setattr(merge, "_merged", rows)
    assert merge_runs([workers / "w0"], tmp_path / "out").table.equals(expected)


def test_different_rows_of_one_batch_are_refused_with_their_ids(workers, tmp_path):
    copy = shutil.copytree(workers / "w0", tmp_path / "w0")
    path = next((copy / "range=000000").glob("part-000000001-*"))
    table = pq.read_table(path)
    values = table["square"].to_numpy().copy()
    values[3] = np.nextafter(values[3], np.float32(np.inf))
    place = table.schema.get_field_index("square")
    table = table.set_column(place, table.schema.field("square"), pa.array(values))
    pq.write_table(table, path, write_page_checksum=True)
    (path.parent / "range.json").unlink()
    with pytest.raises(InputError, match=r"have different rows of 'n11': they were computed by"):
        merge_runs([workers / "w0", copy], tmp_path / "out")
    assert not list((tmp_path / "out").rglob("part-*"))
    assert merge_runs([workers / "w0", workers / "w0"], tmp_path / "out").missing


def test_runs_that_do_not_belong_together_are_refused(workers, tmp_path):
    other = compute(tmp_path / "other", factor=3).path
    with pytest.raises(InputError, match=r"of another configuration than .*the weights of the mod"):
        merge_runs([workers / "w0", other], tmp_path / "out")
    with pytest.raises(InputError, match="is one of the runs to merge: give a new directory"):
        merge_runs([workers / "w0", workers / "w1"], workers / "w1")
    with pytest.raises(InputError, match=r"holds a run of another configuration"):
        merge_runs([workers / "w0"], other)
    copy = shutil.copytree(workers / "w0", tmp_path / "w0")
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["columns"][-1]["shape"] = [9]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="has other columns than"):
        merge_runs([workers / "w0", copy], tmp_path / "out")
    del manifest["config"]["batch_size"]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="has rows without batches"):
        merge_runs([copy], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_rows_are_compared_to_the_bit():
    columns = (Column("x", "X", dims=("d",), shape=(2,)), Column("n", "N", dtype="string"))
    field = pa.list_(pa.float32(), 2)

    def table(x, n):
        return pa.table({"x": pa.array(x, field), "n": pa.array(n, pa.string())})

    nan = float("nan")
    a = table([[1, nan], None, [0.0, 2], [3, 4], [5, 6]], ["a", None, "c", "d", None])
    assert not differing_rows(columns, a, a).any()
    b = table([[1, nan], [nan, nan], [-0.0, 2], [3, 4], [5, 6]], ["a", None, "c", "d", ""])
    assert differing_rows(columns, a, b).tolist() == [False, True, True, False, True]
    assert len(a) < COUNT
