"""Results of a study: a table of all totals, and the summary of the report."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from salix.atomic import atomic
from salix.stats import mean_interval
from salix.studies.agg2exp.aggregation import RegionTotals, lift, mass, mean
from salix.studies.agg2exp.distance import distance_lift
from salix.studies.agg2exp.importance import (
    cluster_classes,
    global_importance,
    known_dependences,
    outlier_scores,
    strongest_edges,
)


@dataclass(frozen=True)
class ScanResult:
    """Totals of one scan by method, Dice of its classes, and qualities by method and target."""

    name: str
    totals: Mapping[str, RegionTotals]
    is_present: np.ndarray
    dice: np.ndarray
    quality: Mapping[str, Mapping[int, Mapping[str, float]]] = field(default_factory=dict)
    residuals: Mapping[str, float] = field(default_factory=dict)


def write_table(
    out: Path, results: Sequence[ScanResult], targets: Sequence[str], regions: Sequence[str]
) -> Path:
    """Write `masses.parquet`: a row for each scan, method, target and region."""
    rows: dict[str, list[Any]] = {}
    for result in results:
        for method, totals in result.totals.items():
            numbers = {
                "positive": totals.positive,
                "negative": totals.negative,
                "mass": mass(totals),
                "lift": lift(totals),
                "distance_lift": distance_lift(totals),
                "mean": mean(totals),
            }
            for t, target in enumerate(targets):
                for r, region in enumerate(regions):
                    row = {"scan": result.name, "method": method, "target": target}
                    row |= {"region": region, "voxels": totals.voxels[r]}
                    row |= {"target_is_present": bool(result.is_present[t])}
                    row |= {name: values[t, r] for name, values in numbers.items()}
                    for name, value in row.items():
                        rows.setdefault(name, []).append(value)
    with atomic(out / "masses.parquet") as path:
        pq.write_table(pa.table(rows), path)
    return out / "masses.parquet"


def summarise(
    results: Sequence[ScanResult],
    targets: Sequence[str],
    regions: Sequence[str],
    *,
    dependences: Mapping[int, int] | None = None,
    control: int | None = None,
) -> dict[str, Any]:
    """Return the contents of `results.json`, plain numbers with None for undefined ones.

    `dependences` are the known sources of targets by number, and nothing depends on `control`.
    """
    present = np.stack([r.is_present for r in results])
    summary: dict[str, Any] = {
        "targets": list(targets),
        "regions": list(regions),
        "scans": [r.name for r in results],
        "dice": [r.dice for r in results],
        "present": present.sum(0),
        "absent": (~present).sum(0),
        "voxels": np.mean([next(iter(r.totals.values())).voxels for r in results], 0),
        "methods": {},
        "quality": _quality(results),
        "dependences": {str(k): v for k, v in (dependences or {}).items()},
        "control": control,
    }
    for method in results[0].totals:
        totals = [r.totals[method] for r in results]
        masses = np.stack([mass(t) for t in totals])
        lifts = np.stack([lift(t) for t in totals])
        distances = np.stack([distance_lift(t) for t in totals])
        by_mass, by_lift, by_distance = (
            global_importance(v, present) for v in (masses, lifts, distances)
        )
        square = list(targets) == list(regions)
        clusters = cluster_classes(by_mass.mean) if square else None
        dice = np.stack([r.dice for r in results])
        summary["methods"][method] = {
            "mass": asdict(by_mass),
            "lift": asdict(by_lift),
            "distance_lift": asdict(by_distance),
            "known": known_dependences(distances, present, dependences or {}, control),
            "signed": {
                part: _part_mean(totals, part, present) for part in ("positive", "negative")
            },
            "edges": [asdict(e) for e in strongest_edges(by_lift.mean, background=0)],
            "clusters": None if clusters is None else asdict(clusters),
            "outliers": [asdict(o) for o in outlier_scores(masses, dice)] if square else [],
            "masses": masses,
            "completeness": [r.residuals.get(method) for r in results],
        }
    return plain(summary)


def _part_mean(totals: Sequence[RegionTotals], part: Any, present: np.ndarray) -> np.ndarray:
    """Return the mean mass of one sign over the scans with each target."""
    return global_importance(np.stack([mass(t, part) for t in totals]), present).mean


def _quality(results: Sequence[ScanResult]) -> list[dict[str, Any]]:
    """Return a row for each method and metric: the mean over scans of the means over targets."""
    values: dict[tuple[str, str], list[float]] = {}
    for result in results:
        for method, targets in result.quality.items():
            for metric in next(iter(targets.values()), {}):
                each = [of[metric] for of in targets.values()]
                finite = [v for v in each if np.isfinite(v)]
                value = float(np.mean(finite)) if finite else float("nan")
                values.setdefault((method, metric), []).append(value)
    rows = []
    for (method, metric), each in values.items():
        interval = mean_interval(each)
        rows.append({"method": method, "metric": metric, **asdict(interval)})
    return rows


def plain(value: Any) -> Any:
    """Return a value for JSON: arrays as lists, numbers that are not finite as None."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def write_results(out: Path, summary: Mapping[str, Any]) -> Path:
    """Write `results.json`."""
    with atomic(out / "results.json") as path:
        path.write_text(json.dumps(summary, indent=1))
    return out / "results.json"
