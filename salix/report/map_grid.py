"""Grid of a few images and their maps from runs, for a paper: methods or models across."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np

from salix import plot
from salix.analysis import Frame
from salix.analysis.frame import shared_examples
from salix.plot import ColourScale
from salix.report.comparison.images import read_pictures
from salix.store import Run
from salix.typing import InputError

SCALE = ColourScale(0.0, 1.0, False, "map, scaled by its own least and greatest value")
METHODS_COLUMN = "evaluation_map"  # [method y x], of a sweep of several methods
COUNT = 4  # images


def draw_runs(
    runs: Sequence[Run],
    *,
    images: Sequence[str] | int = COUNT,
    seed: int = 0,
    data: Any = None,
    smooth: bool = False,
    opacity: float = 0.6,
) -> Any:
    """Return a matplotlib figure of some images and their maps, in one colour scale.

    One run of several methods has a column for each; several runs, or one of a single method, a
    column for each run. `images` are ids, or a number of images that `seed` draws from those that
    all runs measured and that have a picture. Pictures are those that the runs stored, or read from
    `data`, the swept images as `salix.data.open_source` takes them. Raises `InputError` where the
    runs have no maps of two axes, share no image, or lack a picture or an id.
    """
    frames = [Frame(run) for run in runs]
    ids, _ = shared_examples(frames)
    if not ids:
        raise InputError("the runs share no image: give runs over the same data")
    pictures = _choose(runs, [str(id) for id in ids], images, seed, data)
    names = list(pictures)
    titles, maps = _maps(frames, names)
    labels = [_label(frames[0], id) for id in names]
    how = "chosen by name" if not isinstance(images, int) else f"drawn with seed {seed}"
    return plot.grid(
        [_decode(jpeg) for jpeg in pictures.values()],
        [maps[id] for id in names],
        titles=titles,
        rows=labels,
        scale=SCALE,
        smooth=smooth,
        opacity=opacity,
        note=f"{len(names)} of {len(ids)} images, {how}",
    )


def _choose(
    runs: Sequence[Run], ids: list[str], images: Sequence[str] | int, seed: int, data: Any
) -> dict[str, bytes]:
    """Return the pictures of the images to draw, by id, in the order of the data or of `images`."""
    if not isinstance(images, int):
        named = list(images)
        if unknown := [id for id in named if id not in set(ids)]:
            raise InputError(
                f"no image {unknown[0]!r} is in all runs: choose among {len(ids)}, for example "
                f"{', '.join(ids[:3])}"
            )
        pictures = {named[n]: jpeg for n, jpeg in read_pictures(runs, named, data)}
        if missing := [id for id in named if id not in pictures]:
            raise InputError(
                f"there is no picture of {missing[0]}: a sweep stores those of a few images, so "
                "give the swept images by --data"
            )
        return {id: pictures[id] for id in named}
    if images < 1:
        raise InputError(f"images is {images}: give 1 or more, or ids")
    rng = np.random.default_rng(seed)
    if data is None:
        stored = {ids[n]: jpeg for n, jpeg in read_pictures(runs, ids, None)}
        if not stored:
            raise InputError("the runs store no pictures: give the swept images by --data")
        order = [id for id in ids if id in stored]
        places = sorted(rng.permutation(len(order))[:images])
        return {order[n]: stored[order[n]] for n in places}
    places = sorted(rng.permutation(len(ids))[:images])
    sample = [ids[n] for n in places]
    pictures = {sample[n]: jpeg for n, jpeg in read_pictures(runs, sample, data)}
    return {id: pictures[id] for id in sample if id in pictures}


def _maps(
    frames: Sequence[Frame], ids: Sequence[str]
) -> tuple[tuple[str, ...], dict[str, list[np.ndarray | None]]]:
    """Return the titles of the columns, and the maps of each id in [0, 1], None for a constant."""
    if len(frames) == 1 and frames[0].has(METHODS_COLUMN):
        column = frames[0].run.columns[METHODS_COLUMN]
        rows = frames[0].rows(ids, [METHODS_COLUMN])
        maps = {id: [_as_map(m) for m in rows[id][METHODS_COLUMN]] for id in ids}
        return tuple(map(str, column.coordinates)), maps
    for frame in frames:
        if not frame.has("map") or len(frame.run.columns["map"].shape) != 2:
            raise InputError(
                f"{frame.run.path} stores no maps of two axes: sweep with --maps uint8"
            )
    each = [frame.rows(ids, ["map"]) for frame in frames]
    return _titles(frames), {id: [_as_map(rows[id]["map"]) for rows in each] for id in ids}


def _titles(frames: Sequence[Frame]) -> tuple[str, ...]:
    """Return the names of runs, their directories where names repeat; of one run its method."""
    names = tuple(frame.run.name for frame in frames)
    if len(names) == 1:
        return (str(frames[0].run.manifest["config"].get("attribution", names[0])),)
    return names if len(set(names)) == len(names) else tuple(str(f.run.path) for f in frames)


def _as_map(values: np.ndarray) -> np.ndarray | None:
    """Return a stored map in [0, 1]; None for one without contrast."""
    map = values / 255 if values.dtype == np.uint8 else np.asarray(values, np.float64)
    return map if np.isfinite(map).all() and np.ptp(map) > 0 else None


def _label(frame: Frame, id: str) -> str:
    index = int(np.flatnonzero(frame.ids == id)[0])
    name = frame.class_name(int(frame.labels[index]))
    return f"{id} ({name})" if name else id


def _decode(jpeg: bytes) -> np.ndarray:
    from PIL import Image

    with Image.open(BytesIO(jpeg), formats=("JPEG",)) as image:
        return np.asarray(image.convert("RGB"))
