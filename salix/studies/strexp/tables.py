"""Rows of the tables of a STRExp study: means and differences with intervals over words."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from salix.stats import Interval, mean_interval
from salix.studies.strexp.localisation import CONTROLS
from salix.studies.strexp.measure import LOCALISED, RUNS, ranking_names
from salix.studies.strexp.run import StudyRows
from salix.studies.strexp.selectivity import FILLS

_MORE = "Shapley of n + 1 times the passes, "
# Rankings whose areas are subtracted, the second from the first.
COMPARISONS: tuple[tuple[str, str, str], ...] = (
    ("as published: n + 1 times the passes", _MORE + RUNS[2], "Shapley, word"),
    ("equal passes: n + 1 times for both", _MORE + RUNS[2], _MORE + RUNS[0]),
    (
        "equal passes: shared by word and characters",
        "Shapley, STRExp (GL)",
        "Shapley, word",
    ),
    ("equal passes, characters alone", _MORE + RUNS[1], _MORE + RUNS[0]),
    ("more passes alone", _MORE + RUNS[0], "Shapley, word"),
    ("shared instead of own passes, equally many", _MORE + RUNS[3], _MORE + RUNS[2]),
)


@dataclass(frozen=True)
class TableRow:
    """A number of a table with its interval over words, at the places that `of` names."""

    of: tuple[str, ...]
    value: Interval


def _clusters(rows: StudyRows) -> Any:
    """Return the cluster of each image: images of one word are dependent."""
    return np.unique(rows.arrays["group"], return_inverse=True)[1]


def selectivity_rows(rows: StudyRows) -> tuple[TableRow, ...]:
    """Return the mean area under each curve by ranking, curve and fill."""
    clusters, table = _clusters(rows), []
    for index, name in enumerate(ranking_names(rows.methods, runs=rows.study.runs)):
        for curve in ("accuracy", "confidence"):
            for place, fill in enumerate(FILLS):
                values = rows.arrays[f"{curve}_area"][:, index, place]
                table.append(
                    TableRow((name, curve, fill), mean_interval(values, clusters=clusters))
                )
    return tuple(table)


def comparison_rows(rows: StudyRows) -> tuple[TableRow, ...]:
    """Return the mean difference of areas within words of each comparison, below 0 in favour."""
    names = ranking_names(rows.methods, runs=rows.study.runs)
    clusters, table = _clusters(rows), []
    for title, first, second in COMPARISONS:
        if first not in names or second not in names:
            continue
        for curve in ("accuracy", "confidence"):
            areas = rows.arrays[f"{curve}_area"]
            differences = areas[:, names.index(first)] - areas[:, names.index(second)]
            for place, fill in enumerate(FILLS):
                value = mean_interval(differences[:, place], clusters=clusters)
                table.append(TableRow((title, curve, fill), value))
    return tuple(table)


def localisation_rows(rows: StudyRows) -> tuple[TableRow, ...]:
    """Return the share of mass in the characters and its AUC, the controls, and the differences.

    Means over the characters of a word, then over words; a difference is that of the share of
    mass from a control, within words.
    """
    clusters, table = _clusters(rows), []
    for method in rows.methods:
        values = {name: _word_means(rows.localisation(method, name)) for name in LOCALISED}
        values |= {f"mass − {name}": values["mass"] - values[name] for name in CONTROLS}
        for name, value in values.items():
            table.append(TableRow((method, name), mean_interval(value, clusters=clusters)))
    return tuple(table)


def _word_means(values: Any) -> Any:
    known = np.isfinite(values)
    total, count = np.where(known, values, 0).sum(1), known.sum(1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def right_characters(rows: StudyRows) -> Any:
    """Return 1 for a character that is read as it is, 0 for a wrong one, NaN where unknown.

    Known where the explained word has as many characters as the truth; [words n].
    """
    longest = np.shape(rows.read.reads.word)[1]
    table = np.full((len(rows.read.words), longest), np.nan)
    for row, image, word in zip(table, rows.read.images, rows.read.words, strict=True):
        if len(word) == len(image.truth):
            row[: len(word)] = [a == b for a, b in zip(word, image.truth, strict=True)]
    return table


def error_rows(rows: StudyRows) -> tuple[TableRow, ...]:
    """Return the share of mass in the character, for characters read right and wrong."""
    right, table = right_characters(rows), []
    clusters = np.broadcast_to(_clusters(rows)[:, None], right.shape)
    for method in rows.methods:
        mass = rows.localisation(method, "mass")
        for name, flag in (("right", 1), ("wrong", 0)):
            chosen = right == flag
            value = mean_interval(mass[chosen], clusters=clusters[chosen])
            table.append(TableRow((method, name), value))
    return tuple(table)
