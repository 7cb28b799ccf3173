"""The one sentence at the top of the page: what the table of differences says, no more."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from salix.analysis.columns import TableColumn
from salix.analysis.significance import ALPHA, SHOWN, VERDICTS, Difference, Differences
from salix.analysis.summary import Group, Numbers
from salix.report.sections.claims import Answer, Claims, Part, Parts

HITS = ("auc", "accuracy")
LOOKS = ("relevance_mass", "spatial_entropy", "agreement")  # in the order in which they are told
NO_AUC = "Accuracy is compared, as not both have an AUC over the images that all runs share"
DESCRIBED = 4  # groups that nothing compares; more make no sentence


@dataclass(frozen=True)
class Headline:
    """The sentence in parts, and the rows of the table of differences that it rests on."""

    parts: Parts
    evidence: tuple[str, ...]

    @property
    def text(self) -> str:
        """The sentence as plain text."""
        return "".join(p if isinstance(p, str) else p.name for p in self.parts)


def headline(
    numbers: Numbers, columns: Sequence[TableColumn], region: str, differences: Differences | None
) -> Headline:
    """Compare two or more groups as `differences` does, in its verdicts, or describe them.

    Tells of AUC, or accuracy where no two groups have an AUC to compare, and of that of `LOOKS`
    which has the strongest verdict, of equals the first. What is clear is stated, what is clear by
    its interval only is called suggestive, and of the rest it is said that it cannot be told apart.
    """
    if not any(r.images for r in numbers.runs):
        skipped = sum(r.skipped for r in numbers.runs)
        why = f"all {skipped} images were skipped" if skipped else "no rows are finished yet"
        return Headline((f"Nothing was measured: {why}.",), ())
    found = differences.found if differences is not None else ()
    hits, looks = ([a for k in keys if (a := _answer(found, k))] for keys in (HITS, LOOKS))
    hit = hits[0] if hits else None
    look = min(looks, key=lambda a: VERDICTS.index(a.row.verdict), default=None)
    if differences is None or (hit is None and look is None):
        return Headline(_describe(numbers.groups, {c.key: c for c in columns}, region), ())
    write = Claims({g.name: g for g in numbers.groups}, region, differences.reference)
    rows = [a.row for a in (hit, look) if a is not None]
    limits = dict.fromkeys(t for d in rows if (t := _limit(d)))
    if hit is not None and hit.row.column.key == "accuracy":
        limits[NO_AUC] = None
    return Headline(write.compare(hit, look), (*(_row(d, found) for d in rows), *limits))


def _answer(found: Sequence[Difference], key: str) -> Answer | None:
    rows = tuple(d for d in found if d.column.key == key)
    return Answer(rows) if rows else None


def _row(row: Difference, found: Sequence[Difference]) -> str:
    """Cite a row of the table."""
    c, at = row.comparison, found.index(row) + 1
    where = f"Row {at}" if at <= SHOWN else f"Row {at}, in the JSON beside this page"
    size = " ".join(t for t in (row.size, row.column.limits(c.difference)) if t)
    p = f"p {row.p}" if row.p.startswith("<") else f"p = {row.p}"
    told = (size, row.verdict) if np.isnan(c.p) else (size, p, row.verdict)
    return f"{where}: {row.column.name}, {c.a} − {c.b}: {', '.join(told)}"


def _limit(row: Difference) -> str:
    """Say what keeps a row from telling more."""
    c = row.comparison
    if np.isnan(c.p):
        return "Agreement is compared by its interval, without a test"
    if c.over == "images":
        return "One run is no sample of its kind: this compares models, not ways of training"
    if c.minimum_p > ALPHA:
        m, n = c.n_runs
        return f"{m} against {n} runs give a p of at least {c.minimum_p:.2g} before the correction"
    return ""


def _describe(groups: Sequence[Group], columns: dict[str, TableColumn], region: str) -> Parts:
    """Say what one group does, or a few that nothing compares."""
    if len(groups) > DESCRIBED:
        return (f"{len(groups)} groups without an image or a number that could compare them.",)
    parts: list[Part] = []
    for group in groups:
        told = [t for k in (*HITS, *LOOKS) if (t := _told(group, columns.get(k), region))]
        if all(group.values(k) for k in HITS):
            told.pop(1)  # AUC says it better than accuracy
        parts += [". " if parts else "", group, ": ", ", ".join(told) or "nothing is defined"]
    return (*parts, ".")


def _told(group: Group, column: TableColumn | None, region: str) -> str:
    if column is None or not np.isfinite(group.shown(column.key).value):
        return ""
    values = group.values(column.key)
    value = column.format(group.shown(column.key).value, 2)
    if len(values) > 1:
        low, high = (column.format(v, 2) for v in (min(values), max(values)))
        value += f" ({low} to {high} over {len(values)} runs)"
    words = {
        "auc": f"AUC {value}",
        "accuracy": f"{value} of the images classified correctly",
        "relevance_mass": f"{value} of the salience inside the {region}",
        "spatial_entropy": f"spatial entropy {value} (1 = spread evenly over the image)",
        "agreement": f"agreement between runs {value}",
    }
    return words[column.key]
