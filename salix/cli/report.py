"""Command `salix report`: writes the report of runs."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from salix.cli.options import Given


@dataclass(frozen=True)
class Report:
    """Compare runs in one HTML page that needs no network.

    Example: salix report runs/* --out report.html
    """

    runs: Annotated[tyro.conf.Positional[list[Path]], Given(help="directories of runs")]
    out: Annotated[Path, Given(help="the page to write")] = Path("report.html")
    title: Annotated[str, Given(help="its title")] = "What these models look at"
    in_set: Annotated[
        list[str], Given(help="subsets (folders) that the others are compared with")
    ] = field(default_factory=list)

    def run(self) -> int:
        """Write the report."""
        from salix import report, store

        runs = store.read_runs(self.runs)
        page = report.write(runs, self.out, title=self.title, in_set=self.in_set or None)
        print(f"{page}: {len(runs)} runs")
        return 0
