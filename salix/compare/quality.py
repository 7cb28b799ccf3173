"""Quality of the attributions of each model, beside the comparison of what they show."""

from dataclasses import dataclass

import numpy as np

from salix.compare.region_table import RegionTable
from salix.stats import Interval, mean_interval
from salix.store import Run

DELETION = "deletion_most_area"
MOVED = "deletion_moved_area"
SIC = "sic_area"


@dataclass(frozen=True)
class ModelQuality:
    """Fidelity of one model's attributions; None is what its run has not measured.

    - `deletion`: mean probability of the explained class while pixels are removed, most salient
      first, in [0, 1]: lower is better (Petsiuk et al., 2018);
    - `moved`: the same with the map moved to a random place, the control; `gain` is the mean of
      moved less deletion: at or below 0 the map is no better than a random place;
    - `sic`: area under the softmax information curve, in [0, 1], of runs that have the column
      `sic_area`: higher is better;
    - `missing`: what to run for what is None; empty where there is nothing.
    """

    model: str
    deletion: Interval | None
    moved: Interval | None
    gain: Interval | None
    sic: Interval | None
    missing: str = ""


def model_quality(
    model: str,
    run: Run,
    ids: np.ndarray,
    *,
    clusters: np.ndarray | None = None,
    level: float = 0.95,
) -> ModelQuality:
    """Quality of the attributions of a model over the images `ids`, from the rows of its run."""
    names = [n for n in (DELETION, MOVED, SIC) if n in run.columns]
    values: dict[str, np.ndarray] = {}
    if names:
        rows = run.read(["id", *names])
        place = {id: i for i, id in enumerate(rows["id"])}
        order = np.array([place.get(id, -1) for id in ids], int)
        values = {n: np.where(order >= 0, rows[n][order], np.nan) for n in names}
        if {DELETION, MOVED} <= values.keys():
            values["gain"] = values[MOVED] - values[DELETION]

    def interval(name: str) -> Interval | None:
        x = values.get(name)
        if x is None or not np.isfinite(x).any():
            return None
        return mean_interval(x, level=level, clusters=clusters)

    deletion = interval(DELETION)
    missing = ""
    if deletion is None:
        missing = (
            f"{model} has no deletion curve: sweep it again with --measures regions, which "
            "measures it beside the regions"
        )
    return ModelQuality(model, deletion, interval(MOVED), interval("gain"), interval(SIC), missing)


def completeness_errors(table: RegionTable) -> list[float]:
    """Mean of |completeness error| over the total |attribution|, of each model; NaN if unknown."""
    means = []
    for error, total in zip(table.completeness, table.total, strict=True):
        known = np.isfinite(error) & (total > 0)
        ratio = np.abs(error[known]) / total[known]
        means.append(float(ratio.mean()) if known.any() else float("nan"))
    return means
