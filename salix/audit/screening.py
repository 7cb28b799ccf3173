"""Areas under ROC curves of properties that need no face, tested together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from salix.audit.joint import joint_predictor
from salix.audit.properties import Property
from salix.stats import Interval, auc_interval, holm
from salix.stats.label_exchange import LabelExchange, exchange_p
from salix.typing import InputError

LEVEL = 0.05
DRAWS = 9999
COMMON = 4  # formats that are compared with all others


@dataclass(frozen=True)
class Screened:
    """Area under the ROC curve of one property, and its test.

    `area` is the greater of the area under the ROC curve and its complement; `higher` the place of
    the class whose images have the higher values, `medians` those of either class. `p` is that of
    `exchange_p`, `p_adjusted` Holm's over all properties; NaN for a property that is not tested:
    the same for all images, or known in one class only.
    """

    number: Property
    area: Interval
    higher: int
    medians: tuple[float, float]
    p: float
    p_adjusted: float = float("nan")

    @property
    def alarming(self) -> bool:
        """Whether the corrected p is at most 5 % and the interval of the area lies above 1/2."""
        return bool(self.p_adjusted <= LEVEL and self.area.low > 0.5)


@dataclass(frozen=True)
class Screening:
    """All properties of a data set, the strongest first, and one predictor of all of them.

    `least_p` is the smallest p that so few groups can have.
    """

    classes: tuple[str, str]
    properties: tuple[Screened, ...]
    joint: Screened | None
    counts: tuple[int, int]  # images of either class
    groups: tuple[int, int]  # groups of dependent images, or images, of either class
    least_p: float

    @property
    def tests(self) -> int:
        """Number of p-values that are corrected together."""
        return sum(s.p == s.p for s in (*self.properties, *filter(None, [self.joint])))

    @property
    def alarms(self) -> tuple[Screened, ...]:
        """The alarming ones, the joint predictor first."""
        every = (*filter(None, [self.joint]), *self.properties)
        return tuple(s for s in every if s.alarming)

    @property
    def has_power(self) -> bool:
        """Whether the smallest possible p passes the strictest step of Holm's correction."""
        return self.least_p * max(self.tests, 1) <= LEVEL


JOINT = Property("joint", "All properties together", "joint", "but names; cross-validated")


def screen(
    columns: Sequence[tuple[Property, np.ndarray]],
    labels: np.ndarray,
    classes: tuple[str, str],
    *,
    clusters: np.ndarray | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Screening:
    """Screen properties, `(property, values[image])`, as predictors of `labels[image]`, 0 or 1.

    Areas have the clustered intervals of `auc_interval`; p-values are of exchanged labels of
    groups, corrected by Holm's method. Raises `InputError` where no exchange of labels has a p of
    5 %: too few images or groups, or one group only.
    """
    exchange = LabelExchange.of(labels, clusters)
    units = np.bincount(exchange.labels, minlength=2)
    sizes = np.bincount(labels, minlength=2)
    if exchange.least_p > LEVEL:
        raise InputError(_too_few(sizes, units, classes, clusters))
    table = np.stack([values for _, values in columns], axis=1)
    varied = np.array([_varies(v, labels) for v in table.T], bool)
    p = np.full(len(columns), np.nan)
    p[varied] = exchange_p(table[:, varied], labels, clusters=clusters, draws=draws, seed=seed)
    screened = [
        _screened(prop, values, labels, clusters, float(p[k]))
        for k, (prop, values) in enumerate(columns)
    ]
    content = varied & np.array([prop.kind != "name" for prop, _ in columns])
    joint = _joint(table[:, content], labels, clusters, seed)
    every = [*screened, *([] if joint is None else [joint])]
    adjusted = holm([s.p for s in every])
    every = [replace(s, p_adjusted=float(a)) for s, a in zip(every, adjusted, strict=True)]
    order = sorted(every[: len(columns)], key=lambda s: (s.p != s.p, -np.nan_to_num(s.area.value)))
    return Screening(
        classes,
        tuple(order),
        every[-1] if joint is not None else None,
        (int(sizes[0]), int(sizes[1])),
        (int(units[0]), int(units[1])),
        exchange.least_p,
    )


def format_columns(formats: Sequence[str]) -> list[tuple[Property, np.ndarray]]:
    """Return a property for each common file format, 1 for its images; one for two formats."""
    counts = Counter(formats).most_common()
    names = [name for name, _ in counts[: COMMON if len(counts) > 2 else 1] if name]
    own = np.array(formats, object)
    return [
        (
            Property(f"format_{name.lower()}", f"Format {name}", "file", "1 = yes"),
            1.0 * (own == name),
        )
        for name in names
    ]


def _varies(values: np.ndarray, labels: np.ndarray) -> bool:
    known = np.isfinite(values)
    return len(np.unique(labels[known])) == 2 and bool(np.ptp(values[known]) > 0)


def _screened(
    prop: Property, values: np.ndarray, labels: np.ndarray, clusters: Any, p: float
) -> Screened:
    area = auc_interval(values, labels, clusters=clusters)
    medians = tuple(_median(values[labels == k]) for k in (0, 1))
    higher = int(not area.value < 0.5)
    if area.value < 0.5:
        area = replace(area, value=1 - area.value, low=1 - area.high, high=1 - area.low)
    return Screened(prop, area, higher, (medians[0], medians[1]), p)


def _median(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def _joint(table: np.ndarray, labels: np.ndarray, clusters: Any, seed: int) -> Screened | None:
    if not table.shape[1]:
        return None
    fitted = joint_predictor(table, labels, clusters, seed=seed)
    area = auc_interval(fitted.scores, labels, clusters=clusters)
    return Screened(JOINT, area, 1, (float("nan"), float("nan")), fitted.p)


def _too_few(sizes: np.ndarray, units: np.ndarray, classes: tuple[str, str], clusters: Any) -> str:
    if clusters is not None and len(np.unique(clusters)) == 1:
        return (
            f"all {sizes.sum()} images are of one group: an audit compares groups of dependent "
            "images, at least 4 of each class; check --group-by"
        )
    what = "images" if clusters is None else "groups of images"
    counts = " and ".join(f"{n} of {name}" for n, name in zip(units, classes, strict=True))
    return f"{counts}: an audit compares {what}, at least 4 of each class: give more of them"
