"""Sections of the report page: `build(analysis) -> Section | None`, a file each in `sections/`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from salix.analysis import Analysis
from salix.analysis.columns import NARROW
from salix.report.figure import Figure


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Download:
    """A file that is written beside the page under its name, and linked from its section."""

    suffix: str
    text: str


@dataclass(frozen=True, eq=False)
class Section:
    """One section of the page, and its numbers for machines.

    `template` is the text of a Jinja template, rendered with `context` and with `palette`,
    `region` and `summary`; it may import `macros.html`. It is the content of an element with the id
    `anchor`, below the heading `title`, if any; `link` is its name in the list of sections, none
    where empty. `figures` are those that plotly draws, `drawings` functions that draw its other
    figures by matplotlib, by name: both become files of figures. `records` are added to the Parquet
    file beside the page (fields of `export.FIELDS`), `data` to the JSON file.
    """

    anchor: str
    title: str
    template: str
    context: Mapping[str, Any] = field(default_factory=_nothing)
    link: str = ""
    figures: tuple[Figure, ...] = ()
    drawings: Mapping[str, Callable[[], Any]] = field(default_factory=_nothing)
    downloads: tuple[Download, ...] = ()
    records: Sequence[Mapping[str, Any]] = ()
    data: Mapping[str, Any] = field(default_factory=_nothing)


# Builds a section; None where the runs lack the columns that it shows.
Build = Callable[[Analysis], Section | None]


def in_groups(images: int | str, clusters: int) -> str:
    """Write a number of images, and of the groups of dependent images that they fall into."""
    count = images if isinstance(images, str) else format_count(images)
    return f"{count} images in {format_count(clusters)} groups" if clusters else f"{count} images"


def format_count(number: int) -> str:
    """Write a whole number with thin spaces between thousands."""
    return f"{number:,}".replace(",", NARROW)


def read_template(module: str) -> str:
    """Return the template of a section: the file of its module's name, with the suffix .html."""
    return Path(module).with_suffix(".html").read_text(encoding="utf-8")


def figure_section(
    anchor: str, title: str, link: str, module: str, figures: Sequence[Any], **context: Any
) -> Section | None:
    """Return a section of items with a plotly `figure`, in its context as `figures`.

    None without any.
    """
    if not figures:
        return None
    values = {"figures": figures} | context
    drawn = tuple(item.figure for item in figures)
    return Section(anchor, title, read_template(module), values, link=link, figures=drawn)
