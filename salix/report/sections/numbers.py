"""Section: all numbers of each group and run."""

from salix.analysis import Analysis
from salix.report.export import as_csv, as_latex, summary_records
from salix.report.section import Download, Section, read_template


def build(analysis: Analysis) -> Section:
    """Tabulate the summary, with the columns of several numbers that have no axis below it."""
    columns = {n: c for frame in analysis.frames for n, c in frame.run.columns.items()}
    arrays = dict.fromkeys(n for run in analysis.summary.runs for n in run.arrays)
    return Section(
        "models",
        "Numbers",
        read_template(__file__),
        {
            "columns": analysis.columns,
            "has_maps": any(frame.has("map") for frame in analysis.frames),
            "has_labels": any(frame.has("label") for frame in analysis.frames),
            "without_axis": [name for name in arrays if not columns[name].axis],
        },
        link="Numbers",
        downloads=(Download(".csv", as_csv(analysis)), Download(".tex", as_latex(analysis))),
        records=summary_records(analysis),
        data={"rows": analysis.rows},
    )
