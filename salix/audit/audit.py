"""Shortcut audit of labelled images: properties that need no face, and a detector on copies."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from salix.analysis.grouped_rows import GroupedRows, group_likeness
from salix.audit.checks import check_faces, check_model, describe_weights
from salix.audit.classes import two_classes
from salix.audit.columns import QUALITIES, SIDES, common_value, screened_columns
from salix.audit.copies import check_coding
from salix.audit.detector import DetectorAudit, audit_detector
from salix.audit.measurement import (
    MeasuredImages,
    data_identity,
    measure,
    read_measured,
    write_measured,
)
from salix.audit.properties import Property
from salix.audit.screening import Screening, screen
from salix.data import Source
from salix.data.face_sources import face_crops
from salix.engine.image_run import as_source
from salix.engine.image_sweep import sweep
from salix.model import Model
from salix.report.face_crops import describe_settings
from salix.stats import cluster_codes
from salix.store import Run
from salix.typing import InputError, Method, Params

EDGES = ("width", "height", "face_width")  # of the images, or of the faces that are cut out


@dataclass(frozen=True, eq=False)
class Audit:
    """Result of an audit: properties of the images, their screening, and that of a detector.

    `labels[image]` are 0, 1 or -1 unknown; `columns` the screened properties, with the values of
    the labelled images that could be read, `screened[image]`.
    """

    source: Source
    images: MeasuredImages
    labels: np.ndarray
    screened: np.ndarray
    columns: tuple[tuple[Property, np.ndarray], ...]
    screening: Screening
    detector: DetectorAudit | None
    grouped: GroupedRows | None  # groups that the images look like, though none was named
    settings: Mapping[str, Any]


def audit_images(
    data: Any,
    *,
    out: Path | str,
    model: Model | None = None,
    params: Params | None = None,
    classes: Sequence[str] | None = None,
    table: Path | str | None = None,
    attribution: Method | None = None,
    quality: int | None = None,
    side: int | None = None,
    batch_size: int = 32,
    workers: int | None = None,
    seed: int = 0,
    name: str = "detector",
    progress: bool = False,
) -> Audit:
    """Measure how well the labels of `data` are predicted by what needs no face.

    `data` is what `salix.sweep` takes. Writes the properties of each image to `out`/audit.parquet,
    from which the same call goes on. With a `model` of two classes and its `params`, it is swept
    over the images as they are, over copies of one JPEG coding of `quality`, and over such copies
    of `side` x `side` pixels, by default the 5th percentiles of the qualities and short sides of
    the images, within 20 to 90 and 32 to 512; the runs are `out`/runs/original, codec and size, and
    resume. `classes` are the names of the two classes, by default the model's, or those that the
    labels have. `table` has own columns of numbers, see `own_columns`. Raises `InputError` for
    labels that are not of two classes, and for too few images or groups.

    Of faces that are cut out (`FaceCrops`), each is an image: pixels are those of the face, its
    width and share of the image are properties too, and the model is swept over the faces.
    """
    source, folder = as_source(data), Path(out)
    check_faces(source)
    check_model(model, params)
    check_coding(quality, side)
    named = classes if model is None else model.classes
    labels, names = two_classes(source, named, model="--classes" if model is None else name)
    folder.mkdir(parents=True, exist_ok=True)
    images = _measured(source, folder, labels, names, workers, progress)
    screened = np.flatnonzero(images.readable & (labels >= 0))
    if not len(screened) or len(np.unique(labels[screened])) < 2:
        reasons = next((r for r in images.skipped if r), "no label")
        raise InputError(f"the images that could be read are not of two classes: {reasons}")
    columns = screened_columns(images, screened, table)
    groups = np.array(list(source.groups), object)[screened]
    clusters = cluster_codes(groups, len(screened))
    screening = screen(columns, labels[screened], names, clusters=clusters, seed=seed)
    edge = side or common_value(images, screened, EDGES, SIDES)
    coding = quality or common_value(images, screened, ("jpeg_quality",), QUALITIES)
    settings: dict[str, Any] = {"seed": seed, "classes": list(names)}
    if (crops := next(face_crops(source), None)) is not None:
        settings["faces"] = describe_settings(crops.settings)
    detector = None
    if model is not None and params is not None:
        sweep_source = partial(
            _sweep,
            model,
            params,
            attribution,
            folder / "runs",
            batch_size=batch_size,
            workers=workers,
            seed=seed,
            progress=progress,
        )
        detector = audit_detector(sweep_source, source, side=edge, quality=coding)
        settings |= {
            "model": name,
            **describe_weights(model, params),
            "quality": coding,
            "side": edge,
        }
    grouped = None
    if all(group is None for group in groups):
        ids = [images.ids[i] for i in screened.tolist()]
        readers = {p.title: partial(np.asarray, v) for p, v in columns if p.kind != "name"}
        grouped = group_likeness(name, ids, labels[screened], readers)
    return Audit(
        source,
        images,
        labels,
        screened,
        tuple(columns),
        screening,
        detector,
        grouped,
        settings,
    )


def _measured(
    source: Source,
    folder: Path,
    labels: np.ndarray,
    names: tuple[str, str],
    workers: int | None,
    progress: bool,
) -> MeasuredImages:
    file, identity = folder / "audit.parquet", data_identity(source)
    if (images := read_measured(file, identity)) is not None:
        return images
    images = measure(source, workers=workers or os.cpu_count() or 1, progress=progress)
    texts = [names[k] if k >= 0 else None for k in labels.tolist()]
    write_measured(images, file, identity, texts, list(source.groups))
    return images


def _sweep(
    model: Model,
    params: Params,
    attribution: Method | None,
    folder: Path,
    source: Source,
    name: str,
    targets: Run | None,
    **options: Any,
) -> Run:
    return sweep(
        model,
        params,
        source,
        attribution,
        out=folder / name,
        name=name,
        group=name,
        targets=targets,
        **options,
    )
