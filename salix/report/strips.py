"""Panels of the overview: the numbers of all groups on one scale, laid out."""

from dataclasses import dataclass

from salix.analysis import GroupSummary, TableColumn

WIDTH, MARGIN = 240.0, 12.0  # of a strip, in the units of its drawing


@dataclass(frozen=True)
class Strip:
    """One group in one panel: its number as text, its dots, mean and interval in drawing units."""

    group: GroupSummary
    text: str
    spoken: str
    dots: tuple[tuple[float, float, str], ...]
    mean: float | None
    bar: tuple[float, float] | None


@dataclass(frozen=True)
class Panel:
    """A number of all groups on one scale; `references` are values to compare with."""

    column: TableColumn
    ticks: tuple[tuple[float, str], ...]
    strips: tuple[Strip, ...]
    references: tuple[tuple[float, str], ...]
    note: str
