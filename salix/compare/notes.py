"""Sentences on a comparison that its reader must know: explained class, constant models."""

import numpy as np

from salix.compare.aligned import AlignedRuns
from salix.compare.checks import region_settings
from salix.compare.selection import Selection
from salix.store import Run
from salix.typing import InputError

OWN_PREDICTION = "each model's own prediction"


def explained_class(run: Run, target: np.ndarray, labels: np.ndarray) -> str:
    """Return which class the attributions explain, from `target` [models images] and one run."""
    if (target != target[0]).any():
        return OWN_PREDICTION
    if (target[0] == labels).all() and len(np.unique(labels)) > 1:
        return "the label of each image"
    rule, number = run.manifest["config"].get("targets"), int(target[0, 0])
    if rule == "label":
        return "the label of each image"
    if other := run.manifest["about"].get("targets_run"):
        return f"the class that {other} predicts"
    if (target[0] == number).all():
        return f"class {run.classes[number]}" if 0 <= number < len(run.classes) else "the one score"
    return "the class that all models predict"


def table_notes(
    aligned: AlignedRuns,
    target: np.ndarray,
    predicted: np.ndarray,
    total: np.ndarray,
    chosen: Selection,
) -> tuple[str, ...]:
    """Return what limits a comparison; raises `InputError` for a model without attribution."""
    runs, models, n, notes = aligned.runs, aligned.names, len(aligned.ids), []
    for run, model, own, classes in zip(runs, models, total, predicted, strict=True):
        constant = int((~(own > 0)).sum())
        if constant == n:
            raise InputError(
                f"{run.path} has no attribution in any of {n} images, its maps are constant: check "
                "the weights and the explained score, or sweep with another --attribution"
            )
        if constant:
            notes.append(
                f"{model} has no attribution in {constant} of {n} images: they are left out."
            )
        if n > 1 and (classes == classes[0]).all() and classes[0] >= 0:
            name = run.classes[classes[0]] if classes[0] < len(run.classes) else classes[0]
            notes.append(f"{model} predicts {name} for all {n} images.")
    if lost := max(run.count for run in runs) - n:
        notes.append(f"{lost} images were skipped by a model and are left out.")
    if other := int((target != target[0]).any(0).sum()):
        notes.append(
            f"The models explain other classes in {other} of {n} images: differences mix what they "
            "look at with what they predict."
        )
    for what, values in {
        "attribution": [run.manifest["config"].get("attribution") for run in runs],
        "score": [run.manifest["config"].get("score") for run in runs],
        "cover": [region_settings(run).get("cover") for run in runs],
    }.items():
        if any(v != values[0] for v in values):
            each = ", ".join(f"{m} {v}" for m, v in zip(models, values, strict=True))
            notes.append(f"The runs differ in {what}, which adds to the differences: {each}.")
    if not len(chosen.image):
        raise InputError(
            f"no region is selected in {n} images: sweep with a greater cover, such as "
            "--measures 'Regions(cover=0.5)', or a coarser segmentation"
        )
    return tuple(notes)
