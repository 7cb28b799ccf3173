"""Section: a panel for each of the main numbers, and example maps, without a heading."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from salix.analysis import Analysis, GroupSummary, Summary, TableColumn
from salix.report.headline import headline
from salix.report.palette import Palette
from salix.report.pictures import Gallery, gallery
from salix.report.section import Section, format_count, in_groups, read_template
from salix.report.strip_drawing import draw_panels
from salix.report.strips import MARGIN, WIDTH, Panel, Strip
from salix.stats import Interval

FIRST = (
    "auc",
    "accuracy",
    "relevance_mass",
    "spatial_entropy",
    "agreement",
    "histogram_entropy",
    "gini",
)
PANELS = 4


def build(analysis: Analysis, *, examples: int = 6) -> Section:
    """Draw up to four numbers, and the maps of the first kept images, one a run."""
    pictures = analysis.derive(gallery)
    chosen = pictures.examples(examples) if pictures.drawn else ()
    runs = list(enumerate(analysis.runs))
    numbers = panels(analysis.summary, analysis.columns, pictures)
    draw = partial(draw_panels, numbers, Palette(analysis.groups))
    return Section(
        "overview",
        "",
        read_template(__file__),
        {
            "panels": numbers,
            "examples": chosen,
            "pictures": pictures,
            "runs_of": {g: [j for j, r in runs if r.group == g] for g in analysis.groups},
            "evidence": analysis.derive(headline).evidence,
        },
        drawings={"overview": draw} if numbers else {},
    )


def panels(summary: Summary, columns: Sequence[TableColumn], pictures: Gallery) -> list[Panel]:
    """Choose up to four numbers and lay them out.

    A map without preference has the share of the image that the reference masks mark inside them.
    """
    by_key = {c.key: c for c in columns}
    keys = [k for k in FIRST if k in by_key] or list(by_key)
    keys = [k for k in keys if any(np.isfinite(g.interval(k).value) for g in summary.groups)]
    if "auc" in keys and "accuracy" in keys:
        keys.remove("accuracy")
    references: dict[str, Mapping[str, float]] = {"auc": summary.baselines}
    if pictures.mask_share is not None:
        references["relevance_mass"] = {"a map without preference: about": pictures.mask_share}
    return [_panel(summary.groups, by_key[k], references.get(k, {})) for k in keys[:PANELS]]


def _panel(
    groups: Sequence[GroupSummary], column: TableColumn, references: Mapping[str, float]
) -> Panel:
    key = column.key
    low, high = _scale(column, groups, references)

    def place(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low)
        return round(MARGIN + share * (WIDTH - 2 * MARGIN), 2)

    ticks = [low + (high - low) * i / 4 for i in range(5)][:: 2 if column.percent else 1]
    texts = [column.format(t, 2) if column.percent else f"{t:.4g}".replace("-", "−") for t in ticks]
    return Panel(
        column=column,
        ticks=tuple(zip(map(place, ticks), texts, strict=True)),
        strips=tuple(_strip(g, column, place) for g in groups),
        references=tuple((place(v), f"{n} {column.format(v, 2)}") for n, v in references.items()),
        note=_note(groups, key),
    )


def _scale(
    column: TableColumn, groups: Sequence[GroupSummary], references: Mapping[str, float]
) -> tuple[float, float]:
    """Show the whole range of the number: a zoomed axis would make small differences look large.

    Of an unbounded one, the range of the values and their intervals.
    """
    values = [v for g in groups for v in g.values(column.key)]
    shown = [*values, *references.values()]
    if column.key == "auc" and all(v >= 0.5 for v in shown):
        return 0.5, 1.0
    if column.key == "agreement":
        return (0.0 if all(v >= 0 for v in shown) else -1.0), 1.0
    intervals = [g.interval(column.key) for g in groups]
    limits = [v for i in intervals for v in (i.low, i.high) if np.isfinite(v)]
    low = min([*shown, *limits], default=0.0) if column.low is None else column.low
    high = max([*shown, *limits], default=1.0) if column.high is None else column.high
    return (float(low), float(high)) if high > low else (low - 0.5, low + 0.5)


def _strip(group: GroupSummary, column: TableColumn, place: Callable[[float], float]) -> Strip:
    key, shown = column.key, group.interval(column.key)
    runs = [(r, r.numbers[key]) for r in group.runs if key in r.numbers]
    defined = [(r.name, i) for r, i in runs if np.isfinite(i.value)]
    # Runs stand one below the other, so that equal ones do not hide each other.
    heights = 12 + np.linspace(-1, 1, len(defined)) * min(6, 3 * (len(defined) - 1))
    dots = [
        (place(i.value), round(float(y), 1), _spell(name, column, i))
        for y, (name, i) in zip(heights, defined, strict=True)
    ]
    ends = [v for v in (shown.low, shown.high) if np.isfinite(v)]
    return Strip(
        group=group,
        text=column.format(shown.value, 2),
        spoken=_spell(group.name, column, shown),
        dots=tuple(dots),
        mean=place(shown.value) if np.isfinite(shown.value) else None,
        bar=(place(ends[0]), place(ends[1])) if len(ends) == 2 else None,
    )


def _spell(name: str, column: TableColumn, i: Interval) -> str:
    return f"{name}: {column.name} {column.format(i.value)} {column.limits(i)}".strip()


def _note(groups: Sequence[GroupSummary], key: str) -> str:
    """Write what the numbers were made from and what the bars are."""
    if key == "agreement":
        own = [g.agreement for g in groups if g.agreement is not None]
        return f"mean SSIM of two runs’ maps, {_images(own)}; bar: 95 %"
    images = _images([r.numbers[key] for g in groups for r in g.runs if key in r.numbers])
    several = [len(g.values(key)) > 1 for g in groups if g.values(key)]
    over = "runs and images" if any(several) else "images"
    over += ", or images for a single run" if any(several) and not all(several) else ""
    return f"{images} a run; bar: 95 % over {over}"


def _images(intervals: Sequence[Interval]) -> str:
    return in_groups(_span([i.n for i in intervals]), max(i.clusters for i in intervals))


def _span(counts: list[int]) -> str:
    low, high = format_count(min(counts)), format_count(max(counts))
    return low if low == high else f"{low}–{high}"
