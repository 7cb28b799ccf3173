"""The first figure: a panel a number, a row a group, a dot a run. Drawn without a script."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from salix.analysis.columns import TableColumn
from salix.analysis.summary import Group, Numbers
from salix.stats import Interval

WIDTH, MARGIN = 240.0, 12.0  # of a strip, in the units of its drawing
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


@dataclass(frozen=True)
class Strip:
    """One group in one panel: the number in words, its dots, mean and interval in drawing units."""

    group: Group
    text: str
    spoken: str
    dots: tuple[tuple[float, float, str], ...]
    mean: float | None
    bar: tuple[float, float] | None


@dataclass(frozen=True)
class Panel:
    """A number of all groups on one scale; `marks` are values to compare with."""

    column: TableColumn
    ticks: tuple[tuple[float, str], ...]
    strips: tuple[Strip, ...]
    marks: tuple[tuple[float, str], ...]
    note: str


def panels(
    numbers: Numbers, columns: Sequence[TableColumn], no_preference: float | None
) -> list[Panel]:
    """Choose up to four numbers and lay them out.

    `no_preference` is the share inside the region of a map that prefers no place.
    """
    by_key = {c.key: c for c in columns}
    has = [k for k in FIRST if k in by_key and any(_defined(g, k) for g in numbers.groups)]
    if "auc" in has:
        has.remove("accuracy")
    marks: dict[str, dict[str, float]] = {"auc": dict(numbers.baselines)}
    if no_preference is not None:
        marks["relevance_mass"] = {"a map without preference: about": no_preference}
    chosen = sorted(has[:PANELS], key=FIRST.index)
    return [_panel(numbers, by_key[k], marks.get(k, {})) for k in chosen]


def _defined(group: Group, key: str) -> bool:
    return bool(np.isfinite(group.shown(key).value))


def _panel(numbers: Numbers, column: TableColumn, marks: Mapping[str, float]) -> Panel:
    groups, key = numbers.groups, column.key
    low, high = _scale(column, [v for g in groups for v in g.values(key)], marks)

    def place(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low)
        return round(MARGIN + share * (WIDTH - 2 * MARGIN), 2)

    ticks = [low + (high - low) * i / 4 for i in range(5)]
    return Panel(
        column=column,
        ticks=tuple((place(t), _tick(column, t)) for t in ticks[:: 2 if column.percent else 1]),
        strips=tuple(_strip(g, column, place) for g in groups),
        marks=tuple((place(v), f"{n} {column.format(v, 2)}") for n, v in marks.items()),
        note=_note(groups, key),
    )


def _scale(
    column: TableColumn, values: list[float], marks: Mapping[str, float]
) -> tuple[float, float]:
    """Show the whole range of the number: a zoomed axis would make small differences look large."""
    shown = [*values, *marks.values()]
    if column.key == "auc" and all(v >= 0.5 for v in shown):
        return 0.5, 1.0
    if column.key == "agreement":
        return (0.0 if all(v >= 0 for v in shown) else -1.0), 1.0
    return float(column.low or 0), float(1 if column.high is None else column.high)


def _tick(column: TableColumn, value: float) -> str:
    return column.format(value, 2) if column.percent else f"{value:g}".replace("-", "−")


def _strip(group: Group, column: TableColumn, place) -> Strip:
    key, shown = column.key, group.shown(column.key)
    runs = [(r, r.numbers[key]) for r in group.runs if key in r.numbers]
    defined = [(r.name, i) for r, i in runs if np.isfinite(i.value)]
    # Runs stand one below the other, so that equal ones do not hide each other.
    heights = 12 + np.linspace(-1, 1, len(defined)) * min(6, 3 * (len(defined) - 1))
    dots = [
        (place(i.value), round(float(y), 1), _spell(name, column, i))
        for y, (name, i) in zip(heights, defined, strict=True)
    ]
    ends = [v for v in (shown.low, shown.high) if np.isfinite(v)]
    mean = place(shown.value) if np.isfinite(shown.value) else None
    return Strip(
        group=group,
        text=column.format(shown.value, 2),
        spoken=_spell(group.name, column, shown),
        dots=tuple(dots),
        mean=mean,
        bar=(place(ends[0]), place(ends[1])) if len(ends) == 2 else None,
    )


def _spell(name: str, column: TableColumn, i: Interval) -> str:
    return f"{name}: {column.name} {column.format(i.value)} {column.limits(i)}".strip()


def _note(groups: Sequence[Group], key: str) -> str:
    """Say what the numbers were made from and what the bars are."""
    if key == "agreement":
        images = _span([g.agreement.n for g in groups if g.agreement is not None])
        return f"mean SSIM of two runs’ maps, {images} images; bar: 95 %"
    images = _span([r.numbers[key].n for g in groups for r in g.runs if key in r.numbers])
    several = [len(g.values(key)) > 1 for g in groups if g.values(key)]
    over = "runs" if all(several) else "images"
    over = "runs, or images for a single run" if any(several) and not all(several) else over
    return f"{images} images a run; bar: 95 % over {over}"


def _span(counts: list[int]) -> str:
    low, high = (f"{n:,}".replace(",", "\u202f") for n in (min(counts), max(counts)))
    return low if low == high else f"{low}–{high}"
