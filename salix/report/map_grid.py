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
from salix.report.map_columns import column_titles, map_columns, read_maps
from salix.store import Run
from salix.typing import InputError

SCALE = ColourScale(0.0, 1.0, False, "map, scaled by its own least and greatest value")
COUNT = 4  # images


def draw_runs(
    runs: Sequence[Run],
    *,
    images: Sequence[str] | int = COUNT,
    methods: Sequence[str] = (),
    seed: int = 0,
    data: Any = None,
    smooth: bool = False,
    opacity: float = 0.6,
) -> Any:
    """Return a matplotlib figure of some images and their maps, in one colour scale.

    Each run has a column for each of its methods, or of those in `methods`, texts or names; runs
    of one method have a column each. `images` are ids, or a number of images that `seed` draws from
    those that all runs measured and that have a picture. Pictures are those that the runs stored,
    or read from `data`, the swept images as `salix.data.open_source` takes them. Raises
    `InputError` where the runs have no maps of two axes, share no image, or lack a picture, an id
    or a method.
    """
    frames = [Frame(run) for run in runs]
    columns = map_columns(frames, methods)
    ids, _ = shared_examples(frames)
    if not ids:
        raise InputError("the runs share no image: give runs over the same data")
    pictures = _choose(runs, [str(id) for id in ids], images, seed, data)
    names = list(pictures)
    labels = [_label(frames[0], id) for id in names]
    how = "chosen by name" if not isinstance(images, int) else f"drawn with seed {seed}"
    return plot.grid(
        [_decode(jpeg) for jpeg in pictures.values()],
        read_maps(columns, names),
        titles=column_titles(columns),
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


def _label(frame: Frame, id: str) -> str:
    index = int(np.flatnonzero(frame.ids == id)[0])
    name = frame.class_name(int(frame.labels[index]))
    return f"{id} ({name})" if name else id


def _decode(jpeg: bytes) -> np.ndarray:
    from PIL import Image

    with Image.open(BytesIO(jpeg), formats=("JPEG",)) as image:
        return np.asarray(image.convert("RGB"))
