"""Packed data sets: rows equal to those of the files, resumption, damage, bad input."""

import json
import os
import pickle
import re
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import salix
from salix.atomic import atomic
from salix.cli import main
from salix.cli.face_options import FaceOptions
from salix.data import Folder, ImageExamples, Packed, Unreadable, open_source, pack, packing
from salix.data.packed_layout import DESCRIPTION
from salix.preprocess import Preprocess
from salix.report.face_crops import describe_rule
from salix.typing import InputError

TO = Preprocess((12, 10))
BROKEN = {f"images/train/{name}.png" for name in ("real/04", "fake/05")}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Twenty-three images of two classes and several sizes, two of them broken; some have masks."""
    root, rng = tmp_path_factory.mktemp("files"), np.random.default_rng(0)
    lines = ["path,label,map,group"]
    for i in range(23):
        name = f"train/{('real', 'fake')[i % 2]}/{i:02d}.png"
        path = root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shape = (20 + i, 31 - i, 3)[: 2 + (i % 3 > 0)]
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(path)
        mask = ""
        if i % 4 == 1:
            mask = f"masks/{i:02d}.png"
            (root / "masks").mkdir(exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (9, 14), np.uint8)).save(root / mask)
        lines.append(f"images/{name},{i % 2},{mask},video{i // 5}")
    for i, name in ((4, "real"), (5, "fake")):
        path = root / f"images/train/{name}/{i:02d}.png"
        path.write_bytes(path.read_bytes()[:200])
    (root / "list.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="module")
def model():
    """A linear model of two classes, whose preprocessing is that of the packed images."""
    weights = np.random.default_rng(1).normal(size=(3, 2)).astype(np.float32)
    return lambda to: salix.from_function(
        lambda w, x: (x**2).mean((0, 1)) @ w[: x.shape[-1]], weights, preprocess=to,
        classes=("real", "fake"),
    )  # fmt: skip


def sweep(model, to, source, out, **options):
    network, params = model(to)
    gradient = salix.attribution.Gradient()
    return salix.sweep(network, params, source, gradient, out=out, batch_size=8, **options)


GEOMETRIES = [
    TO,
    Preprocess((12, 10), fit="crop", interpolation="bicubic", mean=(0.5,), std=(0.2,)),
    Preprocess((8, 8), fit="crop", resize=11, interpolation="lanczos"),
    Preprocess((9, 9), 1, interpolation="nearest"),
]


@pytest.mark.parametrize("to", GEOMETRIES, ids=["stretch", "crop", "resize", "grey"])
def test_examples_are_equal_to_those_of_the_files(files, tmp_path, to):
    source = open_source([str(files / "list.csv")])
    packed = pack(source, to, tmp_path / "packed", shard_bytes=700)
    assert len(packed.shards) > 2
    mine, theirs = ImageExamples(packed, to), ImageExamples(source, to)
    for i in range(23):
        if source.ids[i] in BROKEN:
            with pytest.raises(Unreadable) as reason:
                source.read(i)
            with pytest.raises(Unreadable, match=re.escape(str(reason.value))):
                mine.load(i)
        else:
            example, expected = mine.load(i), theirs.load(i)
            for name in ("pixels", "reference_mask"):
                np.testing.assert_array_equal(example[name], expected[name], strict=True)


@pytest.mark.slow
def test_rows_are_equal_to_those_of_the_files(files, model, tmp_path):
    to, source = GEOMETRIES[2], open_source([str(files / "list.csv")])
    pack(source, to, tmp_path / "packed", shard_bytes=2000)
    ran = sweep(model, to, source, tmp_path / "files", metrics=["relevance_mass"])
    opened = open_source([str(tmp_path / "packed")])
    again = sweep(model, to, opened, tmp_path / "again", metrics=["relevance_mass"])
    assert repr(again.table.to_pylist()) == repr(ran.table.to_pylist())
    assert {row["id"] for row in again.skipped} == BROKEN


@pytest.mark.slow
def test_rows_are_equal_with_processes(files, model, tmp_path):
    source, to = open_source([str(files / "list.csv")]), GEOMETRIES[1]
    ran = sweep(model, to, source, tmp_path / "threads", metrics=["relevance_mass"])
    again = sweep(
        model, to, source, tmp_path / "processes", metrics=["relevance_mass"], loader="processes"
    )
    assert repr(again.table.to_pylist()) == repr(ran.table.to_pylist())
    packed = pack(source, to, tmp_path / "packed")
    by_processes = pack(source, to, tmp_path / "other", loader="processes", workers=2)
    assert by_processes.shards == packed.shards


def test_ids_labels_groups_and_masks_are_those_of_the_source(files, tmp_path):
    source = open_source([f"real={files / 'images/train/real'}", str(files / "list.csv")])
    packed = pack(source, TO, tmp_path / "packed", shard_bytes=3000)
    assert list(packed.ids) == list(source.ids)
    assert [packed.ids[i] for i in range(-3, 3)] == [source.ids[i] for i in range(-3, 3)]
    assert packed.ids[1:4] == source.ids[1:4]
    assert list(packed.labels) == list(source.labels)
    assert list(packed.groups) == list(source.groups)
    skipped = dict(packed.skipped())
    assert len(skipped) == 3
    for i, id in enumerate(source.ids):
        is_missing = source.reference_mask(i) is None or id in skipped
        assert (packed.reference_mask(i) is None) == is_missing
    assert list(Packed(packed.root, label="fake").labels) == ["fake"] * 35


def test_folders_deeper_than_the_first_remain_classes(files, tmp_path):
    source = open_source([str(files / "images")])
    packed = pack(source, TO, tmp_path / "packed")
    assert [label.folders for label in packed.labels] == [label.folders for label in source.labels]


def test_sources_of_packed_data_are_joined_grouped_and_sent_to_processes(files, tmp_path):
    for name in ("real", "fake"):
        pack(Folder(files / "images/train" / name), TO, tmp_path / name)
    texts = [f"{name}={tmp_path / name}" for name in ("real", "fake")]
    joined = open_source(texts, group_by=r"/(\d)")
    assert set(joined.labels) == {"real", "fake"}
    assert set(joined.groups) == {"0", "1", "2"}
    copy = pickle.loads(pickle.dumps(joined))
    np.testing.assert_array_equal(copy.read(0), joined.read(0))
    assert copy.identity() == joined.identity()


def test_faces_are_packed_as_they_are_cut(files, model, tmp_path, capsys):
    lines = ["id,x0,y0,x1,y1"]
    for i, id in enumerate(open_source([str(files / "list.csv")]).ids):
        lines += [f"{id},2,3,{12 + i % 5},14", f"{id},8,8,14,16"][: i % 3]
    boxes = tmp_path / "faces.csv"
    boxes.write_text("\n".join(lines))
    options = ["--boxes", str(boxes), "--margin", "0.1", "--several", "all"]
    size = ["--size", "12", "10", "--out", str(tmp_path / "packed")]
    assert main(["pack", str(files / "list.csv"), *options, *size]) == 0
    crops = FaceOptions(boxes, margin=0.1, several="all").cut(
        open_source([str(files / "list.csv")])
    )
    data = {"packed": Packed(tmp_path / "packed"), "crops": crops}
    assert list(data["packed"].ids) == list(crops.ids)
    assert any(id.endswith("#face=1") for id in crops.ids)
    runs = {name: sweep(model, TO, s, tmp_path / f"run-{name}") for name, s in data.items()}
    a, b = (run.table.to_pylist() for run in runs.values())
    assert repr(a) == repr(b)
    assert "no face" in str(a)
    assert describe_rule(runs["packed"]) == describe_rule(runs["crops"]) != ""
    with pytest.raises(InputError, match="detect faces before salix pack"):
        FaceOptions(faces="detect").cut(data["packed"])
    capsys.readouterr()
    options[-1] = "max"
    assert main(["pack", str(files / "list.csv"), *options, *size]) == 2
    assert "--several max and --no-face skip: packed faces know no" in capsys.readouterr().err


def test_a_model_of_another_geometry_is_refused_before_any_work(files, model, tmp_path):
    packed = pack(Folder(files / "images"), TO, tmp_path / "packed")
    other = Preprocess((12, 10), fit="crop", resize=15)
    source = open_source([f"real={packed.root}"], group_by=-1)
    with pytest.raises(InputError, match=r"packed with --size 12 10 --fit stretch .* the model "
                       r"takes --size 12 10 --fit crop --resize 15"):  # fmt: skip
        sweep(model, other, source, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(InputError, match="packed with"):
        pack(source, other, tmp_path / "repacked")
    with pytest.raises(InputError, match="segments are computed from whole images"):
        sweep(model, TO, source, tmp_path / "run", measures=[salix.measures.Regions()])


def test_packing_packed_data_changes_nothing(files, tmp_path):
    packed = pack(open_source([str(files / "list.csv")]), TO, tmp_path / "packed")
    again = pack(packed, TO, tmp_path / "again")
    assert again.identity() == packed.identity()
    assert again.shards[0].sha256 == packed.shards[0].sha256


def test_other_readers_read_the_shards(files, tmp_path):
    packed = pack(Folder(files / "images"), TO, tmp_path / "packed")
    table = pa.ipc.open_file(packed.root / packed.shards[0].file).read_all()
    pixels = table["pixels"].combine_chunks().to_numpy_ndarray()
    assert pixels.shape == (23, 12, 10, 3)
    np.testing.assert_array_equal(pixels[0], packed.read(0))


KILLED = """
import os, sys
from pathlib import Path
from salix.data import Folder, pack
from salix.preprocess import Preprocess
from salix.report.face_crops import describe_rule
from salix.progress import Progress

def advance(self, count, before=Progress.advance):
    before(self, count)
    if self.done >= 9:
        os.kill(os.getpid(), 9)

Progress.advance = advance
pack(Folder(Path(sys.argv[1])), Preprocess((12, 10)), sys.argv[2], shard_bytes=1500)
"""


@pytest.mark.slow
def test_a_killed_packing_goes_on(files, tmp_path, capsys):
    images, out = files / "images", tmp_path / "packed"
    killed = subprocess.run([sys.executable, "-c", KILLED, images, out])
    assert killed.returncode == -9
    with pytest.raises(InputError, match="not packed to its end: run the same salix pack again"):
        open_source([str(out)])
    kept = {p.name: p.stat().st_mtime_ns for p in out.glob("*.arrow")}
    assert kept
    packed = pack(Folder(images), TO, out, shard_bytes=1500, progress=True)
    assert f"{4 * len(kept)} of 23 images are done" in capsys.readouterr().err
    assert {n: (out / n).stat().st_mtime_ns for n in kept} == kept
    undisturbed = pack(Folder(images), TO, tmp_path / "other", shard_bytes=1500)
    assert packed.shards == undisturbed.shards


def test_temporary_files_of_ended_processes_are_removed(files, tmp_path, monkeypatch):
    out = tmp_path / "packed"
    pack(Folder(files / "images"), TO, out)
    with atomic(out / "packed-00001.arrow") as mine:
        ended = mine.with_name(mine.name.replace(str(os.getpid()), "99999999"))
        for file in (mine, ended):
            file.touch()
            os.utime(file, (0, 0))
        pack(Folder(files / "images"), TO, out)
        assert mine.exists()
        assert not ended.exists()


@pytest.fixture
def packed(files, tmp_path):
    return pack(Folder(files / "images"), TO, tmp_path / "packed", shard_bytes=3000)


def replaced(path, content):
    """Write a file anew: a mapping of the former one stays as it is."""
    path.unlink()
    path.write_bytes(content)


def flip(path, marker, offset):
    """Change the byte of a file `offset` after a marker."""
    content = bytearray(path.read_bytes())
    content[content.index(marker) + offset] ^= 1
    replaced(path, content)


def test_changed_pixels_are_a_skipped_row_and_an_error_of_full_content(packed, files):
    shard = packed.root / packed.shards[0].file
    flip(shard, packed.read(1).tobytes(), 40)
    opened = open_source([str(packed.root)])
    with pytest.raises(Unreadable, match=r"packed-00000.arrow is damaged \(pixels differ"):
        opened.read(1)
    opened.read(0)
    assert opened.identity() == packed.identity()
    with pytest.raises(InputError, match="run the same salix pack again"):
        opened.identity(full=True)
    repaired = pack(Folder(files / "images"), TO, packed.root, shard_bytes=3000)
    assert repaired.identity(full=True) == packed.identity()


def test_a_changed_id_is_an_error(packed):
    flip(packed.root / packed.shards[-1].file, packed.ids[-1].encode(), 8)
    with pytest.raises(InputError, match=r"packed-0000\d.arrow is damaged \(its rows differ"):
        open_source([str(packed.root)]).identity()


@pytest.mark.parametrize(
    "damage", ["truncated", "deleted", "footer", "metadata", "foreign", "empty"]
)
def test_a_damaged_shard_is_named_and_written_again(packed, files, damage):
    shard = packed.root / packed.shards[1].file
    content = shard.read_bytes()
    if damage == "truncated":
        replaced(shard, content[:-100])
    elif damage == "deleted":
        shard.unlink()
    elif damage == "footer":
        replaced(shard, content[:-200] + b"\xff" * 200)
    elif damage == "metadata":  # of the record batch, behind that of the schema
        place = content.index(b"\xff\xff\xff\xff", 100)
        replaced(shard, content[:place] + b"\xee" * 64 + content[place + 64 :])
    elif damage == "foreign":
        replaced(shard, (packed.root / packed.shards[0].file).read_bytes())
    else:
        replaced(shard, b"")
    with pytest.raises(InputError, match=r"packed-00001.arrow.*run the same salix pack again"):
        Packed(packed.root).identity()
    repaired = pack(Folder(files / "images"), TO, packed.root, shard_bytes=3000)
    assert repaired.identity(full=True) == packed.identity()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "damaged"),
        ("[]", "damaged"),
        ('{"format": 7}', "format 7, this Salix reads 1"),
        ('{"format": 1, "config": {}, "shards": null}', "damaged"),
        (None, "a shard outside of the folder"),
    ],
)
def test_a_damaged_description_is_one_line(packed, content, message):
    file = packed.root / DESCRIPTION
    if content is None:
        described = json.loads(file.read_text())
        described["shards"][0]["file"] = "../packed-00000.arrow"
        content = json.dumps(described)
    file.write_text(content)
    with pytest.raises(InputError, match=message):
        open_source([str(packed.root)])


def test_a_directory_of_anything_else_is_refused(files, packed, tmp_path):
    source = Folder(files / "images")
    with pytest.raises(InputError, match=r"contains .*no packed data set"):
        pack(source, TO, files)
    with pytest.raises(InputError, match="is a file"):
        pack(source, TO, files / "list.csv")
    with pytest.raises(InputError, match=r"other preprocess .*bilinear.*not .*bicubic"):
        pack(source, Preprocess((12, 10), interpolation="bicubic"), packed.root, shard_bytes=3000)
    with pytest.raises(
        InputError, match="the ids, the labels, the groups, the content of the images"
    ):
        pack(Folder(files / "masks", label="real"), TO, packed.root, shard_bytes=3000)


def test_memory_is_that_of_a_few_record_batches(files, tmp_path, monkeypatch):
    rows = []
    monkeypatch.setattr(packing, "BATCH_ROWS", 4)
    record = packing.record_batch

    def counted(batch, *rest):
        rows.append(len(batch.indices))
        return record(batch, *rest)

    monkeypatch.setattr(packing, "record_batch", counted)
    packed = pack(Folder(files / "images"), TO, tmp_path / "packed")
    assert rows == [4] * 5 + [3]
    assert len(packed.shards) == 1
    np.testing.assert_array_equal(packed.read(22), fit_of(files, 22))


def fit_of(files, index):
    source = Folder(files / "images")
    return TO.on_host(source.read(index))


@pytest.mark.slow
def test_the_command_packs_and_sweeps(files, tmp_path, capsys):
    out = str(tmp_path / "packed")
    arguments = [
        "pack",
        str(files / "images/train"),
        "--size",
        "64",
        "--channels",
        "1",
        "--out",
        out,
    ]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert "21 images packed" in printed.out
    assert "2 unreadable" in printed.out
    assert "unreadable fake/05.png" in printed.out
    assert main(arguments) == 0
    assert "23 of 23 images are done" in capsys.readouterr().err
    sweep = ["sweep", "--model", "small", "--data", out, "--out", str(tmp_path / "run")]
    assert main([*sweep, "--channels", "1", "--attribution", "Gradient()", "--maps", "none"]) == 0
    assert main([*sweep, "--size", "32", "32"]) == 2
    assert "packed with --size 64 --fit stretch" in capsys.readouterr().err


def test_nothing_readable_is_status_1_and_a_bad_option_status_2(tmp_path, capsys):
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.png").write_bytes(b"text")
    assert main(["pack", str(tmp_path / "images"), "--out", str(tmp_path / "packed")]) == 1
    assert main(["pack", str(tmp_path), "--resize", "9", "--out", str(tmp_path / "x")]) == 2
    assert "--resize is 9" in capsys.readouterr().err
