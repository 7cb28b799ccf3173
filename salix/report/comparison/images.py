"""Pictures of the compared images, in the frame that the models see, as JPEG."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np

from salix.data import Source, Unreadable
from salix.data.decode import fit
from salix.data.fitted import is_fitted
from salix.data.opening import open_source
from salix.preprocess import Preprocess
from salix.report.heatmap import STORED
from salix.spec import parse
from salix.store import Run
from salix.typing import InputError

SIDE = 224  # pixels of the longest side
AHEAD = 64  # pictures that are decoded at once


def read_pictures(
    runs: Sequence[Run], ids: Sequence[str], images: Sequence[str] | Source | None
) -> Iterator[tuple[int, bytes]]:
    """Yield the place in `ids` and the JPEG of each image that has a readable picture.

    With `images` (paths of folders, images and tables as `salix.data.open_source` reads them, or a
    source), pictures are looked up by id and cut and resized as the first run's model sees them.
    Without, they are the column `thumb`, which a sweep stores for a few images. A file is decoded
    and encoded again: only its pixels reach the page. Raises `InputError` where no id of `images`
    is one of `ids`.
    """
    if images is None:
        return _stored(runs, ids)
    source = open_source(images) if not isinstance(images, Source) else images
    places = {id: i for i, id in enumerate(source.ids)}
    known = [(n, places[id]) for n, id in enumerate(ids) if id in places]
    if not known:
        first = next(iter(source.ids), "none")
        raise InputError(
            f"images: no id of these images is one of the {len(ids)} compared ones (theirs begin "
            f"with {first!r}, the runs' with {ids[0]!r}): name the folders or tables of the sweep, "
            "in its order"
        )
    return _decoded(source, known, _frame(runs[0]))


def _stored(runs: Sequence[Run], ids: Sequence[str]) -> Iterator[tuple[int, bytes]]:
    places = {id: n for n, id in enumerate(ids)}
    for run in (r for r in runs if "thumb" in r.columns):
        for part in run.iterate(["id", "thumb"]):
            for id, data in zip(part["id"], part["thumb"], strict=True):
                if data is not None and id in places and (jpeg := _encode_again(data)):
                    yield places.pop(id), jpeg


def frame_aspect(run: Run) -> float:
    """Return height over width of what a run's model sees."""
    height, width = _frame(run).size
    return height / width


def run_preprocess(run: Run) -> Preprocess:
    """Return the preprocessing of a run's model; the default one where it has none."""
    try:
        return parse(run.manifest["config"]["preprocess"], {"Preprocess": Preprocess})
    except (KeyError, ValueError):
        return Preprocess()


def _frame(run: Run) -> Preprocess:
    """Return the geometry of a run's model, for a picture of at most `SIDE` pixels a side."""
    own = run_preprocess(run)
    ratio = SIDE / max(own.size)
    height, width = (max(1, round(ratio * side)) for side in own.size)
    resize = None if own.resize is None else max(round(ratio * own.resize), height, width)
    return replace(own, size=(height, width), channels=3, mean=(0.0,), std=(1.0,), resize=resize)


def _decoded(
    source: Source, known: Sequence[tuple[int, int]], frame: Preprocess
) -> Iterator[tuple[int, bytes]]:
    def read(index: int) -> bytes | None:
        try:
            image = source.read(index)
            if is_fitted(image):  # as the models see it, in another size
                return _jpeg(fit(np.asarray(image), replace(frame, fit="stretch", resize=None)))
            return _jpeg(fit(image, frame))
        except Unreadable:
            return None

    with ThreadPoolExecutor() as pool:
        for start in range(0, len(known), AHEAD):
            block = known[start : start + AHEAD]
            for (n, _), jpeg in zip(block, pool.map(read, (i for _, i in block)), strict=True):
                if jpeg is not None:
                    yield n, jpeg


def _encode_again(data: bytes) -> bytes | None:
    from PIL import Image

    try:
        with Image.open(BytesIO(data), formats=STORED) as image:
            image.thumbnail((SIDE, SIDE))
            return _jpeg(np.asarray(image.convert("RGB")))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _jpeg(pixels: Any) -> bytes:
    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
