"""Command line and results file shared by the scripts that time Salix against PyTorch."""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from machine import describe_machine, has_module, package_versions


def add_options(
    parser: argparse.ArgumentParser,
    variants: Sequence[str],
    tasks: Sequence[str],
    *,
    rounds: int,
    out: Path,
) -> None:
    parser.add_argument("--torch", default=sys.executable, help="a Python that has PyTorch")
    parser.add_argument("--tasks", nargs="+", default=tasks, choices=tasks)
    parser.add_argument("--variants", nargs="+", default=list(variants), choices=variants)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--out", type=Path, default=out)


def peer_variants(options: argparse.Namespace) -> tuple[list[str], bool]:
    """Variants that can run, and whether the Python of `--torch` has PyTorch."""
    if has_module(options.torch, "torch"):
        return options.variants, True
    print(f"PyTorch is left out: {options.torch} does not have it", file=sys.stderr)
    return [v for v in options.variants if not v.startswith("torch")], False


def write_results(
    options: argparse.Namespace,
    results: Mapping[str, Any],
    load: tuple[float, float, float],
    packages: tuple[str, ...],
    torch: bool,
    facts: Mapping[str, Any],
) -> None:
    """Write the results with a description of the machine, packages and options."""
    versions = package_versions(sys.executable, packages)
    versions |= package_versions(options.torch, ("torch",)) if torch else {}
    about = describe_machine() | {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "load before and after": [load, os.getloadavg()],
        "packages": versions,
        **facts,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"about": about, "results": results}, indent=1) + "\n")


def remove_samples(rows: Mapping[str, dict[str, Any]]) -> None:
    """Remove from rows what served to compare results, and the parts of the first call."""
    for row in rows.values():
        for key in ("make_s", "first_call_s", "shape", "mean_abs", "sample"):
            row.pop(key, None)


def markdown_table(title: str, rows: Mapping[str, Any], columns: Mapping[str, str]) -> str:
    """Return the rows of variants as Markdown, `columns` by name with their formats."""
    lines = [f"| {title} | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for variant, row in rows.items():
        if "left out" in row:
            lines.append(f"| {variant} | left out: {row['left out']} |")
        else:
            cells = [format(row[c], how) if c in row else "" for c, how in columns.items()]
            lines.append(f"| {variant} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
