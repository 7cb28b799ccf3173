"""Files of a STRExp study: tables as JSON, a row for each word as Parquet, and their print."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from salix.atomic import atomic
from salix.studies.strexp.measure import ranking_names
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
    """Write `results.json` and `words.parquet`, a row for each word; returns the tables."""
    tables = study_tables(rows)
    with atomic(out / "results.json") as path:
        path.write_text(json.dumps(tables, indent=1, ensure_ascii=False), encoding="utf-8")
    columns: dict[str, Any] = {
        "name": [i.name for i in rows.read.images],
        "condition": [i.condition for i in rows.read.images],
        "truth": [i.truth for i in rows.read.images],
        "prediction": list(rows.read.predictions),
        "explained": list(rows.read.words),
    }
    for index, name in enumerate(ranking_names(rows.methods, runs=rows.study.runs)):
        for curve in ("accuracy", "confidence"):
            for place, fill in enumerate(FILLS):
                values = rows.arrays[f"{curve} area"][:, index, place]
                columns[f"{name}, {curve} area, {fill}"] = values
    for name, values in rows.arrays.items():
        if name.startswith("localisation|"):
            columns[name.replace("|", ", ")] = list(values)
    with atomic(out / "words.parquet") as path:
        pq.write_table(pa.table(columns), path)
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
