"""Formats of image files: those that are opened, and those that are named and refused."""

import ast
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import pytest
from PIL import EpsImagePlugin, Image

from salix.data import decode as decode_module
from salix.data import memory_images
from salix.data.decode import FORMATS, HEIF_PLUGINS, Unreadable, decode, suffixes
from salix.data.image_paths import SUFFIXES

ROOT = Path(__file__).parents[2]
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\n{} loop\n%%EOF\n"
NO_DECODER = {"HEIF": not any(map(find_spec, HEIF_PLUGINS))}

Image.init()


def reason(content: bytes) -> str:
    with pytest.raises(Unreadable) as error:
        decode(content)
    return str(error.value)


@pytest.mark.parametrize("content", [POSTSCRIPT, b"\xc5\xd0\xd3\xc6" + b"\0" * 28 + POSTSCRIPT])
def test_postscript_starts_no_program(tmp_path, monkeypatch, content):
    started = tmp_path / "started"
    ghostscript = tmp_path / "gs"
    ghostscript.write_text(f"#!/bin/sh\ntouch {started}\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    picture = tmp_path / "photo.png"
    picture.write_bytes(content)
    with pytest.raises(Unreadable, match=r"PostScript is not opened: it is a program.*PNG"):
        decode(picture)
    assert not started.exists()


def test_image_files_are_opened_with_listed_formats_alone():
    calls = {}
    for path in [*(ROOT / "salix").rglob("*.py"), *(ROOT / "models").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Image.open"):
                options = {k.arg for k in node.keywords}
                calls.setdefault(path.relative_to(ROOT).as_posix(), []).append(options)
    assert set(calls) == {
        "salix/data/decode.py",
        "salix/data/headers.py",
        "salix/data/mask_files.py",
        "salix/report/comparison/images.py",
        "salix/report/heatmap.py",
        "salix/report/map_grid.py",
    }
    assert all("formats" in options for found in calls.values() for options in found)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("format", sorted(set(Image.SAVE) - {"GIF"}))
def test_each_format_that_pillow_writes_is_decoded_or_refused(format):
    buffer = BytesIO()
    for mode in ("RGB", "L", "1", "F"):
        try:
            Image.new(mode, (16, 16)).save(buffer, format)
            break
        except (OSError, ValueError, KeyError, SystemError):
            buffer = BytesIO()
    if not buffer.getvalue():
        pytest.skip("only written where another package is installed")
    if format in FORMATS:
        assert decode(buffer.getvalue()).size == (16, 16)
    else:
        assert "not opened" in (text := reason(buffer.getvalue())) or "known format" in text


def test_suffixes_are_those_that_pillow_knows():
    registered = {s[1:]: name for s, name in Image.registered_extensions().items()}
    for name, some in FORMATS.items():
        if name == "DIB" or NO_DECODER.get(name):
            continue
        assert {registered[s] for s in some} == {name}
    assert set(SUFFIXES) == set(suffixes())
    assert {"jfif", "jpe", "mpo", "tga", "avif"} <= set(SUFFIXES)
    assert ("heic" in SUFFIXES) == (not NO_DECODER["HEIF"])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"%PDF-1.7\n", "PDF is not opened"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG is not opened"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<svg/>", "SVG is not opened"),
        (b"\xd7\xcd\xc6\x9a" + bytes(60), "WMF is not opened"),
        (b"\1\0\0\0" + bytes(36) + b" EMF" + bytes(60), "EMF is not opened"),
        (b"\x89HDF\r\n\x1a\n" + bytes(60), "HDF5 is not opened"),
        (b"GRIB\0\1\0\1" + bytes(60), "GRIB is not opened"),
        (b"BUFR" + bytes(60), "BUFR is not opened"),
        (b"8BPS\0\1" + bytes(60), "PSD is not opened"),
        (b"\xff\x0a" + bytes(60), "JPEG XL is not opened"),
        (b"\0\0\0\x20ftypisom" + bytes(60), "MP4 is not opened: it is a video"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"\n\n<html><body>404", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"PK\x03\x04" + bytes(60), "ZIP archive is not opened: unpack it"),
        (bytes(100), "not an image of a known format"),
        (b"\x00", "not an image of a known format"),
        (b"\x89PNG\r\n\x1a\n" + bytes(60), "PNG that is damaged"),
        (b"II*\0" + bytes(60), "TIFF that is damaged, or of a kind that Pillow does not decode"),
        (b"\0\0\0\x18ftypavif" + bytes(60), "AVIF"),
    ],
)
def test_files_of_other_formats_are_named(content, expected):
    assert expected in reason(content)


@pytest.mark.skipif(not NO_DECODER["HEIF"], reason="a plugin decodes it")
def test_heic_names_the_package_that_decodes_it():
    assert "install pillow-heif" in reason(b"\0\0\0\x18ftypheic" + bytes(60))


@pytest.mark.parametrize("module", [decode_module, memory_images], ids=lambda m: m.__name__)
def test_the_page_of_images_has_the_tables_of_the_code(module):
    rows = [line for line in (module.__doc__ or "").splitlines() if line.startswith("|")]
    assert len(rows) > 10
    assert "\n".join(rows) in (ROOT / "docs/image-files.md").read_text()
