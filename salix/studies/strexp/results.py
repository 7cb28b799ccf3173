"""Tables of a STRExp study as JSON, and their print."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from salix.atomic import atomic
from salix.studies.strexp.run import StudyRows
from salix.studies.strexp.selectivity import FILLS
from salix.studies.strexp.tables import (
    TableRow,
    comparison_rows,
    error_rows,
    localisation_rows,
    selectivity_rows,
)


def study_tables(rows: StudyRows) -> Mapping[str, Any]:
    """Return settings, counts and tables as plain data for JSON."""
    images = rows.read.images
    known = [(i.truth, p) for i, p in zip(images, rows.read.predictions, strict=True) if i.truth]
    return {
        "study": asdict(rows.study),
        "methods": {name: repr(method) for name, method in rows.methods.items()},
        "explained": len(images),
        "known truths": len(known),
        "read right": sum(truth == prediction for truth, prediction in known),
        "skipped": [list(pair) for pair in rows.read.skipped],
        "selectivity": _plain(selectivity_rows(rows)),
        "comparisons": _plain(comparison_rows(rows)),
        "localisation": _plain(localisation_rows(rows)),
        "errors": _plain(error_rows(rows)),
    }


def _plain(rows: tuple[TableRow, ...]) -> list[dict[str, Any]]:
    def number(value: float) -> float | None:
        return round(float(value), 5) if np.isfinite(value) else None

    return [
        {
            "of": list(r.of),
            "mean": number(r.value.value),
            "low": number(r.value.low),
            "high": number(r.value.high),
            "n": r.value.n,
        }
        for r in rows
    ]


def write_results(out: Path, rows: StudyRows) -> Mapping[str, Any]:
    """Write `results.json`; returns the tables."""
    tables = study_tables(rows)
    with atomic(out / "results.json") as path:
        path.write_text(json.dumps(tables, indent=1, ensure_ascii=False), encoding="utf-8")
    return tables


def print_tables(tables: Mapping[str, Any]) -> None:
    """Print areas with the background as fill, the comparisons, and localisation."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for name, keep in (
        ("selectivity", lambda of: of[-1] == FILLS[0]),
        ("comparisons", lambda of: of[-1] == FILLS[0]),
        ("localisation", lambda of: True),
        ("errors", lambda of: True),
    ):
        shown = Table(name, "mean", "95 % over words", box=None, pad_edge=False)
        for row in tables[name]:
            if keep(row["of"]) and row["mean"] is not None:
                of = ", ".join(row["of"])
                limits = "" if row["low"] is None else f"{row['low']:.4f} to {row['high']:.4f}"
                shown.add_row(of, f"{row['mean']:.4f}", limits)
        console.print(shown)
