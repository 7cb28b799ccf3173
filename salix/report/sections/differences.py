"""Section: comparisons of groups in every number."""

from salix.analysis import Analysis
from salix.report.export import difference_rows
from salix.report.section import Section, read_template


def build(analysis: Analysis) -> Section | None:
    """Tabulate the comparisons, the most significant first; None where nothing is compared."""
    differences = analysis.differences
    if differences is None:
        return None
    areas = [d for d in differences.rows if d.column.key == "auc"]
    return Section(
        "differences",
        "Which groups differ",
        read_template(__file__),
        {
            "differences": differences,
            "has_auc": bool(areas),
            "auc_over_images": any(d.comparison.over == "images" for d in areas),
        },
        link="Differences",
        data={"differences": difference_rows(differences)},
    )
