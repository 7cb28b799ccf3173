"""Printed result of a sweep: counts, skipped images, and the next command."""

import sys
from typing import TYPE_CHECKING

from salix.data.notes import printable

if TYPE_CHECKING:
    from salix.store import Run

SHOWN = 5  # most skipped images that are listed in the terminal


def print_summary(run: "Run") -> int:
    """Print the path of a run, its counts and skipped images; return 1 where none was read."""
    if not run.complete:  # of several shards, or what another process is writing
        print(f"{run.path}: {' '.join(run.missing[:SHOWN])}")
        print("next: the other shards, or without --shard all that is left")
        return 0
    skipped = run.skipped
    print(f"{run.path}: {run.count - len(skipped)} images explained, {len(skipped)} skipped")
    for row in skipped[:SHOWN]:
        print(printable(f"  skipped {row['id']}: {row['skipped']}"))
    if len(skipped) > SHOWN:
        print(f"  … and {len(skipped) - SHOWN} more, listed in the report")
    if len(skipped) == run.count:
        print("salix: no image could be read: see the reasons above", file=sys.stderr)
        return 1
    print(f"next: salix report {run.path} --out report.html")
    if "region_area" in run.columns:
        print(f"or with another model's run: salix compare {run.path} OTHER --out compare.html")
    return 0
