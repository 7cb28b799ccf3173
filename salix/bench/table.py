"""Benchmark results as a printed table and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from salix.bench.ceilings import Roofline
from salix.bench.run import Row

WIDTH = 160  # narrower terminals wrap lines instead of cutting columns
PREFIXES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def save(path: Path, rows: Sequence[Row], ceilings: Roofline) -> None:
    """Write rows and ceilings as JSON."""
    results = {"roofline": asdict(ceilings), "rows": list(rows)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1, allow_nan=False) + "\n")


def show(rows: Sequence[Row], ceilings: Roofline) -> None:
    """Print the rows as a table, their percentages of the ceilings, and the failures."""
    from rich.console import Console

    console = Console(width=WIDTH, highlight=False)
    ran = [row for row in rows if "left_out" not in row]
    for row in rows[:1]:
        size = "x".join(map(str, row["image"]))
        machine = f"{row['device']}, {row['cores']} cores"
        versions = f"salix {row['salix']}, jax {row['jax']}"
        line = f"{row['model']}, images of {size}, on {machine}; {versions}"
        console.print(line, soft_wrap=True, markup=False)
    if ran:
        console.print(_table(ran))
    for line in (*standing(ran, ceilings), *left_out(rows)):
        console.print(line, soft_wrap=True, markup=False)


def _table(rows: Sequence[Row]) -> Any:
    from rich.table import Table

    table = Table("workload", "precision", box=None, pad_edge=False)
    for title in (
        *("batch", "images/s", "quartiles", "passes/s", "CPU s/image", "host ms", "compile s"),
        *("FLOP/s", "of GEMM", "mean", "std"),
    ):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        rate, cpu = row["images_per_second"], row["cpu_seconds"]["median"] / row["batch_size"]
        table.add_row(
            row["workload"],
            row["precision"],
            str(row["batch_size"]),
            f"{rate['median']:.4g}",
            f"{rate['low']:.4g}–{rate['high']:.4g}",
            f"{row['passes_per_second']:.4g}",
            f"{cpu:.3g}",
            f"{1e3 * row['host_seconds']['median']:.3g}",
            f"{row['compile_seconds']:.2g}",
            _number(row["flops_per_second"]),
            "–" if row["percent_of_gemm"] is None else f"{row['percent_of_gemm']:.0f} %",
            *("–" if row[n] is None else f"{row[n]:.4g}" for n in ("mean", "std")),
        )
    return table


def standing(rows: Sequence[Row], ceilings: Roofline) -> list[str]:
    """Return lines with each ceiling, and the highest and lowest percentage of it in the rows."""
    lines = [f"memory: a long stream is read and written at {_number(ceilings.copy)}B/s"]
    for precision, ceiling in ceilings.gemm.items():
        ridge = f"{ceilings.ridge(precision):.0f} FLOP a byte, below which memory is the limit"
        lines.append(f"{precision}: matrix products reach {_number(ceiling)}FLOP/s here, {ridge}")
        of_precision = [row for row in rows if row["precision"] == precision]
        counted = sorted(
            (row for row in of_precision if row["percent_of_gemm"] is not None),
            key=lambda row: row["percent_of_gemm"],
        )
        if counted:
            ends = dict.fromkeys(
                f"{r['percent_of_gemm']:.0f} % ({r['workload']}, batch of {r['batch_size']})"
                for r in (counted[-1], counted[0])
            )
            lines.append(f"  of these, {of_precision[0]['model']} reaches {', '.join(ends)}")
        if precision.startswith("bfloat16") and of_precision:
            share = f"{100 * of_precision[0]['rounded']:.0f} % of the products of a forward pass"
            lines.append(f"  {share} have operands of 16 bits: those of Salix's convolutions")
    return lines


def left_out(rows: Sequence[Row]) -> list[str]:
    """Return a line for each reason of failure, with its workloads."""
    by_reason: dict[str, list[str]] = {}
    several = [n for n in ("precision", "batch_size") if len({row[n] for row in rows}) > 1]
    for row in rows:
        if "left_out" in row:
            name = " ".join(str(row[n]) for n in ("workload", *several))
            by_reason.setdefault(row["left_out"], []).append(name)
    return [f"left out: {', '.join(names)}: {reason}" for reason, names in by_reason.items()]


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    size, prefix = next(((s, p) for s, p in PREFIXES if value >= s), (1.0, ""))
    return f"{value / size:.3g} {prefix}"
