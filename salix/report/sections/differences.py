"""Section: comparisons of groups in every number."""

from salix.analysis import Analysis
from salix.report.export import difference_rows
from salix.report.section import Section, read_template


def build(analysis: Analysis) -> Section | None:
    """Tabulate the comparisons, the most significant first; None where nothing is compared."""
    differences = analysis.differences
    if differences is None:
        return None
    return Section(
        "differences",
        "Which groups differ",
        read_template(__file__),
        {
            "differences": differences,
            "auc_over_images": any(
                d.column.key == "auc" and d.comparison.over == "images" for d in differences.rows
            ),
        },
        link="Differences",
        data={"differences": difference_rows(differences)},
    )
