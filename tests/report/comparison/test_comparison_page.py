import json
import re
import zlib
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from salix.report.comparison import write_comparison
from salix.report.comparison.maps import scale_limit, split_images
from salix.typing import InputError
from tests.report.comparison.conftest import NASTY

VOID = {"meta", "input", "br", "link", "img"}


class Page(HTMLParser):
    """Checks that every element is closed, and keeps tags and scripts."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.scripts = [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.scripts += [""] if tag == "script" else []
        self.open += [] if tag in VOID else [tag]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["script"]:
            self.scripts[-1] += data


def read(path):
    """Return the page and its payload."""
    page = Page(path.read_text())
    return page, json.loads(page.scripts[0])


def unpack(packed):
    types = {"i8": "i1", "u8": "u1", "i16": "<i2", "u16": "<u2", "i32": "<i4", "f32": "<f4"}
    data = zlib.decompress(b64decode(packed["data"]))
    return np.frombuffer(data, types[packed["type"]]).reshape(packed["shape"])


@pytest.fixture(scope="module")
def written(comparison, runs, tmp_path_factory):
    out = tmp_path_factory.mktemp("page") / "compare.html"
    return write_comparison(comparison, out, images=[str(runs[1])])


def test_names_are_escaped(written):
    page, payload = read(written)
    assert NASTY in [m["name"] for m in payload["models"]]
    assert len(page.scripts) == 3
    assert "<script>alert" not in written.read_text()


def test_the_page_loads_nothing_from_elsewhere(written):
    text = written.read_text()
    assert re.search(r"default-src 'none'", text)
    assert not re.search(r"""(src|href)=["']https?:""", text.split("<script>")[0])


def test_shares_differences_and_correctness_are_those_of_the_comparison(written, comparison):
    _, payload = read(written)
    shares = payload["shares"]
    codes = unpack(shares["codes"]).astype(float)
    values = np.where(codes == 65535, np.nan, (codes - shares["zero"]) * shares["step"])
    np.testing.assert_allclose(values, comparison.shares, atol=shares["step"] / 2)
    rows = payload["differences"]["0-1"]
    expected = comparison.differences(*comparison.models)
    assert [r["difference"][0] for r in rows] == [d.difference.value for d in expected]
    assert (unpack(payload["images"]["correct"]) == comparison.table.correct).all()


def test_maps_are_on_one_scale_and_within_half_a_level(written, comparison):
    _, payload = read(written)
    maps, table = payload["maps"], comparison.table
    inside = unpack(maps["embedded"]["images"])
    signed = unpack(maps["embedded"]["signed"]) / 127 * 2 * maps["limit"]
    expected = np.clip(table.signed[:, inside].astype(float), -2 * maps["limit"], 2 * maps["limit"])
    np.testing.assert_allclose(signed, expected, atol=maps["limit"] / 127 * 1.001)
    masks = unpack(maps["embedded"]["masks"])
    assert (masks == table.masks[unpack(maps["embedded"]["regions"])]).all()


def test_pictures_lie_beside_the_page_in_the_size_of_the_frame(written, comparison):
    _, payload = read(written)
    folder = written.with_name("compare_files")
    assert set(payload["pictures"]["where"]) == {1}
    assert payload["pictures"]["embedded"] == {}
    pictures = sorted(folder.glob("picture-*.jpg"))
    assert len(pictures) == len(comparison.table.ids)
    with Image.open(pictures[0]) as image:
        assert image.size == (224, 224)
        assert image.format == "JPEG"


def test_embedded_pictures_make_one_file(comparison, runs, tmp_path):
    out = write_comparison(comparison, tmp_path / "one.html", images=[str(runs[1])], embed=True)
    assert [p.name for p in tmp_path.iterdir()] == ["one.html"]
    _, payload = read(out)
    assert set(payload["pictures"]["where"]) == {2}
    assert b64decode(payload["pictures"]["embedded"]["0"])[:2] == b"\xff\xd8"


def test_without_pictures_the_page_says_how_to_get_them(comparison, tmp_path):
    out = write_comparison(comparison, tmp_path / "none.html")
    _, payload = read(out)
    assert set(payload["pictures"]["where"]) == {0}
    assert "--images FOLDER" in out.read_text()


def test_the_same_comparison_gives_the_same_bytes(written, comparison, runs, tmp_path):
    again = write_comparison(comparison, tmp_path / "compare.html", images=[str(runs[1])])
    assert again.read_bytes() == written.read_bytes()


def test_maps_beyond_the_page_lie_in_files(comparison, tmp_path, monkeypatch):
    monkeypatch.setattr("salix.report.comparison.maps.EMBEDDED", 2**15)
    monkeypatch.setattr("salix.report.comparison.maps.CHUNK", 10)
    out = write_comparison(comparison, tmp_path / "many.html")
    _, payload = read(out)
    maps = payload["maps"]
    assert maps["outside"]
    assert len(maps["outside"]) == len(maps["chunk"])
    inside = unpack(maps["embedded"]["images"])
    assert sorted([*inside, *maps["outside"]]) == list(range(len(comparison.table.ids)))
    text = (tmp_path / "many_files" / "maps-1.js").read_text()
    packed = json.loads(text.removeprefix("salixMaps(1, ").removesuffix(");\n"))
    assert unpack(packed["images"]).tolist() == maps["outside"][10:20]


def test_images_of_examples_are_in_the_page_first(comparison, monkeypatch):
    monkeypatch.setattr("salix.report.comparison.maps.EMBEDDED", 1)
    inside, outside = split_images(comparison.table, [17, 3])
    assert inside.tolist() == [17]
    assert 17 not in outside


def test_the_limit_of_the_scale_is_a_round_number_at_the_99th_percentile(comparison):
    table = comparison.table
    limit = scale_limit(table, np.arange(len(table.ids)))
    assert limit in (1, 2, 5, 10, 20)
    assert np.mean(np.abs(table.signed.astype(float)) > limit) <= 0.01
    constant = replace(table, signed=np.zeros_like(table.signed))
    assert scale_limit(constant, np.arange(5)) == 1


def test_refuses_other_images_and_names_that_are_no_page(comparison, runs, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    Image.new("RGB", (8, 8)).save(other / "unknown.png")
    with pytest.raises(InputError, match=r"images: no id .*'unknown.png'.* '(camera|generator)/"):
        write_comparison(comparison, tmp_path / "a.html", images=[str(other)])
    for name in ("folder", "numbers.json"):
        (tmp_path / "folder").mkdir(exist_ok=True)
        with pytest.raises(InputError, match=r"cannot be the page: name a file, such as"):
            write_comparison(comparison, tmp_path / name)
    (tmp_path / "b_files").write_text("")
    with pytest.raises(InputError, match=r"b_files is a file"):
        write_comparison(comparison, tmp_path / "b.html")


def test_own_predictions_are_the_explained_classes_of_each_model(comparison, tmp_path):
    table = replace(comparison.table, explained="each model's own prediction")
    _, payload = read(write_comparison(replace(comparison, table=table), tmp_path / "own.html"))
    assert (unpack(payload["images"]["target"]) == table.predicted).all()
