"""Section: comparisons of groups in every number."""

from salix.analysis import Analysis
from salix.report.export import difference_rows
from salix.report.section import Section, read_template


def build(analysis: Analysis) -> Section | None:
    """Tabulate the comparisons, the most significant first; None where nothing is compared."""
    differences = analysis.differences
    if differences is None:
        return None
    families = {
        of_headline: [d for d in differences.tested if d.of_headline == of_headline]
        for of_headline in (True, False)
    }
    return Section(
        "differences",
        "Which groups differ",
        read_template(__file__),
        {
            "differences": differences,
            "families": {
                of_headline: {
                    "significant": sum(d.significance == "significant" for d in rows),
                    "tests": len(rows),
                    "numbers": list(dict.fromkeys(d.column.name for d in rows)),
                }
                for of_headline, rows in families.items()
            },
            "keys": {d.column.key for d in differences.rows},
            "single_runs": any(min(d.comparison.n_runs) == 1 for d in differences.rows),
        },
        link="Differences",
        data={"differences": difference_rows(differences)},
    )
