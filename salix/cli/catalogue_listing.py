"""Terminal output of catalogues: a table, JSON, or the documentation of single members."""

import inspect
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from salix.cli.catalogues import CatalogueRecord
from salix.cli.costs import describe_passes
from salix.typing import InputError, Passes


def print_records(
    records: Sequence[CatalogueRecord], columns: Sequence[str], *, as_json: bool
) -> None:
    """Print records as a table of some columns, or all of their values as JSON."""
    if as_json:
        print(json.dumps(records, indent=1, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "name")
    for record in records:
        table.add_row(*(Text(cell(record, column)) for column in columns))
    # Lines of a file or of another program are as long as their content.
    width = None if sys.stdout.isatty() else 1000
    Console(width=width, highlight=False).print(table)


def print_documentation(names: Sequence[str], members: Mapping[str, Any], records: Any) -> None:
    """Print what each name is, its signature and its docstring; `InputError` for other names."""
    if unknown := [name for name in names if name not in members]:
        raise InputError(f"unknown {unknown[0]!r}: choose one of {', '.join(members)}")
    described = {record["name"]: record for record in records}
    for name in names:
        signature = inspect.signature(members[name])
        plain = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
        record = described[name]
        print(f"{name}{inspect.Signature(plain)}\n{record['title']}: {record['source']}")
        kind = record.get("family") or record.get("group")
        print(f"{kind}; passes: {cell(record, 'passes')}; needs: {cell(record, 'needs') or 'none'}")
        print(f"\n{inspect.getdoc(members[name])}\n")


def cell(record: CatalogueRecord, column: str) -> str:
    """Return the text of one value of a record."""
    value = record.get(column)
    match column:
        case "range":
            ends = ["" if record[end] is None else f"{record[end]:g}" for end in ("low", "high")]
            return " to ".join(e or sign for e, sign in zip(ends, ("-∞", "∞"), strict=True))
        case "passes":
            if value is None:
                return record.get("cost") or "depends on the settings"
            return describe_passes(Passes(**value))
        case _ if isinstance(value, list):
            return ", ".join(map(str, value))
        case _:
            return "" if value is None else str(value)
