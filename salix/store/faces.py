"""Faces of images in a run: one of several faces of an image stands for it."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

FACE = re.compile(r"[#&]face=\d+$")  # end of the id of a face among several of an image


def face_settings(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the rule by which a run's images are faces, empty where they are not cut."""
    return manifest["config"].get("data", {}).get("faces") or {}


def reduces_faces(manifest: Mapping[str, Any]) -> bool:
    """Whether the run is read with one face of each image, that of the greatest probability."""
    return face_settings(manifest).get("several") == "max"


def other_faces(tables: Iterable[Any]) -> np.ndarray:
    """Return the positions of the faces that do not stand for their image, sorted.

    `tables` have `index`, `id`, `skipped` and two `logits` of rows, in order. An image is the face
    with the greatest probability of class 1, the first of equal ones; logits that are not finite
    come last.
    """
    best: dict[str, tuple[float, int]] = {}
    others: list[int] = []
    for table in tables:
        measured = table.filter(table["skipped"].is_null()).combine_chunks()
        logits = np.asarray(measured["logits"].combine_chunks().flatten(), np.float64)
        with np.errstate(invalid="ignore"):
            margins = np.nan_to_num(np.diff(logits.reshape(-1, 2))[:, 0], nan=-np.inf)
        rows = zip(measured["id"].to_pylist(), measured["index"].to_pylist(), margins, strict=True)
        for id, index, margin in rows:
            if (match := FACE.search(id)) is None:
                continue
            image = id[: match.start()]
            if image in best and not margin > best[image][0]:
                others.append(index)
                continue
            if image in best:
                others.append(best[image][1])
            best[image] = float(margin), index
    return np.sort(np.array(others, np.int64))


def without_rows(table: Any, positions: np.ndarray) -> Any:
    """Return an Arrow table without the rows of some values of `index`."""
    return table.filter(~np.isin(table["index"].to_numpy(), positions))


def image_ids(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return columns with the ids of the images in the place of those of faces."""
    ids = arrays.get("id")
    own = {} if ids is None else {"id": np.array([FACE.sub("", id) for id in ids], object)}
    return arrays | own
