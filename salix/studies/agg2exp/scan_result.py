"""Results of one scan of a study: totals by method, qualities, residuals and pictures."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from salix.attribution import IntegratedGradients
from salix.studies.agg2exp.explain import attribution_map, explain_scan
from salix.studies.agg2exp.files import ScanFiles
from salix.studies.agg2exp.quality import attribution_quality
from salix.studies.agg2exp.results import ScanResult
from salix.studies.agg2exp.scans import Scan, check_volume
from salix.studies.agg2exp.scores import ScanScores
from salix.studies.agg2exp.segmenter import Segmenter, predict
from salix.studies.agg2exp.slices import slice_pictures
from salix.studies.agg2exp.task import Task, merge_names
from salix.studies.agg2exp.training import dice
from salix.studies.agg2exp.windows import SlidingWindows
from salix.studies.detectors import TimedLog
from salix.typing import Method


@dataclass(frozen=True)
class ScanStudy:
    """Parts that all scans share.

    `quality_targets` and `pictured`, the target of the slices, are classes before they are merged.
    """

    out: Path
    segmenter: Segmenter
    methods: Mapping[str, Method]
    windows: SlidingWindows
    quality_targets: tuple[int, ...]
    pictured: int
    log: TimedLog
    merges: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def target_of(self) -> tuple[int, ...]:
        """The target of each class."""
        return merge_names(self.segmenter.classes, self.merges).group_of

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the targets."""
        return merge_names(self.segmenter.classes, self.merges).names


def explain_study_scan(
    study: ScanStudy, scan: Scan, names: tuple[str, ...], *, pictured: bool
) -> tuple[ScanResult, list[dict[str, Any]]]:
    """Return the result of one scan and its pictures, from its file where there is one.

    `names` are those of the regions: the targets, or the labels of the scan.
    """
    check_volume(scan.name, scan.volume)
    segmenter, x = study.segmenter, scan.volume.astype(np.float32)
    plan = study.windows.plan(x.shape[:3], segmenter.multiple)
    predicted = predict(segmenter, x, study.windows)
    target_of, targets = study.target_of, study.targets
    task = Task(predicted, target_of, predicted, targets)
    is_custom = names != targets
    regions = scan.labels if is_custom and scan.labels is not None else task.targets
    task = Task(predicted, target_of, regions, names)
    files = ScanFiles(study.out, scan, segmenter, study.windows, task)
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
                for t in sorted({target_of[c] for c in study.quality_targets})
                if task.is_present[t]
            },
        )
        if isinstance(method, IntegratedGradients) and not isinstance(method.baseline, str):
            residuals[name] = _residual(segmenter, x, task, method, plan, totals[name])
        study.log(f"{scan.name}: {name} in {time.monotonic() - start:.0f} s")
    scores = np.full(len(targets), np.nan)
    if scan.labels is not None and not is_custom:
        scores = dice(task.targets, np.asarray(target_of)[scan.labels], len(targets))
    result = ScanResult(scan.name, totals, task.is_present, scores, quality, residuals)
    if not pictured:
        return result, []
    target = target_of[study.pictured]
    target = target if task.is_present[target] else int(task.is_present.argmax())
    maps = {
        name: attribution_map(segmenter, x, task, method, plan, target)
        for name, method in study.methods.items()
    }
    files.write_maps(maps, predicted, targets[target])
    pictures = slice_pictures(scan.name, targets[target], x[..., 0], task.targets, target, maps)
    return result, [pictures]


def _residual(
    segmenter: Segmenter, x: Any, task: Task, method: Any, plan: Any, totals: Any
) -> float:
    """Return the greatest completeness residual of the targets, over the change of their scores."""
    scores = ScanScores.of_task(segmenter, task, plan)
    change = np.asarray(scores(x)) - np.asarray(scores(np.full_like(x, method.baseline)))
    sums = (totals.positive - totals.negative).sum(1)
    size = np.abs(change[task.is_present])
    return float((np.abs(sums - change)[task.is_present] / np.maximum(size, 1e-12)).max())
