"""Results of one scan of a study: totals by method, qualities, residuals and pictures."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from salix.attribution import IntegratedGradients
from salix.studies.agg2exp.explain import Task, attribution_map, explain_scan
from salix.studies.agg2exp.files import ScanFiles
from salix.studies.agg2exp.quality import attribution_quality
from salix.studies.agg2exp.results import ScanResult
from salix.studies.agg2exp.scans import Scan, check_volume
from salix.studies.agg2exp.scores import segmenter_scores
from salix.studies.agg2exp.segmenter import Segmenter, predict
from salix.studies.agg2exp.slices import slice_pictures
from salix.studies.agg2exp.training import dice
from salix.studies.agg2exp.windows import SlidingWindows
from salix.studies.detectors import TimedLog
from salix.typing import Method


@dataclass(frozen=True)
class ScanStudy:
    """Parts that all scans share."""

    out: Path
    segmenter: Segmenter
    methods: Mapping[str, Method]
    windows: SlidingWindows
    quality_targets: tuple[int, ...]
    pictured: int  # the target of the slices
    log: TimedLog


def explain_study_scan(
    study: ScanStudy, scan: Scan, names: tuple[str, ...], *, pictured: bool
) -> tuple[ScanResult, list[dict[str, Any]]]:
    """Return the result of one scan and its pictures, from its file where there is one."""
    check_volume(scan.name, scan.volume)
    segmenter, x = study.segmenter, scan.volume.astype(np.float32)
    plan = study.windows.plan(x.shape[:3], segmenter.multiple)
    predicted = predict(segmenter, x, study.windows)
    classes = segmenter.classes
    is_custom = names != classes
    regions = scan.labels if is_custom and scan.labels is not None else predicted
    task = Task(predicted, tuple(range(len(classes))), regions, names)
    files = ScanFiles(study.out, scan, segmenter, study.windows)
    totals, quality, residuals = {}, {}, {}
    for name, method in study.methods.items():
        start = time.monotonic()
        totals[name] = files.totals(
            name, method, lambda m=method: explain_scan(segmenter, x, task, m, plan)
        )
        quality[name] = files.quality(
            name,
            method,
            lambda m=method: {
                t: attribution_quality(segmenter, x, task, m, plan, t)
                for t in study.quality_targets
                if task.is_present[t]
            },
        )
        if isinstance(method, IntegratedGradients) and not isinstance(method.baseline, str):
            residuals[name] = _residual(segmenter, x, task, method, plan, totals[name])
        study.log(f"{scan.name}: {name} in {time.monotonic() - start:.0f} s")
    truth = scan.labels if scan.labels is not None and not is_custom else None
    scores = (
        np.full(len(classes), np.nan) if truth is None else dice(predicted, truth, len(classes))
    )
    result = ScanResult(scan.name, totals, task.is_present, scores, quality, residuals)
    if not pictured:
        return result, []
    target = study.pictured if task.is_present[study.pictured] else 0
    maps = {
        name: attribution_map(segmenter, x, task, method, plan, target)
        for name, method in study.methods.items()
    }
    files.write_maps(maps, predicted, classes[target])
    return result, [slice_pictures(scan.name, classes[target], x[..., 0], predicted, target, maps)]


def _residual(
    segmenter: Segmenter, x: Any, task: Task, method: Any, plan: Any, totals: Any
) -> float:
    """Return the greatest completeness residual of the targets, over the change of their scores."""
    at = lambda v: np.asarray(  # noqa: E731
        segmenter_scores(segmenter, v, task.predicted, task.target_of, plan)
    )
    change = at(x) - at(np.full_like(x, method.baseline))
    sums = (totals.positive - totals.negative).sum(1)
    size = np.abs(change[task.is_present])
    return float((np.abs(sums - change)[task.is_present] / np.maximum(size, 1e-12)).max())
