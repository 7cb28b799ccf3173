"""Streaming reader of the rows of several runs into one table of regions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from salix.analysis.frame import Frame
from salix.compare.aligned import AlignedRuns
from salix.compare.checks import (
    check_areas,
    check_images,
    check_labels,
    check_runs,
    check_targets,
    region_settings,
)
from salix.compare.metadata import image_columns, table_columns
from salix.compare.notes import explained_class, table_notes
from salix.compare.region_table import RegionTable
from salix.compare.selection import Selection, join, random_draws, select_regions
from salix.store import Run

BATCH = 64  # images whose regions are selected at once


def read_regions(
    runs: Sequence[Run | Path | str],
    *,
    seed: int = 0,
    most: int = 12,
    floor: int = 2,
    cover: float | None = None,
    least_area: float = 0.001,
    own_prediction: bool = False,
    metadata: Path | str | None = None,
) -> RegionTable:
    """Read the regions that the runs of several models have in common.

    Selected are the top regions of any model (see `select_regions`): each model's first `most` in
    the order of the density of |attribution|, until `cover` of the frame is covered (None: what the
    sweep covered), and `floor` random ones of similar size for each image, drawn by `seed` and the
    image's id, so that neither order nor subset of images decides. Segments below `least_area` of
    the frame are left out. `metadata` is a table of columns to slice by, CSV, Parquet or JSON, with
    the column `id` or `path`. Embeddings are read for the selected regions alone, so that memory
    does not grow with the number of segments. Another order of the runs permutes the models.

    Raises `InputError` for runs without regions or rows, over other images, classes or
    segmentations, of models without any attribution, and for runs that explain other classes,
    unless `own_prediction`.
    """
    opened = tuple(r if isinstance(r, Run) else Run(Path(r)) for r in runs)
    check_runs(opened)
    frames = [Frame(run) for run in opened]
    check_images(frames)
    aligned = AlignedRuns.of(frames)
    ids, m = aligned.ids, aligned.reference
    target, predicted, labels = (
        aligned.scalars(n, -1).astype(np.int32) for n in ("target", "predicted", "label")
    )
    check_labels(opened, labels, ids)
    check_targets(aligned.names, target, ids, own_prediction=own_prediction)
    total, net, error = (
        aligned.scalars(n, np.nan).astype(np.float32)
        for n in ("region_absolute_total", "region_total", "region_completeness")
    )
    segments = aligned.segment_numbers()
    check_areas(opened, segments["region_area"], ids)
    with np.errstate(invalid="ignore", divide="ignore"):
        mass, share = (
            np.where(total[:, :, None] > 0, segments[n] / total[:, :, None], np.nan)
            for n in ("region_mass", "region_absolute")
        )
    area, rank = segments["region_area"][m], segments["region_rank"]
    stored = float(region_settings(opened[m]).get("cover", "1"))
    chosen = _select(
        aligned,
        rank,
        share,
        area,
        seed=seed,
        most=most,
        floor=floor,
        least_area=least_area,
        cover=1.0 if cover is None or cover >= stored else cover,
    )
    image, region = chosen.image, chosen.region
    columns = {n: aligned.ordered(m, v) for n, v in image_columns(frames[m]).items()}
    if metadata is not None:
        columns |= table_columns(Path(metadata), ids)
    # Of any run whose source names groups
    clusters = [
        aligned.ordered(k, f.clusters) for k, f in enumerate(frames) if f.clusters is not None
    ]
    side = opened[m].columns["region_labels"].shape[-1]
    return RegionTable(
        ids=ids,
        models=aligned.names,
        image=image.astype(np.int32),
        region=region.astype(np.int32),
        area=area[image, region],
        mass=mass[:, image, region].astype(np.float32),
        share=share[:, image, region].astype(np.float32),
        drop=segments["region_drop"][:, image, region],
        rank=rank[:, image, region],
        floor=chosen.floor,
        box=chosen.box,
        masks=chosen.masks,
        side=side,
        density=aligned.maps("region_absolute_map", side),
        signed=aligned.maps("region_attribution", side),
        embeddings=aligned.embeddings(image, region),
        classes=opened[m].classes,
        labels=labels[0],
        target=np.where((target == target[0]).all(0), target[0], -1),
        predicted=predicted,
        confidence=aligned.confidence(),
        correct=(predicted == labels) & (labels >= 0),
        clusters=clusters[0] if clusters else None,
        metadata=columns,
        completeness=error,
        total=total,
        net=net,
        explained=explained_class(opened[m], target, labels[0]),
        segmentation=region_settings(opened[m]).get("segmentation", "unknown"),
        notes=table_notes(aligned, target, predicted, total, chosen),
    )


def _select(
    aligned: AlignedRuns,
    rank: np.ndarray,
    share: np.ndarray,
    area: np.ndarray,
    *,
    seed: int,
    **options: Any,
) -> Selection:
    """Return the selected regions of all images, by the labels of the reference run."""
    parts = []
    for rows, piece in aligned.stream(aligned.reference, ["region_labels"]):
        for a in range(0, len(rows), BATCH):
            own = rows[a : a + BATCH]
            draw = random_draws(aligned.ids[own], seed, area.shape[1])
            labels = piece["region_labels"][a : a + BATCH]
            part = select_regions(labels, rank[:, own], share[:, own], area[own], draw, **options)
            parts.append((own, part))
    return join(parts)
