"""Damaged, foreign and deleted parts: named, set aside, computed again; and two writers."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from salix import report
from salix.engine import run as engine_run
from salix.engine import run_problem
from salix.store import Run
from salix.typing import Column, InputError

COUNT = 44  # in six batches of eight


@dataclass(frozen=True)
class Numbers:
    """Numbers as examples."""

    columns: tuple[Column, ...] = ()
    ids = tuple(f"n{i:02d}" for i in range(COUNT))
    sleep: float = 0.0

    def load(self, index):
        """Return one number, slowly."""
        time.sleep(self.sleep)
        return np.float32(index)

    def describe(self, index, example):
        """Return nothing."""
        return {}

    def identity(self):
        """Return nothing."""
        return {}


@dataclass(frozen=True)
class Power:
    """Powers of a number."""

    columns: tuple[Column, ...] = (Column("square", "Square"), Column("values", "Values"))
    example = jax.ShapeDtypeStruct((), np.float32)

    def row(self, params, example, key):
        """Return the square, and values that take space."""
        noise = jax.random.normal(key, (256,))
        return {"square": example**2 * params, "values": noise}

    def identity(self):
        """Return the name."""
        return {"problem": "power"}


def compute(out, factor=1.0, **options):
    return run_problem(
        Power(), np.float32(factor), Numbers(**options), out=out, batch_size=8, workers=1
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Two finished runs of different weights, with one part for each batch."""
    path = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_run, "FLUSH_SECONDS", -1.0)
        compute(path / "run")
        compute(path / "other", 2.0)
    assert len(list((path / "run").glob("part-*"))) == COUNT // 8 + 1
    return path


def part(run, first, last=None):
    return run / f"part-{first:09d}-{first if last is None else last:09d}.parquet"


def rewrite(path, change):
    table = pq.read_table(path)
    pq.write_table(change(table).replace_schema_metadata(table.schema.metadata), path)


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 255  # in the pages of values
    path.write_bytes(bytes(content))


# name: (what happens to the run, the sentence on the damage, the rows that are lost)
DAMAGES = {
    "truncated": (lambda run, _: os.truncate(part(run, 2), 999), "000002.parquet cannot be read"),
    "short": (lambda run, _: os.truncate(part(run, 2), 3), "cannot be read"),
    "empty": (lambda run, _: os.truncate(part(run, 2), 0), "is empty"),
    "zeros": (lambda run, _: part(run, 2).write_bytes(bytes(9999)), "cannot be read"),
    "foreign file": (lambda run, _: part(run, 2).write_text("hello " * 99), "cannot be read"),
    "folder": (lambda run, _: (part(run, 2).unlink(), part(run, 2).mkdir()), "cannot be read"),
    "another run": (
        lambda run, other: shutil.copy(part(other, 2), part(run, 2)),
        "is a part of another run",
    ),
    "deleted": (lambda run, _: part(run, 2).unlink(), "Examples 16 to 23 of 44 have no row"),
    "fewer rows": (lambda run, _: rewrite(part(run, 2), lambda t: t[:5]), "has 5 rows of 8"),
    "repeated rows": (
        lambda run, _: rewrite(part(run, 2), lambda t: pa.concat_tables([t, t])),
        "has 16 rows of 8",
    ),
    "no column": (
        lambda run, _: rewrite(part(run, 2), lambda t: t.drop_columns(["square"])),
        "has no column square",
    ),
    "another type": (
        lambda run, _: rewrite(
            part(run, 2),
            lambda t: t.set_column(3, "square", t["square"].cast(pa.float64())),
        ),
        "has square in another type, double",
    ),
    "dangling link": (
        lambda run, _: (part(run, 2).unlink(), part(run, 2).symlink_to("none")),
        "cannot be read",
    ),
}
# Damages after which all rows are there
HARMLESS = {
    "overlap": (
        lambda run, _: shutil.copy(part(run, 2), part(run, 1, 2)),
        "has 8 rows of 16",
    ),
    "repeated part": (
        lambda run, _: (run / "part-0000000002-0000000002.parquet").write_bytes(
            part(run, 2).read_bytes()
        ),
        "repeats batches of",
    ),
    "beyond the end": (
        lambda run, _: shutil.copy(part(run, 2), part(run, 99)),
        "has no batches of 0 to 5 in its name",
    ),
    "backwards": (
        lambda run, _: shutil.copy(part(run, 2), part(run, 2, 1)),
        "has no batches of 0 to 5 in its name",
    ),
}


def same(a, b):
    return repr(a.table.to_pylist()) == repr(b.table.to_pylist())


@pytest.mark.parametrize("name", [*DAMAGES, *HARMLESS])
def test_damage_is_named_and_mended(name, whole, tmp_path, capsys):
    damage, sentence = (DAMAGES | HARMLESS)[name]
    run = shutil.copytree(whole / "run", tmp_path / "run")
    damage(run, whole / "other")
    read = Run(run)
    assert read.complete == (name in HARMLESS)
    assert sentence in " ".join(read.missing)
    indices = [i for i in range(COUNT) if name in HARMLESS or i // 8 != 2]
    assert read.rows["index"].tolist() == indices
    resumed = compute(run)
    assert same(resumed, Run(whole / "run"))
    assert (resumed.missing, resumed.complete) == ([], True)
    aside = [p.name for p in run.glob("_set-aside-*")]
    assert len(aside) == (name != "deleted")
    if aside:
        line = capsys.readouterr().err
        assert sentence in line
        assert f"set aside as {aside[0]}; missing examples are computed again" in line
        entry = resumed.manifest["about"]["set_aside"][0]
        assert entry["renamed"] == aside[0]
    compute(run)
    assert capsys.readouterr().err == ""


def test_a_page_of_a_damaged_run_tells_what_is_missing(whole, tmp_path):
    run = shutil.copytree(whole / "run", tmp_path / "run")
    os.truncate(part(run, 2), 999)
    part(run, 5).unlink()
    page = report.write([Run(run)], tmp_path / "page.html").read_text()
    assert "32 of 44 images: the sweep is unfinished" in page
    for sentence in (
        "part-000000002-000000002.parquet cannot be read",
        "Examples 16 to 23 of 44 have no row.",
        "Examples 40 to 43 of 44 have no row.",
        "Run the same sweep again to compute what is missing.",
    ):
        assert sentence in page


def test_damage_inside_a_page_is_seen_by_its_checksum(whole, tmp_path, capsys):
    run = shutil.copytree(whole / "run", tmp_path / "run")
    flip(part(run, 2))
    with pytest.raises(InputError, match=r"000002.parquet is damaged.*run the same sweep again"):
        _ = Run(run).rows
    assert same(compute(run), Run(whole / "run"))
    assert "set aside" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not readable JSON: restore it"),
        (b'{"format": 2', "not readable JSON"),
        (b"\xff\xfe", "not readable JSON"),
        (b"[]", "has format None, expected 2"),
        (b'{"format": 2}', "has no usable hash, config, columns, about"),
        (None, "has parts of a run and no manifest.json"),
    ],
)
def test_a_damaged_manifest_is_refused_and_nothing_is_deleted(whole, tmp_path, content, message):
    run = shutil.copytree(whole / "run", tmp_path / "run")
    if content is None:
        (run / "manifest.json").unlink()
    else:
        (run / "manifest.json").write_bytes(content)
    before = sorted(p.name for p in run.iterdir())
    with pytest.raises(InputError, match=message):
        compute(run)
    if content is not None:
        with pytest.raises(InputError, match=message):
            report.write([Run(run)], tmp_path / "page.html")
    assert sorted(p.name for p in run.iterdir()) == before


WRITER = """
import sys
sys.path.insert(0, {folder!r})
from test_damage import compute, engine_run
from salix.typing import InputError
engine_run.FLUSH_SECONDS = -1.0
try:
    print(compute(sys.argv[1], sleep={sleep}).complete)
except InputError as error:
    print("refused", error)
"""


def start(out, sleep):
    code = WRITER.format(folder=str(Path(__file__).parent), sleep=sleep)
    command = [sys.executable, "-c", code, str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_two_processes_do_not_write_one_run(whole, tmp_path, kill_after_first_part):
    out = tmp_path / "run"
    with start(out, 0.2) as first, start(out, 0.2) as second:
        texts = [process.communicate(timeout=300) for process in (first, second)]
    refused = [text for text, _ in texts if text.startswith("refused")]
    assert len(refused) == 1
    assert "is being written by process" in refused[0]
    assert [text for text, _ in texts if text == "True\n"]
    assert "Traceback" not in str(texts)
    assert same(Run(out), Run(whole / "run"))
    with start(tmp_path / "killed", 0.2) as process:
        kill_after_first_part(process, tmp_path / "killed")
    assert json.loads((tmp_path / "killed/writer.json").read_text())["pid"] == process.pid
    assert same(compute(tmp_path / "killed"), Run(whole / "run"))
    assert not list((tmp_path / "killed").glob("*.tmp"))
    assert not (tmp_path / "killed/writer.json").exists()
