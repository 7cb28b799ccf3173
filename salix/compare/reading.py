"""Streaming reader of the rows of several runs into one table of regions."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from salix.analysis.frame import Frame
from salix.compare.checks import (
    check_areas,
    check_images,
    check_labels,
    check_runs,
    check_targets,
    region_settings,
)
from salix.compare.metadata import image_columns, table_columns
from salix.compare.notes import comparison_notes, explained_class
from salix.compare.region_table import RegionTable
from salix.compare.selection import Selection, join, random_draws, select_regions
from salix.store import Run

BATCH = 64  # images whose regions are selected at once
NEUTRAL = "descriptor"


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
    names = model_names(opened)
    frames = [Frame(run) for run in opened]
    check_images(frames)
    # Ids, segments and descriptors are those of one run, whatever the order in which runs come.
    reference = min(range(len(opened)), key=lambda m: (opened[m].manifest["hash"], names[m]))
    ids, places = _shared(frames, reference)
    rows = [_ordered(f.scalars, p, len(ids)) for f, p in zip(frames, places, strict=True)]
    unknown = np.full(len(ids), -1)
    target, predicted, labels = (
        np.stack([r.get(n, unknown) for r in rows]) for n in ("target", "predicted", "label")
    )
    check_labels(opened, labels, ids)
    check_targets(names, target, ids, own_prediction=own_prediction)
    total, net, error = (
        np.stack([r.get(n, np.full(len(ids), np.nan)) for r in rows]).astype(np.float32)
        for n in ("region_absolute_total", "region_total", "region_completeness")
    )
    segments = _segment_numbers(opened, places, len(ids))
    check_areas(opened, segments["region_area"], ids)
    with np.errstate(invalid="ignore", divide="ignore"):
        mass, share = (
            np.where(total[:, :, None] > 0, segments[n] / total[:, :, None], np.nan)
            for n in ("region_mass", "region_absolute")
        )
    stored = float(region_settings(opened[reference]).get("cover", "1"))
    options: dict[str, Any] = {"most": most, "floor": floor, "least_area": least_area}
    options["cover"] = 1.0 if cover is None or cover >= stored else cover
    area = segments["region_area"][reference]
    rank = segments["region_rank"]
    chosen = _select(opened[reference], places[reference], ids, seed, rank, share, area, options)
    image, region = chosen.image, chosen.region
    side = opened[0].columns["region_labels"].shape[-1]
    signed, density = _maps(opened, places, len(ids), side)
    frame = frames[reference]
    columns = {n: v[places[reference] >= 0] for n, v in image_columns(frame).items()}
    if metadata is not None:
        columns |= table_columns(Path(metadata), ids)
    clusters = next((f.clusters for f in (frame, *frames) if f.clusters is not None), None)
    correct = (predicted == labels) & (labels >= 0)
    return RegionTable(
        ids=ids,
        models=names,
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
        density=density,
        signed=signed,
        embeddings=_embeddings(opened, names, places, reference, image, region),
        classes=opened[reference].classes,
        labels=labels[0],
        target=target[0],
        predicted=predicted,
        confidence=_confidence(opened, places, predicted),
        correct=correct,
        clusters=None if clusters is None else clusters[places[reference] >= 0],
        metadata=columns,
        completeness=error,
        total=total,
        net=net,
        explained=explained_class(names, target, labels[0], predicted, opened[reference].classes),
        segmentation=region_settings(opened[reference]).get("segmentation", "unknown"),
        notes=comparison_notes(opened, names, ids, target, predicted, total, chosen),
    )


def model_names(runs: Sequence[Run]) -> tuple[str, ...]:
    """Return a name for each run, unique: with its folder, or a number for a run given twice."""
    names = [run.name for run in runs]
    folders = [f"{run.name} ({run.path.name})" for run in runs]
    unique = [f if names.count(n) > 1 else n for n, f in zip(names, folders, strict=True)]
    if len({r.path.resolve() for r in runs}) < len(runs) or len(set(unique)) < len(unique):
        unique = names
    numbered = [
        f"{n} ({unique[: i + 1].count(n)})" if unique[:i].count(n) else n
        for i, n in enumerate(unique)
    ]
    return tuple(f"model {n}" if n in (NEUTRAL, "features") else n for n in numbered)


def _shared(frames: Sequence[Frame], reference: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return ids that all runs measured, and the place of each run's rows among them, or -1."""
    sets = [set(f.ids.tolist()) for f in frames]
    ids = [i for i in frames[reference].ids.tolist() if all(i in s for s in sets)]
    place = {id: n for n, id in enumerate(ids)}
    places = [np.array([place.get(i, -1) for i in f.ids.tolist()], int) for f in frames]
    return np.array(ids, object), places


def _ordered(
    columns: dict[str, np.ndarray], place: np.ndarray, count: int
) -> dict[str, np.ndarray]:
    """Return columns of a run in the order of the shared images."""
    order = np.zeros(count, int)
    order[place[place >= 0]] = np.flatnonzero(place >= 0)
    return {name: values[order] for name, values in columns.items()}


def _stream(
    run: Run, place: np.ndarray, names: Sequence[str]
) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Yield pieces of columns with the places of their rows among the shared images."""
    first = 0
    for piece in run.iterate([n for n in names if n in run.columns]):
        rows = len(next(iter(piece.values())))
        own = place[first : first + rows]
        first += rows
        shared = own >= 0
        if shared.all():
            yield own, piece
        elif shared.any():
            yield own[shared], {n: v[shared] for n, v in piece.items()}


def _segment_numbers(
    runs: Sequence[Run], places: Sequence[np.ndarray], count: int
) -> dict[str, np.ndarray]:
    """Return the numbers of each segment, [models images segments]."""
    names = ("region_area", "region_mass", "region_absolute", "region_drop", "region_rank")
    (segments,) = runs[0].columns["region_area"].shape
    shape = (len(runs), count, segments)
    numbers: dict[str, np.ndarray] = {n: np.full(shape, np.nan, np.float32) for n in names[:-1]}
    numbers["region_rank"] = np.zeros(shape, np.int32)
    for m, (run, place) in enumerate(zip(runs, places, strict=True)):
        for rows, piece in _stream(run, place, names):
            for name, values in piece.items():
                numbers[name][m, rows] = values
    return numbers


def _select(
    run: Run,
    place: np.ndarray,
    ids: np.ndarray,
    seed: int,
    rank: np.ndarray,
    share: np.ndarray,
    area: np.ndarray,
    options: dict[str, Any],
) -> Selection:
    parts = []
    for rows, piece in _stream(run, place, ["region_labels"]):
        for a in range(0, len(rows), BATCH):
            own = rows[a : a + BATCH]
            draw = random_draws(ids[own], seed, area.shape[1])
            labels = piece["region_labels"][a : a + BATCH]
            part = select_regions(labels, rank[:, own], share[:, own], area[own], draw, **options)
            parts.append((own, part))
    return join(parts)


def _maps(
    runs: Sequence[Run], places: Sequence[np.ndarray], count: int, side: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return signed and absolute maps, [models images cells], in multiples of the mean |a|."""
    names = ("region_attribution", "region_absolute_map")
    maps = np.zeros((2, len(runs), count, side * side), np.float16)
    for m, (run, place) in enumerate(zip(runs, places, strict=True)):
        for rows, piece in _stream(run, place, names):
            for own, name in zip(maps, names, strict=True):
                own[m, rows] = piece[name].reshape(len(rows), -1)
    return maps[0], maps[1]


def _embeddings(
    runs: Sequence[Run],
    names: Sequence[str],
    places: Sequence[np.ndarray],
    reference: int,
    image: np.ndarray,
    region: np.ndarray,
) -> dict[str, np.ndarray]:
    """Return the embeddings of selected regions: the neutral one, and each model's features."""
    wanted = [(NEUTRAL, reference, "region_descriptor")]
    wanted += [(name, m, "region_features") for m, name in enumerate(names)]
    embeddings = {}
    for name, m, column in wanted:
        if column not in runs[m].columns:
            continue
        points = np.zeros((len(image), runs[m].columns[column].shape[-1]), np.float32)
        for rows, piece in _stream(runs[m], places[m], [column]):
            row = np.full(int(places[m].max()) + 1, -1)
            row[rows] = np.arange(len(rows))
            members = np.flatnonzero(row[image] >= 0)
            points[members] = piece[column][row[image[members]], region[members]]
        embeddings[name] = points
    return embeddings


def _confidence(
    runs: Sequence[Run], places: Sequence[np.ndarray], predicted: np.ndarray
) -> np.ndarray:
    """Return the softmax of each model's predicted class, NaN without logits."""
    confidence = np.full(predicted.shape, np.nan, np.float32)
    for m, (run, place) in enumerate(zip(runs, places, strict=True)):
        for rows, piece in _stream(run, place, ["logits"]) if "logits" in run.columns else ():
            logits = piece["logits"].astype(np.float64)
            odds = np.exp(logits - logits.max(1, keepdims=True))
            confidence[m, rows] = odds.max(1) / odds.sum(1)
    return confidence
