"""Files of the study and its printed tables."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from salix.atomic import atomic
from salix.studies.instruction.densities import THRESHOLD
from salix.studies.instruction.matrices import TableLine
from salix.studies.instruction.measure import (
    SCOPES,
    THRESHOLDS,
    PromptRows,
    condition_densities,
)
from salix.studies.instruction.tables import plain_interval

HEAT_MAPS = 4  # prompts of the page


def matrix_tables(
    lines: Sequence[TableLine], skipped: Sequence[tuple[str, str]]
) -> Mapping[str, Any]:
    """Return the lines of the recomputed tables as plain data."""
    return {
        "lines": [
            {
                "table": line.table,
                "set": line.subset,
                "threshold": line.threshold,
                "first": plain_interval(line.first),
                "second": plain_interval(line.second),
                "p": line.p if np.isfinite(line.p) else None,
                "published": [v if np.isfinite(v) else None for v in line.published],
            }
            for line in lines
        ],
        "skipped": [list(pair) for pair in skipped],
    }


def write_results(out: Path, results: dict[str, Any], rows: PromptRows | None) -> None:
    """Write `results.json`, and of measured prompts `answers.parquet` with a row for each."""
    out.mkdir(parents=True, exist_ok=True)
    if rows is not None:
        results["answers"]["heat maps"] = [_heat_map(rows, i) for i in _spread(len(rows.prompts))]
        columns = answer_columns(rows)
        with atomic(out / "answers.parquet") as path:
            pq.write_table(pa.table(columns), path)
    with atomic(out / "results.json") as path:
        path.write_text(json.dumps(results, indent=1, ensure_ascii=False), encoding="utf-8")


def answer_columns(rows: PromptRows) -> dict[str, Any]:
    """Return a column for each fact and density of a prompt."""
    columns: dict[str, Any] = {
        "prompt": [prompt.text for prompt in rows.prompts],
        "instruction": [prompt.instruction for prompt in rows.prompts],
        "group": list(rows.groups),
    }
    for i, name in enumerate(rows.conditions):
        columns[f"{name}, answer"] = ["".join(a[f"{i} columns"]) for a in rows.arrays]
        columns[f"{name}, probability"] = [float(a[f"{i} chances"].mean()) for a in rows.arrays]
        for scope in SCOPES:
            for threshold in THRESHOLDS:
                density = condition_densities(rows, i, threshold=threshold, scope=scope)
                columns[f"{name}, density, {scope}, {threshold}"] = density
    return columns


def _spread(count: int) -> list[int]:
    return sorted(set(np.linspace(0, count - 1, min(HEAT_MAPS, count)).astype(int).tolist()))


def _heat_map(rows: PromptRows, index: int) -> dict[str, Any]:
    """Return the importance of a prompt's tokens for an answer's in both states, of user's text."""
    arrays, states = rows.arrays[index], []
    for i, name in enumerate(rows.states):
        text = arrays[f"{i} text"]
        importance = np.maximum(arrays[f"{i} importance"][text], 0)
        peaks = importance.max(0, keepdims=True)
        shares = importance / np.where(peaks > 0, peaks, 1)
        is_instruction = np.isin(text, arrays[f"{i} instruction"])
        states.append(
            {
                "name": name,
                "rows": [str(token) for token in arrays[f"{i} rows"][text]],
                "columns": [str(token) for token in arrays[f"{i} columns"]],
                "instruction": is_instruction.tolist(),
                "shares": np.round(shares, 2).tolist(),
            }
        )
    return {"prompt": rows.prompts[index].text, "states": states}


def print_results(results: Mapping[str, Any]) -> None:
    """Print densities, the shifts of tuning, and the recomputed tables."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if "answers" in results:
        title = f"instruction density, threshold {THRESHOLD}"
        shown = Table(title, "relative to", "mean", "95 %", "p", box=None, pad_edge=False)
        for row in results["answers"]["densities"]:
            if row["threshold"] == THRESHOLD:
                p = "" if row["p"] is None else f"{row['p']:.2g}"
                shown.add_row(row["condition"], row["scope"], *_cells(row), p)
        console.print(shown)
    if "tuning" in results:
        shown = Table("after tuning", "number", "mean", "95 %", box=None, pad_edge=False)
        for condition, numbers in results["tuning"]["numbers"].items():
            for name, row in numbers.items():
                shown.add_row(condition, name, *_cells(row))
        console.print(shown)
    if "matrices" in results:
        shown = Table("table", "set", "threshold", "first", "second", "p", "published", box=None)
        for line in results["matrices"]["lines"]:
            means = [f"{line[k]['mean']:.4f}" if line[k]["n"] else "" for k in ("first", "second")]
            p = "" if line["p"] is None else f"{line['p']:.2g}"
            published = " / ".join(f"{v:.4f}" for v in line["published"] if v is not None)
            cells = line["table"], line["set"], str(line["threshold"]), *means, p, published
            shown.add_row(*cells)
        console.print(shown)


def _cells(row: Mapping[str, Any]) -> tuple[str, str]:
    mean = "" if row["mean"] is None else f"{row['mean']:.3f}"
    return mean, "" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
