"""Export of stored maps, read back by the libraries of the formats."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorstore

from salix import cli
from salix.store import Run, array_records, map_export, write_run
from salix.store.map_export import export_maps
from salix.typing import Column, InputError

COUNT = 13
MAP = Column("map", "Map", "The map.", 0, 255, dims=("y", "x"), shape=(4, 6), dtype="uint8")
METHODS = Column(
    "evaluation_map", "Maps of the methods", axis="method", coordinates=("A()", "B()"),
    dims=("method", "y", "x"), shape=(2, 4, 6), dtype="float16",
)  # fmt: skip
PACKAGE = "array_record.python.array_record_module"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with a map of one method and those of two, and a skipped example."""
    path = tmp_path_factory.mktemp("runs") / "run"
    rng = np.random.default_rng(0)
    rows = [
        {
            "index": i,
            "id": f"é{i}",
            "map": rng.integers(0, 256, MAP.shape).astype(np.uint8),
            "evaluation_map": rng.random(METHODS.shape).astype(np.float16),
            "gini": 0.5,
        }
        for i in range(COUNT)
    ]
    rows[5] = {"index": 5, "id": "é5", "skipped": "no image"}
    config = {"data": {"count": COUNT}}
    columns = (Column("gini", "Gini"), MAP, METHODS)
    write_run(path, columns, rows, config=config, about={"name": "a/b", "group": "a"})
    return Run(path)


@pytest.fixture
def small(monkeypatch):
    """Blocks of five rows, chunks of one, files of four."""
    monkeypatch.setattr(map_export, "BLOCK", 5 * 2 * 2 * 4 * 6)
    monkeypatch.setattr(array_records, "FILE", 4 * 2 * 2 * 4 * 6)


def check_index(folder, run):
    index = pq.read_table(folder / "index.parquet", partitioning=None).to_pydict()
    assert index["id"] == list(run.rows["id"])
    assert index["index"] == list(run.rows["index"])
    assert index["row"] == [*range(COUNT - 1)]


def test_zarr_arrays_have_the_maps(run, small, tmp_path, capsys):
    command = ["runs", "export", str(run.path), "--maps", "zarr", "--out", str(tmp_path)]
    assert cli.main(command) == 0
    folder = tmp_path / "model=a%2Fb"
    assert capsys.readouterr().out == f"{folder}\n"
    check_index(folder, run)
    for name in ("map", "evaluation_map"):
        path = {"driver": "file", "path": str(folder / "maps.zarr" / name)}
        array = tensorstore.open({"driver": "zarr3", "kvstore": path}).result()
        np.testing.assert_array_equal(array.read().result(), run.rows[name])
        assert len([*(folder / "maps.zarr" / name / "c").iterdir()]) == 3  # shards
    assert not list(tmp_path.rglob("*.tmp"))


def test_zarr_itself_reads_them(run, small, tmp_path):
    zarr = pytest.importorskip("zarr")
    (folder,) = export_maps([run], tmp_path, format="zarr")
    group = zarr.open_group(folder / "maps.zarr", mode="r")
    assert group.attrs["rows"] == COUNT - 1
    for name in ("map", "evaluation_map"):
        np.testing.assert_array_equal(group[name][:], run.rows[name])
        np.testing.assert_array_equal(group[name][7], run.rows[name][7])
    assert group["evaluation_map"].attrs["coordinates"] == ["A()", "B()"]
    assert group["map"].metadata.dimension_names == ("row", "y", "x")
    assert group["map"].chunks == (5, 4, 6)


def test_records_have_the_maps(run, small, tmp_path):
    module = pytest.importorskip(PACKAGE)
    (folder,) = export_maps([run], tmp_path, format="array_record")
    check_index(folder, run)
    about = json.loads((folder / "maps.json").read_text())
    assert (about["rows"], about["rows_per_file"]) == (COUNT - 1, 4)
    for column in about["columns"]:
        assert len(column["files"]) == 3
        readers = [module.ArrayRecordReader(str(folder / name)) for name in column["files"]]
        records = [record for reader in readers for record in reader.read_all()]
        maps = [np.frombuffer(r, column["dtype"]).reshape(column["shape"]) for r in records]
        np.testing.assert_array_equal(maps, run.rows[column["name"]])


def test_columns_are_chosen(run, tmp_path):
    (folder,) = export_maps([run], tmp_path, format="zarr", columns=["map"])
    assert sorted(p.name for p in (folder / "maps.zarr").iterdir()) == ["map", "zarr.json"]
    with pytest.raises(InputError, match="column gini is no array of numbers: leave it out"):
        export_maps([run], tmp_path / "x", format="zarr", columns=["gini"])
    with pytest.raises(InputError, match="no run has the column gone"):
        export_maps([run], tmp_path / "x", format="zarr", columns=["gone"])


def test_exports_that_cannot_be_are_refused(run, tmp_path, monkeypatch, capsys):
    about = {"name": "bare", "group": "bare"}
    write_run(tmp_path / "bare", (), [], config={"data": {"count": 0}}, about=about)
    with pytest.raises(InputError, match="bare has no maps: sweep into a new --out without --maps"):
        export_maps([run, Run(tmp_path / "bare")], tmp_path / "out", format="zarr")
    monkeypatch.setattr(array_records, "MODULE", "array_record.gone")
    with pytest.raises(InputError, match=r"array_record cannot be imported .* 'salix\[array-rec"):
        export_maps([run], tmp_path / "out", format="array_record")
    options = ["--maps", "zarr", "--format", "csv", "--out", str(tmp_path / "out")]
    assert cli.main(["runs", "export", str(run.path), *options]) == 2
    assert "--format is that of rows" in capsys.readouterr().err
    monkeypatch.setattr(map_export, "write_stream", lambda *a: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export_maps([run], tmp_path / "out", format="zarr")
    assert not list((tmp_path / "out").iterdir())
