"""The headline of the page: one sentence on the differences between groups, and its evidence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from salix.analysis import Analysis, Difference, Differences, GroupSummary, Summary, TableColumn
from salix.analysis.significance import HITS, LOOKS, SHOWN
from salix.report.claims import Claims, Sentence, SentencePart

NO_AUC = "Accuracy is compared, as not both have an AUC over the images that all runs share"
DESCRIBED = 4  # groups that nothing compares; more make no sentence
OTHERS = 2  # numbers in the description of runs that have none of the above


@dataclass(frozen=True)
class Headline:
    """A sentence in parts, and the rows of the table of differences that it rests on."""

    parts: Sentence
    evidence: tuple[str, ...]

    @property
    def text(self) -> str:
        """The sentence as plain text."""
        return "".join(p if isinstance(p, str) else p.name for p in self.parts)


def headline(analysis: Analysis) -> Headline:
    """Return the headline of an analysis: see `write_headline`."""
    summary, differences = analysis.summary, analysis.differences
    return write_headline(summary, analysis.columns, analysis.region, differences)


def write_headline(
    summary: Summary,
    columns: Sequence[TableColumn],
    region: str,
    differences: Differences | None,
) -> Headline:
    """Compare two or more groups by their significant differences, or describe them.

    In AUC, or accuracy where no two groups have an AUC to compare, and in one of `LOOKS`: the first
    that is significant, or the first. With a primary number, in that alone. Significant differences
    are stated; of the rest it is written that the groups cannot be told apart. Runs that have none
    of these numbers are compared in the one with the smallest p-value.
    """
    if not any(r.images for r in summary.runs):
        skipped = sum(r.skipped for r in summary.runs)
        why = f"all {skipped} images were skipped" if skipped else "no rows are finished yet"
        return Headline((f"Nothing was measured: {why}.",), ())
    if differences is None:
        return Headline(_describe(summary.groups, columns, region), ())
    primary = differences.primary
    keys = (HITS, LOOKS) if primary is None else ((), (primary,))
    hits, looks = ([n for k in ks if (n := differences.of_number(k))] for ks in keys)
    hit = hits[0] if hits else None
    look = min(looks, key=lambda n: not n.significant, default=None)
    if hit is None and look is None:
        if primary is not None or any(c.key in (*HITS, *LOOKS) for c in columns):
            none = f"Groups are not compared: not both have {primary}, the primary number"
            described = _describe(summary.groups, columns, region)
            return Headline(described, (none,) if primary is not None else ())
        look = differences.of_number(differences.rows[0].column.key)
    claims = Claims({g.name: g for g in summary.groups}, region, differences.reference)
    rows = [number.strongest for number in (hit, look) if number is not None]
    limits = dict.fromkeys(limit for d in rows if (limit := _limit(d, differences)))
    if hit is not None and hit.strongest.column.key == "accuracy":
        limits[NO_AUC] = None
    citations = (_cite(d, differences.rows) for d in rows)
    return Headline(claims.compare(hit, look), (*citations, *limits))


def _cite(row: Difference, rows: Sequence[Difference]) -> str:
    """Cite a row of the table of differences."""
    c, number = row.comparison, rows.index(row) + 1
    where = f"Row {number}" if number <= SHOWN else f"Row {number}, in the JSON beside this page"
    size = " ".join(t for t in (row.size, row.column.limits(c.difference)) if t)
    p = f"p {row.p}" if row.p.startswith("<") else f"p = {row.p}"
    texts = (size, row.significance) if np.isnan(c.p_adjusted) else (size, p, row.significance)
    return f"{where}: {row.column.name}, {c.a} − {c.b}: {', '.join(texts)}"


def _limit(row: Difference, differences: Differences) -> str:
    """Write why a row can show no more."""
    c = row.comparison
    m, n = sorted(c.n_runs)
    if n == 1:
        return "One run is no sample of its kind: this compares two models, not ways of training"
    if m == 1:
        return (
            f"One run against {n}: it is compared with their spread, and says nothing of other "
            "runs of its kind"
        )
    if c.key == "agreement":
        return "The p of agreement is that of its interval: to exchange runs would mix the groups"
    for design in differences.designs:
        if design.runs == (m, n) and not design.exact:
            return (
                f"{m} against {n} runs: exchanging them can give no p below {design.least:.2g}, so "
                f"that p is Student's t alone; train {design.enough} runs a group to exchange them"
            )
    return ""


def _describe(
    groups: Sequence[GroupSummary], columns: Sequence[TableColumn], region: str
) -> Sentence:
    """Describe one group, or a few that nothing compares."""
    if len(groups) > DESCRIBED:
        return (f"{len(groups)} groups without an image or a number that could compare them.",)
    by_key = {c.key: c for c in columns}
    keys = [k for k in (*HITS, *LOOKS) if k in by_key] or list(by_key)[:OTHERS]
    parts: list[SentencePart] = []
    for group in groups:
        texts = [t for k in keys if (t := _describe_number(group, by_key[k], region))]
        if all(group.values(k) for k in HITS):
            texts.pop(1)  # AUC says it better than accuracy
        parts += [". " if parts else "", group, ": ", ", ".join(texts) or "nothing is defined"]
    return (*parts, ".")


def _describe_number(group: GroupSummary, column: TableColumn, region: str) -> str:
    interval = group.interval(column.key)
    if not np.isfinite(interval.value):
        return ""
    values = group.values(column.key)
    value = column.format(interval.value, 2)
    if len(values) > 1:
        low, high = (column.format(v, 2) for v in (min(values), max(values)))
        value += f" ({low} to {high} over {len(values)} runs)"
    sentences = {
        "auc": f"AUC {value}",
        "accuracy": f"{value} of the images classified correctly",
        "relevance_mass": f"{value} of the salience inside the {region}",
        "spatial_entropy": f"spatial entropy {value} (1 = spread evenly over the image)",
        "agreement": f"agreement between runs {value}",
    }
    return sentences.get(column.key, f"{column.name} {value}")
