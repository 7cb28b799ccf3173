"""Rows that look like clusters of dependent images though no group was named.

Candidates are the folders of the ids, and series of names that differ in their last number alone,
such as `clip_0001.png`. Names by themselves prove nothing: the numbers of the rows must be alike
within a candidate's groups, beyond what the class of an image tells.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy import special
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from salix.analysis.frame import Frame

LEAST_GROUPS = 10  # fewer folders may be sources of images, whose differences are no dependence
LEAST_ICC = 0.1
LEVEL = 1e-3  # of the F test, corrected for the numbers of a run
SERIES = r"^(.*?)[ _.-]*(?:frame|img|crop)?[ _.-]*\(?\d+\)?(?:\.\w+)?$"


@dataclass(frozen=True)
class GroupedRows:
    """Groups that the rows of a run look like, the number that shows it, and how to name them."""

    run: str
    images: int
    groups: int
    example: str
    number: str
    icc: float
    by: str

    @property
    def text(self) -> str:
        """The warning, in one line."""
        return (
            f"{self.run}: the {self.images:,} images look like {self.groups:,} groups such as "
            f"“{self.example}” (intraclass correlation of {self.number}: {self.icc:.2f}), and no "
            "group was named: intervals are too narrow and p-values too small if they are frames "
            f"of videos or pictures of one identity. Sweep with --group-by {self.by}, a CSV column "
            "`group`, or Arrays(groups=...)"
        )


def grouped_rows(frames: Sequence[Frame]) -> GroupedRows | None:
    """Return what the first run without a column `group` that looks grouped looks like, if any."""
    for frame in frames:
        if not frame.has("group") and len(frame) and (likeness := _look(frame)):
            return likeness
    return None


def _look(frame: Frame) -> GroupedRows | None:
    names = [*frame.numbers, *(["score"] if frame.has("score") else [])]
    columns = {n: partial(_column, frame, n) for n in names}
    likeness = group_likeness(frame.run.name, [str(id) for id in frame.ids], frame.labels, columns)
    if likeness is None:
        return None
    title = frame.run.columns[likeness.number].title or likeness.number.replace("_", " ")
    return replace(likeness, number=title.lower())


def _column(frame: Frame, name: str) -> np.ndarray:
    return frame.scalars[name] if name in frame.scalars else frame.run.read([name])[name]


def group_likeness(
    run: str,
    ids: Sequence[str],
    labels: np.ndarray,
    columns: Mapping[str, Callable[[], np.ndarray]],
) -> GroupedRows | None:
    """Return the groups that images look like by their ids and numbers, None for none.

    `columns` read the numbers [image], by name; `labels[image]` are the classes.
    """
    candidates = (
        ("-1", [id.rpartition("/")[0] for id in ids]),
        (f"'{SERIES}'", [m[1] if (m := re.match(SERIES, id)) else id for id in ids]),
    )
    for by, names in candidates:
        code = np.unique(names, return_inverse=True)[1].reshape(len(names))
        sizes = np.bincount(code)
        # Most images must have a companion, and a group must not be most of the images.
        if len(sizes) < LEAST_GROUPS or len(sizes) > 0.6 * len(ids) or sizes.max() > len(ids) / 2:
            continue
        number, icc = _strongest(columns, labels, code)
        if icc >= LEAST_ICC:
            places = np.flatnonzero(code == int(sizes.argmax()))
            example = names[int(places[0])]
            return GroupedRows(run, len(ids), len(sizes), example, number, icc, by)
    return None


def _strongest(
    columns: Mapping[str, Callable[[], np.ndarray]], labels: np.ndarray, code: np.ndarray
) -> tuple[str, float]:
    """Number of the greatest intraclass correlation that is significant; 0 without any."""
    names, best = list(columns), ("", 0.0)
    for name in names:
        icc, p = class_icc(columns[name]().astype(np.float64), labels, code)
        if p * len(names) < LEVEL and icc > best[1]:
            best = name, icc
    return best


def class_icc(values: np.ndarray, labels: np.ndarray, code: np.ndarray) -> tuple[float, float]:
    """Intraclass correlation of groups within classes, by a one-way analysis, and p of its F test.

    Donner (1986), doi:10.2307/1403259, of the values less the mean of their class.
    """
    known = np.isfinite(values)
    y, g = (np.unique(v[known], return_inverse=True)[1].ravel() for v in (labels, code))
    n, sizes = int(known.sum()), np.bincount(g)
    if not n:
        return 0.0, 1.0
    classes, groups = int(y.max()) + 1, len(sizes)
    # Groups within classes tell less than groups across them: each connected part has one mean.
    edges = coo_array((np.ones(n), (y, classes + g)), shape=(classes + groups,) * 2)
    parts = int(connected_components(edges, directed=False)[0])
    if groups <= parts or n <= groups + classes:
        return 0.0, 1.0
    x = values[known] - (np.bincount(y, values[known]) / np.bincount(y))[y]
    means = np.bincount(g, x) / sizes
    between = (sizes * means**2).sum() / (groups - parts)
    within = ((x - means[g]) ** 2).sum() / (n - groups)
    size = (n - (sizes**2).sum() / n) / (groups - 1)
    if not between > 0:
        return 0.0, 1.0
    icc = (between - within) / (between + (size - 1) * within)
    ratio = between / within if within > 0 else np.inf
    return float(icc), float(special.fdtrc(groups - parts, n - groups, ratio))
