"""Section: subsets of images, such as those of one generator, and their shift from the in-set."""

from typing import Any

from salix.analysis import Analysis, SubsetTable
from salix.report import heatmap
from salix.report.export import record
from salix.report.section import Section, read_template


def build(analysis: Analysis) -> Section | None:
    """Tabulate subsets and shifts; None for a single subset, or subsets that are the classes."""
    table = analysis.subsets
    if table is None:
        return None
    top = table.greatest_mean
    pictures = {
        group: ["" if row.mean is None else heatmap.mean_picture(row.mean, top) for row in rows]
        for group, rows in table.groups
    }
    return Section(
        "subsets",
        "In-set and out-of-set" if table.in_set else "Subsets",
        read_template(__file__),
        {
            "table": table,
            "has_maps": any(row.mean is not None for _, rows in table.groups for row in rows),
            "has_auc": "auc" in {c.key for c in table.columns.numbers},
            "groups": [
                (group, list(zip(rows, pictures[group], strict=True)))
                for group, rows in table.groups
                if rows
            ],
        },
        link="Out-of-set" if table.in_set else "Subsets",
        records=subset_records(table),
    )


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
