import json
import re
import time
from html.parser import HTMLParser

import numpy as np
import pytest

from salix.analysis import analyse
from salix.report import write
from salix.report.pictures import gallery
from salix.report.sections import SECTIONS, examples
from salix.stats import Interval
from salix.typing import InputError

VOID = {"meta", "input", "br", "link", "img"}
NASTY = """<script>alert('x')</script>"'&{{ 7*7 }}%{x}</style>"""


class Page(HTMLParser):
    """Checks that every element is closed, and keeps ids, addresses, scripts and text."""

    def __init__(self, html):
        super().__init__()
        self.open, self.ids, self.addresses, self.scripts = [], [], [], []
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        attributes = dict(attrs)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.addresses += [v for k, v in attrs if k in ("src", "href", "action", "data", "srcset")]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["script"]:
            self.scripts[-1] += data
        elif self.open[-1:] != ["style"]:
            self.text += data


def read(path):
    html = path.read_text()
    return Page(html), re.sub(r"\s+", " ", Page(html).text)


def drawn(page):
    return [json.loads(s) for s in page.scripts if s.startswith("{")]


def test_page_is_whole_and_loads_nothing(two_groups, tmp_path):
    agreement = {"guided": Interval(0.7, 0.6, 0.8, 240)}
    runs = two_groups(thumbs=8)
    path = write(
        runs, tmp_path / "r.html", agreement=agreement, baselines={"sharpness alone": 0.62}
    )
    page, text = read(path)
    assert len(set(page.ids)) == len(page.ids)
    assert all(
        re.match(r"#|data:(image/png|image/jpeg|text/plain);base64,", a) for a in page.addresses
    )
    local = {a[1:] for a in page.addresses if a.startswith("#")}
    assert local <= set(page.ids)
    assert "url(http" not in path.read_text().split("<script", 1)[0]
    assert "guided and cross-entropy cannot be told apart in AUC (" in text
    assert "3 against 3 runs: exchanging the runs can give no p below 0.1, whatever" in text
    assert "With 4 runs a group this exact test takes part too" in text
    assert "sharpness alone 0.62" in text
    assert "0.700 [0.600, 0.800]" in text
    assert path.stat().st_size < 8e6


@pytest.mark.slow
def test_the_same_runs_give_the_same_bytes(two_groups, tmp_path):
    runs = two_groups(thumbs=4)
    once, again = (write(runs, tmp_path / n).read_bytes() for n in ("a.html", "b.html"))
    assert once == again
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_names_are_text_wherever_they_stand(planted, simulated, tmp_path):
    rows = simulated(12, 0, thumbs=6)
    for i, row in enumerate(rows):
        row["id"] = f"{i}{NASTY}"
    rows[-1] = {"id": f"99{NASTY}", "skipped": f"bad {NASTY}"}
    options = {
        "classes": (f"real{NASTY}", f"forged{NASTY}"),
        "grid": (8, 8),
        "extra": (NASTY, "relevance_mass"),
    }
    runs = [
        planted(rows, name=f"{n}{NASTY}", group=f"{n} group{NASTY}", **options) for n in ("a", "b")
    ]
    path = write(
        runs,
        tmp_path / "r.html",
        title=NASTY,
        intro=[NASTY],
        baselines={NASTY: 0.5},
        region=f"region{NASTY}",
    )
    page, text = read(path)
    assert not any(s.startswith("alert") for s in page.scripts)
    own = [a for a in page.attributes if a.startswith("on") or "'" in a or '"' in a]
    assert own == []
    plain = write([planted(simulated(12, 0, thumbs=6), name="c", grid=(8, 8))], tmp_path / "c.html")
    assert set(page.tags) - set(Page(plain.read_text()).tags) <= {"em", "small"}
    # Everything that a user writes stands there as it was written.
    for name in ("0", "bad ", "a", "a group", "region"):
        assert f"{name}{NASTY}" in text
    for figure in drawn(page):
        texts = [t for trace in figure["data"] for t in trace.get("text", [])]
        texts += [trace.get("hovertemplate", "") for trace in figure["data"]]
        texts += [a["text"] for a in figure["layout"].get("annotations", [])]
        for axis in ("xaxis", "yaxis"):
            texts += figure["layout"][axis].get("ticktext", [])
            texts.append(figure["layout"][axis].get("title", {}).get("text", ""))
        assert texts
        assert not any("<script" in t or "</style" in t for t in texts)


@pytest.mark.slow
def test_ten_thousand_rows_of_six_runs(planted, simulated, tmp_path):
    rows = simulated(10_000, 0, thumbs=16)
    runs = [
        planted(rows, name=f"run {i}", group=f"g{i // 3}", grid=(8, 8), extra=("relevance_mass",))
        for i in range(6)
    ]
    start = time.process_time()
    path = write(runs, tmp_path / "r.html")
    assert time.process_time() - start < 12  # about 2 on one core
    assert path.stat().st_size < 8e6
    page, _ = read(path)
    assert (
        max(len(t["x"]) for f in drawn(page) for t in f["data"]) < 400
    )  # bins and curves, not rows


def test_bins_hold_every_image_once(planted, simulated, tmp_path):
    rows = simulated(200, 3)
    page, _ = read(
        write([planted(rows, grid=(8, 8), extra=("relevance_mass",))], tmp_path / "r.html")
    )
    curves, figures = drawn(page)[:4], drawn(page)[4:]
    assert len(curves) == 4
    assert len(figures) == 3  # inside, and two entropies
    ridge, mean = figures[1]["data"][:2]
    heights = np.array(ridge["y"][1:-1:2])
    genuine = np.array([r["spatial_entropy"] for r in rows if r["label"] == 0], np.float32)
    counts = np.histogram(genuine, np.linspace(0, 1, 41))[0]
    forged = np.array([r["spatial_entropy"] for r in rows if r["label"] == 1], np.float32)
    peak = max(counts.max(), np.histogram(forged, np.linspace(0, 1, 41))[0].max())
    np.testing.assert_allclose(heights, 0.82 * counts / peak, atol=1e-3)
    assert mean["x"][0] == pytest.approx(genuine.mean(), rel=1e-6)
    # Only forged images have a region: they alone have a panel.
    assert [a["text"] for a in figures[0]["layout"]["annotations"]] == ["images of class forged"]


def test_an_unfinished_run_says_so(planted, tmp_path):
    half = planted([{"label": 0}, {"label": 1}], name="half", count=5)
    none = planted([], name="none", count=7)
    _, text = read(write([half, none], tmp_path / "r.html"))
    assert "half: 2 of 5 images: the sweep is unfinished" in text
    assert "none: 0 of 7 images: the sweep is unfinished" in text
    _, text = read(write([none], tmp_path / "n.html"))
    assert "Nothing was measured: no rows are finished yet." in text


def test_a_missing_run_is_an_error(planted, tmp_path):
    run = planted([{}])
    (run.path / "manifest.json").unlink()
    with pytest.raises(InputError, match="is not a run"):
        write([type(run)(run.path)], tmp_path / "r.html")


def test_skipped_images_are_counted_and_listed(planted, tmp_path):
    rows = [{"id": f"broken-{i:03d}", "skipped": "truncated"} for i in range(130)]
    runs = [planted(rows, name=n) for n in ("a", "b")]
    page, text = read(write(runs, tmp_path / "r.html"))
    assert "Nothing was measured: all 260 images were skipped." in text
    assert "130 images could not be read" in text
    assert "the first 100 are listed" in text
    assert text.count("broken-") == 100
    assert drawn(page) == []


def test_gallery_is_aligned_by_id(planted, simulated, tmp_path):
    a, b = simulated(8, 0, thumbs=4), simulated(8, 1, thumbs=4)
    for i, row in enumerate(b):
        row["id"] = f"{i + 2:05d}.png"  # two of the four kept images are shared
    b[0] |= {"constant_map": True, "label": 0, "predicted": 1}
    runs = [
        planted(r, name=n, grid=(8, 8), extra=("relevance_mass",)) for n, r in [("a", a), ("b", b)]
    ]
    shown = {s.id: s for s in gallery(analyse(runs)).images}
    assert len(shown) == 6
    # Without a picture of its own, a run still shows its map of a shared image.
    assert shown["00004.png"].maps[0] is not None
    assert shown["00000.png"].maps[1] is None
    first = shown["00002.png"].maps[1]
    assert first is not None
    assert (first.constant_map, first.outcome, first.smooth) == (True, "wrong", "")
    z = b[0]["logits"]
    assert first.probability == f"P(forged) = {1 / (1 + np.exp(z[0] - z[1])):.2f}"
    _, text = read(write(runs, tmp_path / "r.html"))
    assert "not in this run" in text
    assert "✗ wrong: forged" in text
    assert "constant map: no contrast" in text


@pytest.mark.parametrize("grid", [(1, 1), (7, 7), (3, 12), (64, 48), (6,), (2, 3, 4)])
def test_grids(planted, simulated, tmp_path, grid):
    rows = simulated(6, 0, grid=grid, thumbs=4)
    page, text = read(
        write(
            [planted(rows, grid=grid, extra=("relevance_mass",))],
            tmp_path / "r.html",
            sections=[s for s in SECTIONS if s is not examples.build],
        )
    )
    maps = sum(a.startswith("data:image/png") for a in page.addresses)
    assert maps == (8 + 2 if len(grid) == 2 else 0)  # the mean map of each class
    assert ("are not drawn" in text) == (len(grid) != 2)


@pytest.mark.slow
def test_twenty_runs(planted, simulated, tmp_path):
    runs = [
        planted(
            simulated(20, i, thumbs=16),
            name=f"r{i}",
            group=f"g{i % 7}",
            grid=(8, 8),
            extra=("relevance_mass",),
        )
        for i in range(20)
    ]
    path = write(runs, tmp_path / "r.html")
    assert path.stat().st_size < 8e6
    _, text = read(path)
    assert "12 of the 16 images" in text


def test_unknown_labels_classes_and_measures(planted, tmp_path):
    rows = [
        {
            "label": i % 3 if i else None,
            "predicted": i % 3,
            "logits": [0.1, 0.2, 0.3],
            "new_one": 0.25,
        }
        | {"thumb": b"not a picture", "curve": [0.5, 0.25]}
        for i in range(9)
    ]
    run = planted(rows, classes=("a", "b", "c"), extra={"new_one": (), "curve": (2,)})
    page, text = read(write([run], tmp_path / "r.html"))
    assert "new one" in text
    assert "0.250 [0.250, 0.250]" in text
    assert "picture cannot be read" in text
    assert "100 % of the images classified correctly" in text
    row = '<th scope="row">one</th><td>0.500</td><td>0.250</td>'
    assert row in (tmp_path / "r.html").read_text()
    assert [a["text"] for a in drawn(page)[0]["layout"]["annotations"]] == ["all images"]


def test_different_data_is_pointed_out(planted, tmp_path):
    runs = [planted([{}] * n, name=f"r{n}") for n in (2, 3)]
    assert "measured on different images" in read(write(runs, tmp_path / "r.html"))[1]
