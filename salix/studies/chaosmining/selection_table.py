"""Table of feature selectors by formula, beside the published one."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from salix.analysis.summary import plain_number
from salix.atomic import atomic
from salix.stats import Interval, mean_interval
from salix.studies.chaosmining.published_selection import PUBLISHED_SELECTION
from salix.studies.chaosmining.selection import SelectionRow


@dataclass(frozen=True)
class SelectionCell:
    """Mean precision and error of a selector for one formula, over seeds, and published ones."""

    selector: str
    ranked_on: str
    formula: str
    precision: Interval
    error: Interval
    published_precision: float
    published_error: float


def selection_cells(rows: Sequence[SelectionRow]) -> tuple[SelectionCell, ...]:
    """Return a cell for each selector and formula; published values are of the release's rows."""
    groups: dict[tuple[str, str, str], list[SelectionRow]] = {}
    for row in rows:
        groups.setdefault((row.selector, row.ranked_on, row.formula), []).append(row)
    cells = []
    for (selector, ranked_on, formula), group in groups.items():
        error, precision = np.nan, np.nan
        if ranked_on != "validation rows":
            error, precision = PUBLISHED_SELECTION.get((selector, formula), (np.nan, np.nan))
        cells.append(
            SelectionCell(
                selector,
                ranked_on,
                formula,
                mean_interval([r.precision for r in group]),
                mean_interval([r.error for r in group]),
                precision,
                error,
            )
        )
    return tuple(cells)


def write_selection(out: Path, cells: Sequence[SelectionCell]) -> Path:
    """Write `selection.json`, one entry for each selector and formula."""
    entries = [
        {
            "selector": c.selector,
            "ranked_on": c.ranked_on,
            "formula": c.formula,
            "seeds": c.precision.n,
            "precision": c.precision.value,
            "precision_low": plain_number(c.precision.low),
            "precision_high": plain_number(c.precision.high),
            "published_precision": plain_number(c.published_precision),
            "error": c.error.value,
            "error_low": plain_number(c.error.low),
            "error_high": plain_number(c.error.high),
            "published_error": plain_number(c.published_error),
        }
        for c in cells
    ]
    with atomic(out / "selection.json") as path:
        path.write_text(json.dumps(entries, indent=1))
    return out / "selection.json"


def print_selection(cells: Sequence[SelectionCell]) -> None:
    """Print precision and error by formula, published ones in parentheses."""
    from rich.console import Console
    from rich.table import Table

    formulas = list(dict.fromkeys(c.formula for c in cells))
    table = Table("selector", "ranked on", *formulas, box=None, pad_edge=False)
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for c in cells:
        text = _number(c.precision.value, c.published_precision, 3)
        text += f"\n{_number(c.error.value, c.published_error, 4)}"
        lines.setdefault((c.selector, c.ranked_on), {})[c.formula] = text
    for (selector, ranked_on), texts in lines.items():
        table.add_row(selector, ranked_on, *(texts.get(f, "") for f in formulas))
    console = Console()
    console.print("Precision, and mean absolute error below; published in parentheses")
    console.print(table)


def _number(value: float, published: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return f"{text} ({published:.{digits}f})" if np.isfinite(published) else text
