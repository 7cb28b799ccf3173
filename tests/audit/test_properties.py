"""Properties of files and pixels, against their definitions and how files were written."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from salix.audit import properties
from salix.audit.properties import KEYS, image_properties
from salix.data import Arrays
from salix.data.files import Folder
from salix.data.headers import read_header

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (37, 50, 3), np.uint8)


def encoded(format="JPEG", pixels=PIXELS, **options):
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("quality", [5, 50, 75, 90, 100])
def test_the_quality_of_a_standard_jpeg(quality):
    header = read_header(encoded(quality=quality))
    assert (header.format, header.quality, header.standard) == ("JPEG", quality, 1)


def test_own_tables_are_not_standard():
    tables = [[*range(1, 65)], [7] * 64]
    header = read_header(encoded(qtables=tables))
    assert (header.standard, header.luma, header.chroma) == (0, 32.5, 7)


@pytest.mark.parametrize(("subsampling", "share"), [(0, 1), (1, 0.5), (2, 0.25)])
def test_subsampling(subsampling, share):
    assert read_header(encoded(subsampling=subsampling)).subsampling == share


def test_scans_metadata_and_grey():
    exif = Image.Exif()
    exif[0x010E] = "a picture"
    plain, full = (read_header(encoded(**o)) for o in ({}, {"exif": exif, "progressive": True}))
    assert (plain.exif, plain.progressive, plain.metadata) == (0, 0, 0)
    assert (full.exif, full.progressive) == (1, 1)
    assert full.metadata == len(exif.tobytes()) + 4
    assert np.isnan(read_header(encoded(pixels=PIXELS[..., 0])).chroma)
    other = read_header(encoded("PNG", exif=exif))
    assert (other.format, other.exif) == ("PNG", 1)
    assert np.isnan(other.quality)


@pytest.mark.parametrize("band", [8, 512])
def test_pixels(band, monkeypatch):
    monkeypatch.setattr(properties, "BAND", band)
    values = dict(zip(KEYS, image_properties(Arrays(PIXELS[None]), 0).values, strict=True))
    grey = PIXELS @ np.array([0.299, 0.587, 0.114])
    edges = ndimage.laplace(grey)[1:-1, 1:-1]
    assert values["sharpness"] == pytest.approx(np.log10(edges.var()), rel=1e-5)
    assert values["contrast"] == pytest.approx(grey.std(), rel=1e-5)
    assert values["blue"] == pytest.approx(PIXELS[..., 2].mean())
    assert (values["width"], values["height"], values["aspect"]) == (50, 37, 50 / 37)
    assert np.isnan(values["bytes_per_pixel"])


def test_file_and_name(tmp_path):
    content = encoded(quality=80)
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "frame_0123.jpg").write_bytes(content)
    measured = image_properties(Folder(tmp_path), 0)
    values = dict(zip(KEYS, measured.values, strict=True))
    assert measured.format == "JPEG"
    assert values["bytes_per_pixel"] == len(content) / PIXELS[..., 0].size
    assert (values["name_length"], values["name_digits"]) == (10, 0.4)
