"""The report for machines: every number as a row, and the table of groups as CSV and LaTeX."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from salix.analysis import Analysis, Differences
from salix.analysis.summary import LIMITS, plain_interval
from salix.report.spreadsheet import csv_text
from salix.stats import Interval

FIELDS = ("kind", "group", "run", "metric", "coordinate", *LIMITS, "n", "undefined", "clusters")
SPECIAL = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
)


def summary_records(analysis: Analysis) -> list[dict[str, Any]]:
    """Return a record for each number of each run and group, with its coordinate on an axis."""
    records = []
    for group in analysis.summary.groups:
        for column in analysis.columns:
            if group.values(column.key) or column.key == "agreement":
                interval = group.interval(column.key)
                records.append(record("group", group.name, None, column.key, None, interval))
        for run in group.runs:
            columns = next(r.columns for r in analysis.runs if r.name == run.name)
            for key, interval in run.numbers.items():
                records.append(record("run", group.name, run.name, key, None, interval))
            for key, intervals in run.arrays.items():
                coordinates = columns[key].coordinates or tuple(range(len(intervals)))
                for coordinate, interval in zip(coordinates, intervals, strict=False):
                    text = str(coordinate)
                    records.append(record("run", group.name, run.name, key, text, interval))
    return records


def record(
    kind: str, group: str, run: str | None, metric: str, coordinate: str | None, i: Interval
) -> dict[str, Any]:
    """Return one record of a tidy table, with the keys of `FIELDS`; NaN is None."""
    values = (kind, group, run, metric, coordinate)
    return dict(zip(FIELDS, values, strict=False)) | plain_interval(i) | {"clusters": i.clusters}


def difference_rows(differences: Differences) -> list[dict[str, Any]]:
    """Return every comparison of two groups as plain values."""
    rows = []
    for d in differences.rows:
        c = d.comparison
        head = {"metric": c.key, "a": c.a, "b": c.b}
        head |= {"significance": d.significance, "over": c.over, "of_headline": d.of_headline}
        limits = {f"difference_{n}": getattr(c.difference, n) for n in LIMITS}
        sizes = {
            "p": c.p,
            "p_both": c.p_both,
            "p_adjusted": c.p_adjusted,
            "hedges_g": c.effect.value,
        }
        numbers = limits | sizes | {"cliffs_delta": c.delta.value}
        plain = {n: float(v) if np.isfinite(v) else None for n, v in numbers.items()}
        counts = {"runs": list(c.n_runs), "images": c.n_images, "clusters": c.difference.clusters}
        rows.append(head | plain | counts)
    return rows


def write_parquet(records: Sequence[Mapping[str, Any]], out: Path) -> None:
    """Write records as one Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    text, number, count = pa.string(), pa.float64(), pa.int64()
    types = (text,) * 5 + (number,) * 3 + (count,) * 3
    schema = pa.schema(list(zip(FIELDS, types, strict=True)))
    pq.write_table(pa.Table.from_pylist([dict(r) for r in records], schema), out)


def as_csv(analysis: Analysis) -> str:
    """Return the table of groups as CSV: value, low and high of each column.

    Names that a spreadsheet would run as a formula have an apostrophe before them, see `inert`.
    """
    ends = ("", "_low", "_high")
    rows: list[list[str | float]] = [
        ["group", "runs", *(c.key + end for c in analysis.columns for end in ends)]
    ]
    for group in analysis.summary.groups:
        intervals = [group.interval(c.key) for c in analysis.columns]
        numbers = [float(v) for i in intervals for v in (i.value, i.low, i.high)]
        rows.append([group.name, len(group.runs), *numbers])
    return csv_text(rows)


def as_latex(analysis: Analysis) -> str:
    """Return the table of groups for LaTeX with the package booktabs."""
    head = " & ".join(["", *(_escape_latex(c.name) for c in analysis.columns)])
    lines = [
        rf"\begin{{tabular}}{{l{'r' * len(analysis.columns)}}}",
        r"\toprule",
        rf"{head} \\",
        r"\midrule",
    ]
    for group in analysis.summary.groups:
        intervals = [(c, group.interval(c.key)) for c in analysis.columns]
        numbers = (_escape_latex(f"{c.format(i.value)} {c.limits(i)}") for c, i in intervals)
        lines.append(" & ".join([_escape_latex(group.name), *numbers]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _escape_latex(text: str) -> str:
    """Escape the special characters of LaTeX; typographic signs become its own."""
    plain = text.strip().translate(SPECIAL)
    return plain.replace("−", "$-$").replace("–", "--").replace("\u202f", r"\,")
