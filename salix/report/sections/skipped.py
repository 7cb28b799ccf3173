"""Section: images that could not be read, and why, and rows that runs lack."""

from salix.analysis import Analysis
from salix.report.section import Section, read_template

LISTED = 100  # at most; all are counted


def build(analysis: Analysis) -> Section:
    """List the skipped images, one that every run failed to read as one line, and missing rows."""
    runs: dict[tuple[str, str], list[str]] = {}
    for run in analysis.runs:
        for row in run.skipped:
            runs.setdefault((row["id"], row["skipped"]), []).append(run.name)
    skipped = [(id, reason, names) for (id, reason), names in runs.items()]
    return Section(
        "skipped",
        "Skipped images",
        read_template(__file__),
        {
            "skipped": skipped[:LISTED],
            "images": len({id for id, _, _ in skipped}),
            "lines": len(skipped),
            "runs": len(analysis.runs),
            "missing": [(run.name, run.missing) for run in analysis.runs if not run.complete],
        },
        link="Skipped",
    )
