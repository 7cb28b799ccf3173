"""Files of figures: one of each figure of the page, with the numbers of the analysis."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from salix import plot
from salix.analysis import analyse
from salix.analysis.detector_curves import detector_curves
from salix.analysis.face_parts import FaceParts
from salix.analysis.series import series_intervals
from salix.data import Arrays
from salix.report import write_page
from salix.report.curve_figures import roc_figure
from salix.report.figure_drawing import draw_figure
from salix.report.leaderboard_figures import agreement_figure, rank_figure
from salix.report.palette import Palette
from salix.report.sections import sections_with
from salix.report.sections.series import draw_series
from salix.typing import Column, InputError

pytest.importorskip("matplotlib")
DRAWN = {"overview", "averages", "face-parts", "face-parts-maps"}
NASTY = "a$b$ <i>_{x}"


@pytest.fixture
def runs(planted, simulated):
    """Two runs of 36 labelled images in videos, with times and maps of 16 x 16."""
    both = []
    for seed, name in enumerate((NASTY, "two")):
        rows = simulated(36, seed, grid=(16, 16), thumbs=2)
        for i, row in enumerate(rows):
            row |= {"id": f"{i}.png", "group": f"clip {i // 6}", "frame_time": float(i % 6)}
            row |= {"label": i // 6 % 2}
        columns = (Column("group", dtype="string"), Column("frame_time", dtype="float64"))
        extra = ("group", "frame_time", "relevance_mass")
        both.append(planted(rows, name=name, grid=(16, 16), columns=columns, extra=extra))
    return both


@pytest.mark.slow
def test_every_figure_of_the_page_has_an_svg_and_a_pdf(runs, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (36, 20, 20, 3), np.uint8)
    source = Arrays(images, keys=[f"{i}.png" for i in range(36)])
    analysis, sections = analyse(runs), sections_with(source, layout=FaceParts())
    folder = tmp_path / "figures"
    page = write_page(analysis, tmp_path / "a.html", sections=sections, figures=folder)
    ids = set(re.findall(r'data-figure="([^"]+)"', page.read_text()))
    assert {"curves-roc", "film-0", "spectra-maps", "spectra-images", "distribution-0"} <= ids
    for suffix, head in ((".svg", b"<?xml"), (".pdf", b"%PDF")):
        files = {f.stem: f.read_bytes() for f in folder.glob(f"*{suffix}")}
        assert files.keys() == ids | DRAWN
        assert all(content.startswith(head) for content in files.values())
    assert "a$b$ &lt;i&gt;_{x}" in (folder / "curves-roc.svg").read_text()
    roc = roc_figure(detector_curves(analysis.frames), Palette(analysis.groups))
    again = draw_figure(roc)
    for suffix in (".svg", ".pdf"):  # in this order: a layout depends on the one before it
        plot.save(again, file := tmp_path / f"again{suffix}")
        assert file.read_bytes() == (folder / f"curves-roc{suffix}").read_bytes()
    with pytest.raises(InputError, match=r"a\.html is a file: name a folder"):
        write_page(analysis, tmp_path / "b.html", figures=tmp_path / "a.html")
    assert not (tmp_path / "b.html").exists()


def test_curves_and_error_bars_are_those_of_the_analysis(runs, changing):
    analysis = analyse(runs)
    curves = detector_curves(analysis.frames)
    (axes,) = draw_figure(roc_figure(curves, Palette(analysis.groups))).axes
    for curve, line in zip(curves.curves, axes.lines, strict=False):
        points = set(zip(curve.fpr.round(4), curve.tpr.round(4), strict=True))
        assert points >= set(map(tuple, line.get_xydata()))
        assert line.get_color() == Palette(analysis.groups)[curve.group].colour
    assert axes.get_xlim() == (0, 1)
    assert axes.get_xlabel() == "false positive rate"
    analysis = analyse(changing(20))
    drawn = draw_series(analysis)[0]
    for panel, axes in enumerate(draw_figure(drawn.figure).axes):
        column = drawn.series.drawn[panel]
        for group, bars in zip(analysis.summary.groups, axes.collections, strict=True):
            intervals = series_intervals(group, column.name)
            ends = [segment[:, 1] for segment in bars.get_segments()]
            known = [[i.low, i.high] if np.isfinite(i.low) else [i.value] * 2 for i in intervals]
            np.testing.assert_allclose(ends, known, atol=2e-5)


def test_matrices_ranks_and_unknown_traces(planted):
    methods = ("GradCAM", "Gradient", "Own")
    names = ("deletion", "insertion")
    columns = tuple(
        Column(f"evaluation_{n}", n, "", 0, 1, "higher", "method", methods) for n in names
    )
    values = np.random.default_rng(0).uniform([0.2, 0.1, 0], 1, (30, 2, 3))
    rows = [
        {f"evaluation_{n}": v.tolist() for n, v in zip(names, row, strict=True)} for row in values
    ]
    run = planted(rows, extra={c.name: (3,) for c in columns}, columns=columns)
    board = analyse([run]).leaderboard
    axes, bar = draw_figure(agreement_figure(board)).axes
    expected = [[i.value for i in row] for row in board.agreement]
    np.testing.assert_allclose(axes.images[0].get_array(), expected)
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first row is the upper one
    assert bar.get_ylabel() == "Spearman"
    figure = rank_figure(board)
    (axes,) = draw_figure(figure).axes
    assert [t.get_text() for t in axes.get_yticklabels()] == [methods[i] for i in board.order]
    bad = json.loads(figure.json)
    bad["data"][0]["type"] = "violin"
    with pytest.raises(ValueError, match="leaderboard-ranks has a trace of type 'violin'"):
        draw_figure(replace(figure, json=json.dumps(bad)))
