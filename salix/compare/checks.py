"""Checks that runs can be compared region by region, with the remedy where they cannot."""

import ast
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from salix.analysis.frame import Frame
from salix.store import Run
from salix.typing import InputError

NEEDED = (
    *("region_area", "region_mass", "region_absolute", "region_rank", "region_labels"),
    *("region_attribution", "region_absolute_map", "region_total", "region_absolute_total"),
)
NAMED = 3  # ids in a message
SAME_AREAS = 0.1  # of all segments' area: a greater difference is another segmentation


def region_settings(run: Run) -> dict[str, str]:
    """Return the settings of the run's measure `Regions`, as text, by name."""
    texts = [m for m in run.manifest["config"].get("measures", []) if m.startswith("Regions(")]
    try:
        call = ast.parse(texts[0], mode="eval").body if texts else None
    except SyntaxError:  # a setting that is no plain value, such as an array
        return {"segmentation": texts[0]}
    keywords = call.keywords if isinstance(call, ast.Call) else []
    return {k.arg: ast.unparse(k.value) for k in keywords if k.arg}


def check_runs(runs: Sequence[Run]) -> None:
    """Raise `InputError` for runs whose manifests show that they cannot be compared.

    Without regions, without a row for each image, or of other classes, segmentations or grids.
    """
    if not runs:
        raise InputError("no run to compare: name directories that `salix sweep --out` wrote")
    for run in runs:
        if missing := [name for name in NEEDED if name not in run.columns]:
            raise InputError(
                f"{run.path} has no regions (no column {missing[0]}): sweep the model again with "
                "--measures regions into a new --out, and name that run"
            )
        if not run.complete:
            raise InputError(
                f"{run.path} is incomplete: {' '.join(run.missing)} Run the same sweep again, it "
                "goes on where it stopped"
            )
    _check_same(
        runs,
        "the classes differ",
        lambda run: ", ".join(run.classes) or "none",
        "compare models of the same classes in the same order",
    )
    _check_same(
        runs,
        "the segmentations differ",
        lambda run: (
            run.manifest["config"].get("data", {}).get("segments")
            or region_settings(run).get("segmentation")
        ),
        "sweep again with one --measures for all models",
    )
    _check_same(
        runs,
        "the grids of regions differ",
        lambda run: run.columns["region_labels"].shape,
        "sweep again with one --measures for all models",
    )


def _check_same(runs: Sequence[Run], what: str, value: Callable[[Run], Any], remedy: str) -> None:
    values = [value(run) for run in runs]
    if any(v != values[0] for v in values):
        each = "; ".join(f"{r.path} has {v}" for r, v in zip(runs, values, strict=True))
        raise InputError(f"{what}: {each}: {remedy}")


def check_images(frames: Sequence[Frame]) -> None:
    """Raise `InputError` for runs over other images; it counts and names those that differ.

    Images that a run skipped count as its images.
    """
    sets = [{*f.ids.tolist(), *(row["id"] for row in f.run.skipped)} for f in frames]
    for frame, other in zip(frames, sets, strict=True):
        if sets[0] == other:
            continue
        sides = [
            f"{len(only)} only in {path} ({', '.join(sorted(only)[:NAMED])}"
            f"{', …' if len(only) > NAMED else ''})"
            for path, only in (
                (frames[0].run.path, sets[0] - other),
                (frame.run.path, other - sets[0]),
            )
            if only
        ]
        raise InputError(
            f"the runs are over other images: {len(sets[0] & other)} are shared, "
            f"{' and '.join(sides)}: sweep both models over the same images"
        )
    if not set.intersection(*(set(f.ids.tolist()) for f in frames)):
        raise InputError(
            f"{frames[0].run.path}: no image is measured in all runs, see its skipped rows"
        )


def check_targets(
    names: Sequence[str], target: np.ndarray, ids: np.ndarray, *, own_prediction: bool
) -> None:
    """Raise `InputError` for models that explain other classes, `target` [models images]."""
    other = (target != target[0]).any(0)
    if not other.any() or own_prediction:
        return
    i = int(other.argmax())
    each = ", ".join(f"{n} class {t}" for n, t in zip(names, target[:, i], strict=True))
    raise InputError(
        f"the runs explain other classes for {other.sum()} of {len(ids)} images (for {ids[i]}: "
        f"{each}), so that their attributions cannot be compared: sweep again with --targets label "
        "(or --targets RUN for the class that one model predicts), or give --own-prediction to "
        "compare what each model sees in its own prediction"
    )


def check_areas(runs: Sequence[Run], area: np.ndarray, ids: np.ndarray) -> None:
    """Raise `InputError` where the segments of an image differ, by `area` [models images segments].

    The same segments in other input sizes differ by rounding alone.
    """
    total_area = np.maximum(area.sum(2).max(0), 1e-9)
    for run, own in zip(runs, area, strict=True):
        other = np.abs(own - area[0]).sum(1) > SAME_AREAS * total_area
        if other.any():
            raise InputError(
                f"the segments of {other.sum()} of {len(ids)} images differ between "
                f"{runs[0].path} and {run.path}, first of {ids[other.argmax()]}: the pixels or the "
                "fit of the preprocessing (stretch or crop) differ; sweep both models over the "
                "same files with one fit"
            )


def check_labels(runs: Sequence[Run], labels: np.ndarray, ids: np.ndarray) -> None:
    """Raise `InputError` for runs whose images have other labels, `labels` [models images]."""
    for run, own in zip(runs, labels, strict=True):
        if (other := own != labels[0]).any():
            raise InputError(
                f"{other.sum()} of {len(ids)} images have other labels in {run.path} than in "
                f"{runs[0].path}, first {ids[other.argmax()]}: sweep both with the same labels"
            )
