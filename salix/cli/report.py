"""`salix report`: an HTML page that compares runs."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from salix.cli.options import Data, Option


@dataclass(frozen=True)
class Report:
    """Compare runs in one HTML page that needs no network.

    Example: salix report runs/* --out report.html
    """

    runs: Annotated[tyro.conf.Positional[tuple[Path, ...]], Option(help="directories of runs")]
    out: Annotated[Path, Option(help="HTML file to write")] = Path("report.html")
    title: Annotated[str, Option(help="title of the page")] = "What these models look at"
    in_set: Annotated[
        tuple[str, ...],
        Option(help="in-distribution subsets (folders), with which the others are compared"),
    ] = ()
    primary: Annotated[
        str | None,
        Option(
            help="the one number that the headline is about, such as auc or relevance_mass: name "
            "it before you look, and its test is not corrected for the other numbers"
        ),
    ] = None
    data: Annotated[
        Data | None,
        Option(
            help="the swept images, as for salix sweep --data, for the pictures of the chosen "
            "examples; by default the small pictures that runs store of a few"
        ),
    ] = None

    def run(self) -> int:
        """Write the report."""
        from salix import report, store
        from salix.analysis import analyse
        from salix.report.sections import SECTIONS, sections_with

        runs = store.read_runs(self.runs)
        analysis = analyse(runs, in_set=self.in_set or None, primary=self.primary)
        sections = sections_with(self.data) if self.data else SECTIONS
        page = report.write_page(analysis, self.out, title=self.title, sections=sections)
        if analysis.grouped_rows:
            print(f"warning: {analysis.grouped_rows.text}", file=sys.stderr)
        print(f"{page}: {len(runs)} runs")
        return 0
