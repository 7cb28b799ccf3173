"""Folders as people have them: links, suffixes, names of systems, special files; nothing silent."""

import logging
import os
import socket
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from salix.data import Folder, Unreadable, image_batches
from salix.data.image_paths import id_of, path_of, without_suffix
from salix.data.listing import Listing
from salix.data.notes import printable
from salix.data.regular_file import read_file
from salix.preprocess import Preprocess
from salix.typing import InputError


def encoded(format="PNG"):
    buffer = BytesIO()
    Image.fromarray(np.full((4, 4, 3), 9, np.uint8)).save(buffer, format)
    return buffer.getvalue()


PNG, JPEG = encoded(), encoded("JPEG")


def write(root, *names, content=PNG):
    for name in names:
        path = Path(root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def link(place, target):
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


def line(root, caplog):
    """Return ids of a folder, and the one line about what was left out."""
    caplog.clear()
    source = Folder(root)
    assert len(caplog.records) <= 1
    assert all(r.levelno == logging.WARNING for r in caplog.records)
    return list(source.ids), "".join(caplog.messages)


@pytest.mark.parametrize(
    "name",
    [
        *(".hidden.png", "._face.jpg", ".DS_Store", "Thumbs.db", "THUMBS.DB", "desktop.ini"),
        *("real/.cache/a.png", "__MACOSX/real/a.png", "real/@eaDir/a.png/thumb.jpg"),
        *(".ipynb_checkpoints/a.png", "real/__macosx/._a.png", "$RECYCLE.BIN/a.png"),
        *("#recycle/a.png", "System Volume Information/a.png", ".git/a.png", "lost+found/a.png"),
    ],
)
def test_names_of_systems_are_passed_over(tmp_path, caplog, name):
    write(tmp_path, "real/face.png", name)
    assert line(tmp_path, caplog) == (["real/face.png"], "")


def test_a_hidden_data_folder_is_read_all_the_same(tmp_path, caplog):
    write(tmp_path, ".cache/@eaDir/a.png")
    assert line(tmp_path / ".cache/@eaDir", caplog) == (["a.png"], "")
    with pytest.raises(InputError, match=r"contains no image .*1 names of dots and systems"):
        Folder(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *((f"a.{s}", JPEG) for s in ("jpg", "JPG", "jfif", "JFIF", "jpe", "mpo", "Jpeg", "jpg ")),
        *((f"a.{f.lower()}", encoded(f)) for f in ("BMP", "GIF", "TIFF", "WEBP", "TGA", "PPM")),
        *((f"a.{s}", encoded(f)) for s, f in (("jp2", "JPEG2000"), ("pgm", "PPM"), ("dib", "DIB"))),
        *(("a", PNG), ("a", JPEG), ("a", encoded("TIFF")), ("0a1b2c", encoded("WEBP"))),
        *(("frame.0001", JPEG), ("2024.05.17", PNG), ("a", encoded("GIF"))),
    ],
)
def test_files_of_every_suffix_and_of_none_are_read(tmp_path, caplog, name, content):
    write(tmp_path, name, content=content)
    assert line(tmp_path, caplog) == ([name], "")
    assert np.asarray(Folder(tmp_path).read(0)).mean() == pytest.approx(9, abs=1)


def test_what_is_left_out_is_counted_by_suffix_on_one_line(tmp_path, caplog):
    photos = tmp_path / "photos"
    write(photos, "a.png")
    write(
        photos,
        *["x.txt", "y.TXT", "z.csv", "b/movie.MP4", "Makefile", "c.tar.gz"],
        content=b"text\n",
    )
    assert line(photos, caplog) == (
        ["a.png"],
        "photos: 6 files left out: 2 .txt, 1 without suffix, 1 .csv, 1 .gz (unpack), 1 .mp4 "
        "(name their folder videos:DIR)",
    )
    (photos / "a.png").unlink()
    with pytest.raises(InputError, match=r"contains no image .*; 6 files left out: 2 \.txt"):
        Folder(photos)


def test_heic_without_a_plugin_is_counted_with_what_to_install(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("salix.data.listing.SUFFIXES", ("png",))
    write(tmp_path / "p", "a.png", "IMG_0001.HEIC", "b.heif")
    assert line(tmp_path / "p", caplog)[1] == (
        "p: 2 files left out: 1 .heic (install pillow-heif), 1 .heif (install pillow-heif)"
    )


def test_links_to_folders_and_files_are_followed(tmp_path, caplog):
    write(tmp_path, "disk/fake/0.png", "disk/one.png", "data/real/0.png")
    link(tmp_path / "data/fake", tmp_path / "disk/fake")
    link(tmp_path / "data/real/1.png", tmp_path / "disk/one.png")
    link(tmp_path / "data/real/relative", Path("../../disk/fake"))  # the same folder once more
    ids, text = line(tmp_path / "data", caplog)
    assert ids == ["fake/0.png", "real/0.png", "real/1.png"]
    assert text == "data: link left out: real/relative leads to fake"
    root = tmp_path / "to data"
    link(root, tmp_path / "data")
    assert line(root, caplog)[0] == ids


@pytest.mark.parametrize(
    ("links", "text"),
    [
        ({"real/up": ".."}, "link left out: real/up leads back to a folder above it"),
        ({"real/self": "."}, "link left out: real/self leads back to a folder above it"),
        ({"up": "/"}, "link left out: up leads back to a folder above it"),
        ({"a/b": "../c", "c/d": "../a"}, "link left out: a/b leads to c, c/d leads to a"),
        ({"x": "y", "y": "x"}, "no file: x (Too many levels of symbolic links), y (Too"),
        ({"fake": "gone"}, "no file: fake (a link to a file that does not exist)"),
        ({"z": "real"}, "link left out: z leads to real"),
    ],
)
def test_links_in_circles_end(tmp_path, caplog, links, text):
    data = tmp_path / "data"
    write(data, "real/0.png")
    for name, target in links.items():
        link(data / name, Path(target))
    ids, logged = line(data, caplog)
    assert ids == ["real/0.png"]
    assert logged.startswith(f"data: {text}")


def test_a_ladder_of_double_links_is_listed_once(tmp_path, caplog):
    for i in range(40):  # 2^40 paths lead to its last folder
        for side in "ab":
            link(tmp_path / f"d{i:02}/{side}", Path(f"../d{i + 1:02}"))
    write(tmp_path, "d40/0.png")
    assert line(tmp_path, caplog)[0] == ["d40/0.png"]
    assert len(Listing(tmp_path / "d00").files) == 1


def test_special_files_are_rows_with_a_reason_and_never_opened(tmp_path, caplog):
    write(tmp_path, "0.png")
    (tmp_path / "empty.png").touch()
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe")
    link(tmp_path / "device.jpg", Path("/dev/zero"))
    link(tmp_path / "gone.png", Path("nowhere"))
    link(tmp_path / "circle.png", Path("circle.png"))
    write(tmp_path, "late.png")
    with socket.socket(socket.AF_UNIX) as endpoint:
        endpoint.bind(os.path.relpath(tmp_path / "s.png"))
    source = Folder(tmp_path)
    (tmp_path / "late.png").unlink()
    (batch,) = image_batches(source, Preprocess((4, 4)), len(source.ids), [0], 2)
    assert {source.ids[i]: reason for i, reason in batch.reasons.items()} == {
        "circle.png": "Too many levels of symbolic links",
        "device.jpg": "a device, not a file",
        "empty.png": "empty file",
        "gone.png": "a link to a file that does not exist",
        "late.png": "No such file or directory",
        "pipe.png": "a named pipe, not a file",
        "s.png": "a socket, not a file",
    }
    assert batch.valid.sum() == 1
    assert caplog.messages == [f"{tmp_path.name}: no file: pipe (a named pipe)"]
    assert source.identity() == Folder(tmp_path, files=source.ids).identity()


def test_a_file_that_turns_into_a_pipe_before_it_is_opened(tmp_path, monkeypatch):
    write(tmp_path, "a.png")
    os.mkfifo(tmp_path / "pipe")
    real = os.stat(tmp_path / "a.png")
    monkeypatch.setattr("salix.data.regular_file.os.stat", lambda path: real)
    with pytest.raises(Unreadable, match=r"a named pipe, not a file"):
        read_file(tmp_path / "pipe")


def test_folders_and_files_without_permission(tmp_path, caplog, monkeypatch):
    """Root may read everything: the refusal is made."""
    write(tmp_path / "data", "real/0.png", "locked/0.png")
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr("salix.data.listing.os.scandir", refuse)
    assert line(tmp_path / "data", caplog) == (
        ["real/0.png"],
        "data: folder unreadable: locked (Permission denied)",
    )
    monkeypatch.setattr(
        "salix.data.regular_file.os.open",
        lambda path, flags: (_ for _ in ()).throw(PermissionError(13, "Permission denied", path)),
    )
    with pytest.raises(Unreadable, match=r"^Permission denied$"):
        Folder(tmp_path / "data").read(0)


@pytest.mark.parametrize("bad", ["\0.png", "x" * 300 + ".png"])
def test_names_that_no_system_has(tmp_path, bad):
    with pytest.raises(Unreadable, match=r"null|too long"):
        read_file(tmp_path / bad)


NAMES = st.text(
    st.one_of(st.characters(exclude_categories=("Cs",)), st.sampled_from("\\xe9f0\udce9\udcff"))
)


@given(NAMES)
def test_ids_are_utf_8_and_lead_back_to_the_path(name):
    id = id_of(name)
    id.encode()
    assert path_of(id) == name
    if not any("\ud800" <= c <= "\udfff" for c in name) and "\\x" not in name:
        assert id == name


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux alone")
def test_a_name_that_is_not_utf_8_has_its_row_and_its_mask(tmp_path):
    data, masks = tmp_path / "data", tmp_path / "masks"
    write(data, "real/caf\udce9.png", "real/caf\\xe9.png", "real/café.png")
    write(masks, "real/caf\udce9.jpg")
    source = Folder(data, reference_masks=masks)
    assert list(source.ids) == ["real/caf\\\\xe9.png", "real/caf\\xe9.png", "real/café.png"]
    assert len({*source.ids}) == 3
    assert [np.asarray(source.read(i)).max() for i in range(3)] == [9] * 3
    assert [source.reference_mask(i) is not None for i in range(3)] == [False, True, False]
    write(masks, "real/caf\udce9.jpg", content=b"no image")
    with pytest.raises(Unreadable) as error:
        source.reference_mask(1)
    str(error.value).encode()


def test_digits_are_no_suffix():
    assert without_suffix("img.0001") == "img.0001"
    assert without_suffix("a.b.JFIF") == "a.b"


def test_names_with_control_characters_are_inert_in_a_terminal(tmp_path, caplog):
    write(tmp_path / "p", "a.png", "b.\x1b[2Jt\rx")
    assert line(tmp_path / "p", caplog)[1] == r"p: 1 file left out: 1 .\x1b[2jt\rx"
    assert printable("a\u202eb\x9bc\udce9d é\N{HEBREW LETTER ALEF}") == (
        r"a\u202eb\x9bc\udce9d é" + "\N{HEBREW LETTER ALEF}"
    )


def test_a_sparse_file_of_terabytes_is_a_row_with_its_reason(tmp_path):
    write(tmp_path, "a.png")
    with (tmp_path / "b.png").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(Unreadable, match="file of 1,099,512 MB: over 400 MB"):
        Folder(tmp_path).read(1)
    assert len(read_file(tmp_path / "b.png", first=16)) == 16
