"""STRExp study from settings to files: measurements, tables, page and print."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from salix.studies.detectors import TimedLog
from salix.studies.strexp.page import write_page
from salix.studies.strexp.results import print_tables, write_results
from salix.studies.strexp.run import WordStudy, measure_study

QUICK_WORDS = 4


def run_strexp(
    out: Path, study: WordStudy, *, methods: Sequence[str] = (), quick: bool = False
) -> Path:
    """Measure words, write `results.json` and `strexp.html`, and print tables.

    `methods` are texts such as `Gradient()` in place of those of the study; Shapley values are
    always measured. With `quick` four words are rendered and no runs of n + 1 times the passes.
    Returns the path of the page. A stopped study continues where it was.
    """
    log = TimedLog()
    if quick:
        study = replace(study, words=QUICK_WORDS, runs=False)
    rows = measure_study(out, study, methods=methods, log=log)
    tables = write_results(out, rows)
    print_tables(tables)
    for name, reason in rows.read.skipped:
        log(f"left out {name}: {reason}")
    path = write_page(out, rows, tables)
    log(f"wrote {path}")
    return path
