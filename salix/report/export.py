"""The report for machines: every number as a row, and the table as CSV and LaTeX."""

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from salix.analysis import frame
from salix.analysis.columns import TableColumn
from salix.analysis.differences import Differences
from salix.analysis.summary import Numbers
from salix.stats import Interval
from salix.store import Run

FIELDS = ("kind", "group", "run", "quantity", "at", "value", "low", "high", "n", "undefined")
SPECIAL = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
)


def tidy(
    runs: Sequence[Run], numbers: Numbers, columns: Sequence[TableColumn]
) -> list[dict[str, Any]]:
    """Return a row for each number of each run and group, `at` the place on its axis or None."""
    places = {name: q.coordinates for name, q in frame.columns(runs).items()}
    found = []
    for group in numbers.groups:
        for column in columns:
            if group.values(column.key) or column.key == "agreement":
                shown = group.shown(column.key)
                found.append(tidy_row("group", group.name, None, column.key, None, shown))
        for run in group.runs:
            for key, interval in run.numbers.items():
                found.append(tidy_row("run", group.name, run.name, key, None, interval))
            for key, series in run.series.items():
                at = places.get(key) or tuple(range(len(series)))
                for place, interval in zip(at, series, strict=False):
                    found.append(tidy_row("run", group.name, run.name, key, str(place), interval))
    return found


def tidy_row(
    kind: str, group: str, run: str | None, key: str, at: str | None, i: Interval
) -> dict[str, Any]:
    """Return one row of a tidy table, with the keys of `FIELDS`; what is NaN is None."""
    ends = {name: v if np.isfinite(v := getattr(i, name)) else None for name in FIELDS[5:8]}
    head = {"kind": kind, "group": group, "run": run, "quantity": key, "at": at}
    return head | ends | {"n": i.n, "undefined": i.undefined}


def as_differences(differences: Differences | None) -> list[dict[str, Any]]:
    """Return every comparison of two groups as plain values."""
    found = []
    for d in () if differences is None else differences.found:
        c = d.comparison
        head = {"quantity": c.key, "a": c.a, "b": c.b, "verdict": d.verdict, "over": c.over}
        ends = {f"difference_{n}": getattr(c.difference, n) for n in FIELDS[5:8]}
        sizes = {"p": c.p, "p_adjusted": c.p_adjusted, "hedges_g": c.effect.value}
        numbers = ends | sizes | {"cliffs_delta": c.delta.value}
        plain = {n: float(v) if np.isfinite(v) else None for n, v in numbers.items()}
        found.append(head | plain | {"runs": list(c.n_runs), "images": c.n_images})
    return found


def write_parquet(table: Sequence[dict[str, Any]], out: Path) -> None:
    """Write a tidy table as one Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    text, number, count = pa.string(), pa.float64(), pa.int64()
    types = (text,) * 5 + (number,) * 3 + (count,) * 2
    schema = pa.schema(list(zip(FIELDS, types, strict=True)))
    pq.write_table(pa.Table.from_pylist(list(table), schema), out)


def as_csv(numbers: Numbers, columns: Sequence[TableColumn]) -> str:
    """Return the table of groups as CSV: value, low and high of each column."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    ends = ("", "_low", "_high")
    writer.writerow(["group", "runs", *(c.key + end for c in columns for end in ends)])
    for group in numbers.groups:
        shown = [group.shown(c.key) for c in columns]
        cells = [_cell(v) for i in shown for v in (i.value, i.low, i.high)]
        writer.writerow([group.name, len(group.runs), *cells])
    return out.getvalue()


def _cell(value: float) -> str:
    return f"{value:.6g}" if np.isfinite(value) else ""


def as_latex(numbers: Numbers, columns: Sequence[TableColumn]) -> str:
    """Return the table of groups for LaTeX with the package booktabs."""
    head = " & ".join(["", *(_latex(c.name) for c in columns)])
    lines = [
        rf"\begin{{tabular}}{{l{'r' * len(columns)}}}",
        r"\toprule",
        rf"{head} \\",
        r"\midrule",
    ]
    lines += [" & ".join(cells) + r" \\" for cells in _latex_rows(numbers, columns)]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _latex_rows(numbers: Numbers, columns: Sequence[TableColumn]) -> Iterator[list[str]]:
    for group in numbers.groups:
        shown = [(c, group.shown(c.key)) for c in columns]
        yield [
            _latex(group.name),
            *(_latex(f"{c.format(i.value)} {c.limits(i)}") for c, i in shown),
        ]


def _latex(text: str) -> str:
    """Escape what LaTeX reads; typographic signs become its own."""
    plain = text.strip().translate(SPECIAL)
    return plain.replace("−", "$-$").replace("–", "--").replace("\u202f", r"\,")
