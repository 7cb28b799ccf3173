"""Tar shards of webdataset: keys, labels, offsets, and archives that mean harm."""

import io
import json
import os
import tarfile
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from salix.cli import main
from salix.data import Shards, Unreadable, open_source
from salix.data.class_labels import class_indices
from salix.data.content import source_identity
from salix.data.shard_paths import expand
from salix.store import Run
from salix.typing import InputError


def png(grey, shape=(8, 8, 3)):
    file = io.BytesIO()
    Image.fromarray(np.full(shape, grey, np.uint8)).save(file, "PNG")
    return file.getvalue()


def write(path, files, format=tarfile.PAX_FORMAT):
    """Write (name or TarInfo, content) pairs to a tar file."""
    with tarfile.open(path, "w", format=format) as tar:
        for name, content in files:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def member(name, type=tarfile.REGTYPE, **fields):
    info = tarfile.TarInfo(name)
    info.type = type
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def greys(source):
    return [int(np.asarray(source.read(i)).max()) for i in range(len(source.ids))]


@pytest.fixture
def shards(tmp_path):
    for k in range(3):
        write(
            tmp_path / f"shard-{k:06d}.tar",
            [
                pair
                for i in range(4)
                for pair in ((f"{i:04d}.png", png(10 * k + i)), (f"{i:04d}.cls", b"%d\n" % (i % 2)))
            ],
        )
    return tmp_path


@pytest.mark.parametrize("text", ["shard-{000000..000002}.tar", "."])
def test_a_pattern_and_a_folder_are_the_same_shards(shards, monkeypatch, text):
    monkeypatch.chdir(shards)
    source = open_source([text])
    assert source.ids[:5:2] == ["shard-000000/0000", "shard-000000/0002", "shard-000001/0000"]
    assert list(source.ids)[-1] == source.ids[-1] == "shard-000002/0003"
    assert greys(source) == [0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23]
    assert class_indices(source.labels, source.ids, ("a", "b"), model="m") == (0, 1) * 6


def test_shards_given_one_by_one_are_gathered_by_class(shards):
    files = [str(shards / f"shard-{k:06d}.tar") for k in range(3)]
    assert list(open_source(files).ids) == list(open_source([str(shards)]).ids)
    source = open_source([f"real={files[0]}", f"fake={files[1]}", f"real={files[2]}"])
    assert source.ids[0] == "real/shard-000000/0000"
    assert source.ids[-1] == "fake/0003"
    assert [*source.labels] == ["real"] * 8 + ["fake"] * 4
    with pytest.raises(InputError, match="given twice"):
        open_source([files[0], files[0]])


def test_files_of_a_key(tmp_path):
    file = write(
        tmp_path / "a.tar",
        [
            ("./x/1.PNG", png(1)),
            ("x/1.json", json.dumps({"label": "fake", "group": 7, "id": "first"}).encode()),
            ("x/1.mask.png", png(255, (4, 4))),
            ("x/1.txt", b"a caption"),
            ("x/2.part.1.jpg", b"is no image by its whole suffix"),
            ("x/3.cls", b"real"),
            ("x/3.jpg", png(3)),  # the content decides, not the suffix
            ("x/3.json", b"{"),
            ("x/4.txt", b"real\n"),
            ("x/4.webp", png(4)),
            ("x/5.png", png(5)),
            ("x/6.png", b""),
            ("._x/7.png", b"AppleDouble"),
        ],
    )
    source = Shards((file,))
    assert [*source.ids] == ["first", "x/3", "x/4", "x/5", "x/6"]
    assert [*source.labels] == ["fake", "real", "real", None, None]
    assert [*source.groups] == ["7", None, None, None, None]
    assert source.has_reference_masks
    assert source.reference_mask(0).shape == (4, 4)
    assert source.reference_mask(1) is None
    assert np.asarray(source.read(0)).max() == 1
    with pytest.raises(Unreadable, match="empty file"):
        source.read(4)


def test_folders_of_the_keys_are_classes_without_labels(tmp_path):
    file = write(tmp_path / "a.tar", [("real/1.png", png(1)), ("fake/1.png", png(2))])
    source = open_source([str(file)])
    assert class_indices(source.labels, source.ids, ("real", "fake"), model="m") == (0, 1)


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_and_foreign_names(tmp_path, format):
    name = "ü" * 90 + "/" + "b" * 150
    source = Shards((write(tmp_path / "a.tar", [(f"{name}.png", png(5))], format),))
    assert [*source.ids] == [name]
    assert greys(source) == [5]


def test_hostile_members_are_left_out_and_counted(tmp_path, caplog):
    file = write(
        tmp_path / "a.tar",
        [
            ("/etc/1.png", png(1)),
            ("../../2.png", png(2)),
            (member("3.png", tarfile.SYMTYPE, linkname="/etc/passwd"), b""),
            (member("4.png", tarfile.LNKTYPE, linkname="9.png"), b""),
            (member("5.png", tarfile.CHRTYPE), b""),
            (member("6.png", tarfile.FIFOTYPE), b""),
            (member("6b.png", tarfile.BLKTYPE), b""),
            (member("6c.png", tarfile.SYMTYPE, linkname="../../../etc/passwd"), b""),
            ("x/../../6d.png", png(6)),
            ("7\n\x1b[2J.png", png(7)),
            (member("8.png", pax_headers={"GNU.sparse.map": "0,1", "GNU.sparse.size": "9"}), b"1"),
            (member("x", tarfile.DIRTYPE), b""),
            ("notes.txt", b"real"),
            ("9.png", png(9)),
        ],
    )
    source = Shards((file,))
    assert [*source.ids] == ["9"]
    assert greys(source) == [9]
    assert caplog.messages == [
        "a.tar: left out: names that lead out of the folder (3), links (3), devices (3), names "
        "with a backslash, a control character or over 4096 characters (1), sparse files (1), keys "
        "without image (1)"
    ]


def broken(path, kind):
    """Write a tar file that is broken in one way."""
    write(path, [("1.png", png(1)), ("2.png", png(2)), ("3.png", png(3))])
    content = bytearray(path.read_bytes())
    if kind == "truncated":
        del content[1024 + 512 + 20 :]
    elif kind == "header":
        content[1024:1100] = b"\xff" * 76
    elif kind == "text":
        content = bytearray(b"no tar at all" * 100)
    elif kind == "empty":
        content.clear()
    elif kind == "size":  # a file of 8 GB, by its header
        info = member("4.png")
        info.size = 0o7777777777
        content = content[: 3 * 1024] + bytearray(info.tobuf(tarfile.GNU_FORMAT)) + bytes(1024)
    else:  # a member of metadata of 8 GB
        info = member("x", tarfile.XHDTYPE if kind == "pax" else tarfile.GNUTYPE_LONGNAME)
        info.size = 0o7777777777
        content = bytearray(info.tobuf(tarfile.GNU_FORMAT)) + content
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("truncated", "a.tar cannot be read as a tar file: unexpected end of data"),
        ("header", "a.tar is damaged at byte 1024: make or fetch it again"),
        ("text", "a.tar cannot be read as a tar file"),
        ("empty", "a.tar cannot be read as a tar file: empty"),
        ("size", "a.tar cannot be read as a tar file: unexpected end of data"),
        ("pax", "1,073,742,336 bytes of metadata|1,073,741,[0-9]{3} bytes of metadata"),
        ("longname", "1,073,742,336 bytes of metadata|1,073,741,[0-9]{3} bytes of metadata"),
    ],
)
def test_broken_files_are_refused(tmp_path, kind, message):
    broken(tmp_path / "a.tar", kind)
    with pytest.raises(InputError, match=message) as error:
        open_source([str(tmp_path / "a.tar")])
    assert "\n" not in str(error.value)


def test_an_image_that_unpacks_to_too_much_is_skipped(tmp_path):
    header = png(1)
    sizes = (100_000).to_bytes(4, "big") * 2
    chunk = b"IHDR" + sizes + header[24:29]
    bomb = header[:12] + chunk + zlib.crc32(chunk).to_bytes(4, "big") + header[33:]
    source = Shards((write(tmp_path / "a.tar", [("1.png", bomb), ("2.png", png(2))]),))
    with pytest.raises(Unreadable, match="pixels"):
        source.read(0)
    assert int(np.asarray(source.read(1)).max()) == 2


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([("1.png", b"a"), ("1.PNG", b"b")], r"a.tar has 1.png twice: keep one of them"),
        ([("1.png", b"a"), ("2.png", b"b"), ("1.png", b"c")], "two images with the id '1'"),
        ([("1.txt", b"real")], "a.tar contains no image"),
        ([("1.png", b""), ("1.json", b'{"label": [1]}')], r"a.tar, 1: label \[1\] is a list"),
        ([("1.png", b""), ("1.json", b'{"label": true}')], "label True is a bool"),
    ],
)
def test_contents_that_are_refused(tmp_path, files, message):
    with pytest.raises(InputError, match=message):
        Shards((write(tmp_path / "a.tar", files),))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.tar.gz", r"a.tar.gz is compressed \(gzip\).*: unpack it, or write it as a plain .tar"),
        ("b.tar", r"b.tar is compressed \(xz\)"),
        ("none-{0..3}.tar", "none-0.tar cannot be read: No such file or directory"),
        ("none-{3..0}.tar", r"none-\{3..0\}.tar: \{3..0\} is no range"),
        ("{0..9999}-{0..9999}.tar", "names over 1,000,000 shards"),
        ("pipe.tar", "pipe.tar cannot be read: a named pipe, not a file"),
    ],
)
def test_files_that_are_no_shards(tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    for name, mode in (("a.tar.gz", "w:gz"), ("b.tar", "w:xz")):
        tarfile.open(name, mode).close()
    os.mkfifo("pipe.tar")
    with pytest.raises(InputError, match=message):
        open_source([text])


def test_numbers_in_braces():
    assert expand("a-{08..11}.tar") == ["a-08.tar", "a-09.tar", "a-10.tar", "a-11.tar"]
    assert expand("{0..1}/{9..10}.tar") == ["0/9.tar", "0/10.tar", "1/9.tar", "1/10.tar"]
    assert expand("plain.tar") == ["plain.tar"]


def test_a_folder_with_images_beside_its_shards_is_one_of_images(shards, caplog):
    (shards / "face.png").write_bytes(png(3))
    assert [*open_source([str(shards)]).ids] == ["face.png"]
    assert "3 .tar (name the tar, or a folder of tars alone)" in caplog.text


def test_the_content_decides_the_identity(shards):
    first = shards / "shard-000000.tar"
    before = source_identity(Shards((first,)), full=False)
    moved = first.rename(shards / "moved.tar")
    assert source_identity(Shards((moved,)), full=False) == before
    write(moved, [("0000.png", png(9)), ("0000.cls", b"0")])
    assert source_identity(Shards((moved,)), full=False) != before


def test_a_shard_that_becomes_shorter_skips_its_images(shards):
    file = shards / "shard-000000.tar"
    source = Shards((file,))
    os.truncate(file, 2048)
    with pytest.raises(Unreadable, match="has become shorter"):
        source.read(3)


def test_threads_read_one_shard(shards):
    source = open_source([str(shards)])
    with ThreadPoolExecutor(8) as pool:
        images = [*pool.map(source.read, [*range(12)] * 20)]
    assert [int(np.asarray(i).max()) for i in images[-12:]] == greys(source)


def test_a_sweep_over_shards(shards, tmp_path):
    write(shards / "shard-000003.tar", [("0.png", b"no image"), ("0.cls", b"0")])
    out = tmp_path / "run"
    pattern = str(shards / "shard-{000000..000003}.tar")
    assert main(["sweep", "--model", "small", "--data", pattern, "--out", str(out)]) == 0
    rows = Run(out).table.to_pydict()
    assert rows["id"][:2] == ["shard-000000/0000", "shard-000000/0001"]
    assert rows["label"][:3] == [0, 1, 0]
    assert [i for i, reason in zip(rows["id"], rows["skipped"], strict=True) if reason] == [
        "shard-000003/0"
    ]
