"""Section: subsets of images, such as those of one generator, and their shift from the in-set."""

from typing import Any

import numpy as np

from salix.analysis import Analysis, SubsetTable
from salix.analysis.subset_table import SubsetRow
from salix.report import heatmap
from salix.report.export import record
from salix.report.section import Section, read_template


def build(analysis: Analysis) -> Section | None:
    """Tabulate subsets and shifts; None for a single subset, or subsets that are the classes."""
    table = analysis.subsets
    if table is None:
        return None
    return Section(
        "subsets",
        "In-set and out-of-set" if table.in_set else "Subsets",
        read_template(__file__),
        {
            "table": table,
            "groups": [
                (group, [(row, _draw(row, table.greatest_mean)) for row in rows])
                for group, rows in table.groups
                if rows
            ],
        },
        link="Out-of-set" if table.in_set else "Subsets",
        records=subset_records(table),
    )


def _draw(row: SubsetRow, top: float) -> str:
    """Return the mean map as a picture; nothing where it cannot be drawn."""
    if row.mean is None:
        return ""
    return heatmap.smooth(np.rint(row.mean * 255 / top).astype(np.uint8))


def subset_records(table: SubsetTable) -> list[dict[str, Any]]:
    """Return a record for each number and shift of each group, with the fields of `export.record`.

    `kind` is "subset" or "shift", `coordinate` the subset and its class.
    """
    records = []
    for group, rows in table.groups:
        for row in rows:
            shifts = {key: shift.interval for key, shift in row.shifts.items()}
            for kind, numbers in (("subset", row.numbers), ("shift", shifts)):
                coordinate = f"{row.subset}: {row.part}"
                for key, i in numbers.items():
                    records.append(record(kind, group, None, key, coordinate, i))
    return records
