"""Section: film strips of videos, with the scores and maps of runs over time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from salix.analysis import Analysis, Frame
from salix.analysis.film import Film, films
from salix.report.figure import GREY_AXIS, Figure, lay_out, make_figure, plain_text
from salix.report.palette import Palette
from salix.report.pictures import ImagePictures, draw_images
from salix.report.section import Section, read_template
from salix.report.sections.examples import read_data

HEIGHT = 240
RUNS = 3  # of which maps are drawn
FIRST = 2000  # index of the first picture: those of other sections are smaller


@dataclass(frozen=True)
class FilmStrip:
    """A video, its figure, and the pictures of its film strip with their times."""

    film: Film
    label: str
    figure: Figure
    pictures: tuple[tuple[str, ImagePictures], ...]


def build(analysis: Analysis, *, data: Any = None) -> Section | None:
    """Show a video of each class; None without frames of videos that have times and scores.

    `data` are the swept images for the pictures, by default those that the runs stored.
    """
    shown = films(analysis.frames)
    if not shown:
        return None
    frames = [f for f in analysis.frames if f.run.name in shown[0].runs]
    groups = {f.run.name: f.run.group for f in frames}
    firsts = {f.run.group: f for f in reversed(frames)}
    drawn = [f for f in frames if firsts[f.run.group] is f][:RUNS]
    palette = Palette(analysis.groups)
    strips = []
    for n, film in enumerate(shown):
        ids = [film.ids[i] for i in film.strip]
        stored = read_data(analysis, ids, data)
        images = draw_images(drawn, ids, first=FIRST + 100 * n, pictures=stored)
        times = [f"{film.times[i]:.2f} s" for i in film.strip]
        strips.append(
            FilmStrip(
                film,
                frames[0].class_name(film.label),
                _draw(f"film-{n}", film, frames[0], groups, palette),
                tuple(zip(times, images, strict=True)),
            )
        )
    return Section(
        "film",
        "Videos over time",
        read_template(__file__),
        {
            "strips": strips,
            "runs": [(f.run.name, f.run.group) for f in drawn],
            "groups": list(dict.fromkeys(groups.values())),
            "one": frames[0].class_name(1),
        },
        link="Videos over time",
        figures=tuple(strip.figure for strip in strips),
        data={"films": [{"group": f.group, "label": f.label, "spread": f.spread} for f in shown]},
    )


def _draw(id: str, film: Film, frame: Frame, groups: Mapping[str, str], palette: Palette) -> Figure:
    import plotly.graph_objects as go

    drawing: Any = go.Figure()
    for name, p in zip(film.runs, film.probabilities, strict=True):
        swatch = palette[groups[name]]
        line = go.Scatter(x=film.times.round(3).tolist(), y=p.round(4).tolist())
        line.update(name=plain_text(groups[name]))
        line.update(mode="lines+markers", line={"color": swatch.colour, "width": 1.4})
        line.update(marker={"symbol": swatch.shape, "size": 6}, showlegend=False)
        line.update(hovertemplate=f"{plain_text(name)}<br>%{{x}} s: %{{y:.3f}}<extra></extra>")
        drawing.add_trace(line)
    drawing.update_xaxes(title="seconds", **GREY_AXIS)
    drawing.update_yaxes(
        title=f"P({plain_text(frame.class_name(1))})", range=[-0.03, 1.03], **GREY_AXIS
    )
    lay_out(drawing, height=HEIGHT, margin={"l": 52, "r": 12, "t": 12, "b": 46})
    return make_figure(id, f"Scores of {film.group} over time", drawing)
