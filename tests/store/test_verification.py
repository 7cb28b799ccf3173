"""Verification, repair and summaries of run directories."""

import json
import os
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from salix import cli
from salix.engine import run as engine_run
from salix.store import Run, verification
from salix.store.claim import Claim
from salix.store.listing import find_runs, summarise
from salix.store.ranges import describe_file
from salix.store.verification import repair, verify
from salix.typing import InputError
from tests.store.small_runs import COUNT, compute


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of three ranges and one of one, with a part for each batch."""
    path = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_run, "FLUSH_SECONDS", -1.0)
        compute(path / "cut")
        compute(path / "one", None)
    return path


@pytest.fixture(params=["cut", "one"])
def run(request, runs, tmp_path):
    """A copy of a finished run."""
    return shutil.copytree(runs / request.param, tmp_path / "run")


def part(run, number):
    return next(run.rglob(f"part-{number:09d}-*.parquet"))


def flip(path, position, bits=255):
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ bits]))


def test_a_finished_run_is_in_order(run, capsys):
    before = {p: p.stat().st_mtime_ns for p in run.rglob("*")}
    result = verify(run)
    assert (result.rows, result.defects, result.notes, len(result.sound)) == (COUNT, [], [], 6)
    assert cli.main(["runs", "verify", str(run)]) == 0
    assert capsys.readouterr().out == f"{run}: 44 of 44 rows in 6 parts, no defects\n"
    assert {p: p.stat().st_mtime_ns for p in run.rglob("*")} == before


def test_a_flipped_byte_anywhere_is_detected(run):
    rng = np.random.default_rng(0)
    for number in range(6):
        path = part(run, number)
        size, content = path.stat().st_size, path.read_bytes()
        places = {
            0,
            3,
            4,
            8,
            20,
            size - 1,
            size - 6,
            size - 9,
            size - 40,
            *rng.integers(0, size, 4),
        }
        for position in sorted(map(int, places)):
            flip(path, position, int(rng.integers(1, 256)))
            assert [d.part.path for d in verify(run).damaged] == [path], position
            path.write_bytes(content)


def test_without_hashes_pages_are_compared_with_their_checksums(run):
    for mark in run.rglob("range.json"):
        mark.unlink()
    result = verify(run)
    assert result.defects == []
    assert any("range.json is not there: pages have checksums" in note for note in result.notes)
    flip(part(run, 2), part(run, 2).stat().st_size // 3)
    assert len(verify(run).damaged) == 1


def rewrite(path, change):
    table = pq.read_table(path)
    metadata = table.schema.metadata
    pq.write_table(change(table).replace_schema_metadata(metadata), path, write_page_checksum=True)


def rename_ids(table):
    place = table.schema.get_field_index("id")
    return table.set_column(place, "id", pa.array([f"n{i % 4:02d}" for i in range(len(table))]))


def copy(path, name):
    shutil.copy(path, path.with_name(name))


DEFECTS = {
    "truncated": (lambda run: os.truncate(part(run, 2), 99), "has 99 bytes, "),
    "deleted": (lambda run: part(run, 2).unlink(), "parquet is not there."),
    "hole": (lambda run: part(run, 2).unlink(), "Examples 16 to 23 of 44 have no row."),
    "range": (lambda run: shutil.rmtree(part(run, 2).parent), "Examples 16 to 31 of 44 have no"),
    "short": (lambda run: rewrite(part(run, 2), lambda t: t[:5]), "has 5 rows of 8"),
    "order": (lambda run: rewrite(part(run, 2), lambda t: t[::-1]), "the rows of other examples"),
    "schema": (
        lambda run: rewrite(part(run, 2), lambda t: t.drop_columns(["square"])),
        "has no column square",
    ),
    "ids": (lambda run: rewrite(part(run, 2), rename_ids), "The ids are not those of the manifest"),
    "repeated ids": (
        lambda run: rewrite(part(run, 2), rename_ids),
        "Id 'n00' has rows 0 and 16. Id 'n01' has rows 1 and 17.",
    ),
    "repeated batches": (
        lambda run: copy(part(run, 2), "part-0000000002-000000002.parquet"),
        "repeats batches of part-",
    ),
    "beyond": (
        lambda run: copy(part(run, 2), "part-000000099-000000099.parquet"),
        "has no batches of 0 to 5 in its name",
    ),
    "extra": (lambda run: part(run, 2).rename(run / part(run, 2).name), "not in the folder of its"),
    "mark": (lambda run: (part(run, 2).parent / "range.json").write_text("{"), "json is damaged."),
    "manifest": (
        lambda run: (run / "manifest.json").write_text(
            (run / "manifest.json").read_text().replace('"seed": 0', '"seed": 1')
        ),
        "manifest.json is damaged: its hash is not that of its config.",
    ),
}  # fmt: skip
UNMARKED = {"short", "order", "schema", "ids", "repeated ids"}  # seen where the hash is none


@pytest.mark.parametrize("name", DEFECTS)
def test_defects_are_named_and_mended_by_the_same_sweep(name, runs, tmp_path, capsys):
    run = shutil.copytree(runs / "cut", tmp_path / "run")
    if name in UNMARKED:
        (part(run, 2).parent / "range.json").unlink()
    change, sentence = DEFECTS[name]
    change(run)
    assert sentence in " ".join(verify(run).defects)
    assert cli.main(["runs", "verify", str(run)]) == 1
    assert sentence.split("  ")[0].split(" Id ")[0] in capsys.readouterr().out
    if name == "manifest":  # the sweep refuses it
        return
    assert cli.main(["runs", "verify", "--repair", str(run)]) == 1
    if name in ("ids", "repeated ids"):  # no damage that can be told from the part
        return
    assert compute(run).table.equals(Run(runs / "cut").table)
    assert verify(run).defects == []


def test_few_ids_are_in_memory_at_once(runs, tmp_path, monkeypatch):
    run = shutil.copytree(runs / "cut", tmp_path / "run")
    (part(run, 2).parent / "range.json").unlink()
    rewrite(part(run, 2), rename_ids)
    expected = verify(run).defects
    assert len(expected) == verification.SHOWN + 1
    monkeypatch.setattr(verification, "IDS_AT_ONCE", 10)
    monkeypatch.setattr(verification, "SHOWN", 9)
    assert len(verify(run).defects) == 8 + 1


def test_repair_keeps_damaged_parts_under_a_name_that_no_search_reads(run, runs, capsys):
    flip(part(run, 2), 100)
    assert cli.main(["runs", "verify", "--repair", str(run)]) == 1
    output = capsys.readouterr()
    (aside,) = run.rglob("_set-aside-*")
    assert aside.name == "_set-aside-part-000000002-000000002.parquet.damaged"
    assert "set aside as _set-aside-part-000000002" in output.err
    assert "next: the same sweep again" in output.out
    assert compute(run, None).table.equals(Run(runs / "cut").table)
    assert cli.main(["runs", "verify", str(run)]) == 0
    assert pa.concat_tables([pq.read_table(p) for p in run.rglob("*.parquet")]).num_rows == COUNT


def test_a_sweep_leaves_a_flipped_byte_of_a_finished_range_to_verify(runs, tmp_path, capsys):
    run = shutil.copytree(runs / "cut", tmp_path / "run")
    damaged = part(run, 2)
    flip(damaged, 100)
    content = damaged.read_bytes()
    compute(run)
    assert damaged.read_bytes() == content
    assert cli.main(["runs", "verify", "--repair", str(run)]) == 1
    assert "has another SHA-256 than in range.json" in capsys.readouterr().out
    assert compute(run).table.equals(Run(runs / "cut").table)
    assert cli.main(["runs", "verify", str(run)]) == 0


def test_runs_that_are_being_written_are_not_repaired(run):
    flip(part(run, 2), 100)
    with Claim(part(run, 2).parent):
        result = verify(run)
        assert any("is being written by process" in note for note in result.notes)
        with pytest.raises(InputError, match="is being written by process"):
            repair(result)
    assert part(run, 2).exists()


def test_an_unfinished_run_is_verified_as_far_as_it_is(tmp_path, capsys):
    run = compute(tmp_path / "run", shard="1/3").path
    result = verify(run)
    assert result.defects == [f"Examples {n} of 44 have no row." for n in ("0 to 15", "32 to 43")]
    assert result.notes == ["Ids are compared with the manifest once every row is there."]
    assert cli.main(["runs", "verify", str(run)]) == 1
    assert "next: the same sweep again, which computes what is missing" in capsys.readouterr().out


def test_runs_below_a_folder_are_listed(runs, tmp_path, capsys):
    shutil.copytree(runs, tmp_path / "all")
    run = compute(tmp_path / "all" / "deep" / "part", shard="0/3").path
    os.truncate(part(tmp_path / "all" / "one", 2), 99)
    (tmp_path / "all" / "broken").mkdir()
    (tmp_path / "all" / "broken" / "manifest.json").write_text("{")
    (tmp_path / "all" / "training").mkdir()
    manifest = json.loads((run / "manifest.json").read_text()) | {"config": {"kind": "training"}}
    (tmp_path / "all" / "training" / "manifest.json").write_text(json.dumps(manifest))
    with Claim(run / "range=000000"):
        assert cli.main(["runs", "list", "--json", str(tmp_path / "all")]) == 0
    rows = {r["name"]: r for r in map(json.loads, capsys.readouterr().out.splitlines())}
    cut, one, part_, broken = (rows[name] for name in ("cut", "one", "part", ""))
    assert (cut["rows"], cut["count"], cut["finished_ranges"], cut["ranges"]) == (44, 44, 3, 3)
    assert (cut["skipped"], cut["damaged"], cut["writers"]) == (1, 0, [])
    assert cut["bytes"] == sum(p.stat().st_size for p in (runs / "cut").rglob("*") if p.is_file())
    assert (one["rows"], one["damaged"], one["finished_ranges"]) == (36, 1, 0)
    assert (part_["rows"], part_["finished_ranges"]) == (16, 1)
    assert part_["writers"][0].startswith(f"process {os.getpid()} on ")
    assert "is not readable JSON" in broken["error"]
    assert len(rows) == 4
    assert cli.main(["runs", "list", str(runs)]) == 0
    line = capsys.readouterr().out.splitlines()[0]
    assert line.startswith(f"{runs / 'cut'}: cut, no model, 44 of 44 images, 3 of 3 ranges, 1 skip")
    with pytest.raises(InputError, match="is no directory"):
        list(find_runs([tmp_path / "none"]))
    assert summarise(tmp_path / "all" / "training") is None


def test_marks_have_the_hashes_of_parts(run):
    for mark in run.rglob("range.json"):
        for name, file in json.loads(mark.read_text())["parts"].items():
            assert file == describe_file(mark.parent / name)
