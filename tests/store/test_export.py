"""Export of runs as one data set, and searches for Parquet in run directories."""

import os

import pyarrow.csv
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from salix import cli
from salix.store import Run, export, write_run
from salix.store.export import export_runs
from salix.typing import Column, InputError
from tests.store.small_runs import COUNT, compute


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of three ranges, one of one, and one with another column."""
    path = tmp_path_factory.mktemp("runs")
    cut = compute(path / "cut", name="a b/ü")
    part = next(cut.path.glob("range=000001/part-*"))
    os.truncate(part, 99)
    compute(path / "cut")  # sets the part aside
    compute(path / "one", None, factor=3)
    columns = (Column("noise", "Noise", dims=("d",), shape=(8,)), Column("other", "Other"))
    rows = [{"index": i, "id": f"n{i}", "other": i} for i in range(3)]
    about = {"name": "third", "group": "third"}
    write_run(path / "third", columns, rows, config={"data": {"count": 3}}, about=about)
    return path


def opened(runs, *names):
    return [Run(runs / name) for name in names]


def test_an_export_is_one_data_set(runs, tmp_path, capsys):
    paths = [str(runs / name) for name in ("cut", "one", "third")]
    assert cli.main(["runs", "export", *paths, "--out", str(tmp_path / "rows")]) == 0
    folders = capsys.readouterr().out.splitlines()
    assert folders[0].endswith("rows/model=a%20b%2F%C3%BC")
    table = pyarrow.dataset.dataset(tmp_path / "rows", partitioning="hive").to_table()
    assert table.num_rows == 2 * COUNT + 3
    assert set(table["model"].to_pylist()) == {"a b/ü", "one", "third"}
    for name, column in (("cut", "square"), ("one", "noise"), ("third", "other")):
        run = Run(runs / name)
        rows = table.filter(pyarrow.compute.equal(table["model"], run.name)).sort_by("index")
        assert rows[column].to_pylist() == run.table[column].to_pylist()
        assert rows["id"].to_pylist() == run.table["id"].to_pylist()
    assert str(table.schema.field("noise").type).startswith("fixed_size_list")
    assert table.filter(pyarrow.compute.equal(table["model"], "third"))["square"].null_count == 3
    files = sorted(p.relative_to(tmp_path / "rows").parts[1:] for p in tmp_path.rglob("*.parquet"))
    assert files[-1] == ("range=000002", "part-000000.parquet")
    with pytest.raises(InputError, match=r"has model=one already: remove it, or use a new --out"):
        export_runs(opened(runs, "one"), tmp_path / "rows")


def count_rows(reader, pattern, hive):
    module = pytest.importorskip(reader)
    if reader == "duckdb":
        rows = module.read_parquet(str(pattern), hive_partitioning=hive)
        return rows.aggregate("count(*), count(distinct id)").fetchall()[0]
    if reader == "polars":
        frame = module.read_parquet(pattern, hive_partitioning=hive)
        return frame.height, frame["id"].n_unique()
    frame = module.read_parquet([*map(str, pattern.parent.parent.rglob("*.parquet"))])
    return len(frame), frame["id"].nunique()


@pytest.mark.parametrize("reader", ["duckdb", "polars", "pandas"])
def test_other_readers_read_each_row_once(reader, runs, tmp_path):
    assert count_rows(reader, runs / "cut" / "**" / "*.parquet", False) == (COUNT, COUNT)
    assert count_rows(reader, runs / "one" / "**" / "*.parquet", False) == (COUNT, COUNT)
    export_runs(opened(runs, "cut", "one"), tmp_path / "rows")
    rows = count_rows(reader, tmp_path / "rows" / "**" / "*.parquet", True)
    assert rows == (2 * COUNT, COUNT)


def test_arrow_reads_each_row_of_a_run_once(runs):
    assert list((runs / "cut").rglob("_set-aside-*.damaged"))
    files = [*map(str, (runs / "cut").rglob("*.parquet"))]
    assert pyarrow.dataset.dataset(files).to_table(["id"]).num_rows == COUNT
    found = pyarrow.dataset.dataset(runs / "cut", exclude_invalid_files=True)
    assert found.to_table(["id"]).num_rows == COUNT


def test_chosen_columns_as_csv(runs, tmp_path):
    export_runs(opened(runs, "cut"), tmp_path, columns=["id", "square", "noise"], format="csv")
    files = sorted(tmp_path.rglob("*.csv"))
    assert len(files) == 3
    table = pyarrow.csv.read_csv(files[0])
    assert table.column_names == ["id", "square", "noise"]
    assert table["noise"][0].as_py().startswith("[")
    export_runs(opened(runs, "cut"), tmp_path / "all", format="csv")
    names = pyarrow.csv.read_csv(next((tmp_path / "all").rglob("*.csv"))).column_names
    assert names == ["index", "id", "skipped", "square"]


def test_exports_that_cannot_be_are_refused(runs, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="no run has the column gone: choose from index, id"):
        export_runs(opened(runs, "cut"), tmp_path / "rows", columns=["gone"])
    about = {"name": "wide", "group": "wide"}
    columns = (Column("square", "Square", dims=("d",), shape=(2,)), Column("range", "Range"))
    write_run(tmp_path / "wide", columns, [], config={"data": {"count": 0}}, about=about)
    wide = Run(tmp_path / "wide")
    with pytest.raises(InputError, match=r"column square is float32 \(\) in .* and float32 \(2,\)"):
        export_runs([*opened(runs, "cut"), wide], tmp_path / "rows")
    with pytest.raises(InputError, match="column range has the name of a folder level"):
        export_runs([wide], tmp_path / "rows")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file: give --out a folder"):
        export_runs(opened(runs, "one"), tmp_path / "file")
    monkeypatch.setattr(export, "write_stream", lambda *a: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export_runs(opened(runs, "one"), tmp_path / "rows")
    assert not list((tmp_path / "rows").iterdir())


def test_what_a_run_lacks_is_named(runs, tmp_path, capsys):
    run = compute(tmp_path / "part", shard="0/3")
    export_runs([run], tmp_path / "rows")
    assert "Examples 16 to 43 of 44 have no row. The export goes without" in capsys.readouterr().err
    (file,) = (tmp_path / "rows").rglob("*.parquet")
    assert pq.read_table(file, partitioning=None).num_rows == 16
