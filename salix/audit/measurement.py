"""Properties of all images of a source, streamed, and read again where they were measured."""

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from salix.atomic import atomic
from salix.audit.properties import KEYS, image_properties
from salix.data import Source
from salix.data.content import source_identity
from salix.data.loaders import Skip, load_ranges
from salix.progress import Progress

CHUNK = 64  # images that are submitted together
VERSION = 1  # of the properties: a table of another version is measured again
IDENTITY = b"salix-audit"


@dataclass(frozen=True, eq=False)
class MeasuredImages:
    """Properties of the images of a source: `values[image, property]`, NaN where unknown.

    `formats` are the names of the files' formats, "" without one; `skipped` the reasons of images
    that could not be read, None for the others.
    """

    ids: tuple[str, ...]
    formats: tuple[str, ...]
    values: np.ndarray
    skipped: tuple[str | None, ...]

    @property
    def readable(self) -> np.ndarray:
        """Flag of each image that could be read."""
        return np.array([reason is None for reason in self.skipped], bool)


def measure(source: Source, *, workers: int, progress: bool = False) -> MeasuredImages:
    """Measure all images of a source, a few in memory at once; unreadable ones are skipped."""
    count = len(source.ids)
    values = np.full((count, len(KEYS)), np.nan)
    formats = [""] * count
    skipped: list[str | None] = [None] * count
    ranges = (range(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK))
    load = partial(image_properties, source)
    with Progress("audit", count, show=progress) as shown:
        for indices, properties in load_ranges(load, ranges, workers=workers):
            for index, measured in zip(indices, properties, strict=True):
                if isinstance(measured, Skip):
                    skipped[index] = measured.reason
                else:
                    formats[index], values[index] = measured
            shown.advance(len(indices))
    return MeasuredImages(tuple(source.ids), tuple(formats), values, tuple(skipped))


def data_identity(source: Source, *, full: bool = False) -> str:
    """Return a digest of what decides the properties: ids, content and version."""
    sha = hashlib.sha256(f"{VERSION} {KEYS}".encode())
    for id in source.ids:
        sha.update(f"{id}\n".encode())
    sha.update(json.dumps(source_identity(source, full=full), sort_keys=True).encode())
    return sha.hexdigest()


def write_measured(
    images: MeasuredImages, file: Path, identity: str, labels: list[str | None], groups: list[Any]
) -> None:
    """Write a table with a row for each image: id, label, group, format, properties, reason."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {"id": images.ids}
    columns |= {"label": pa.array(labels, pa.string()), "group": pa.array(groups, pa.string())}
    columns["format"] = pa.array([f or None for f in images.formats], pa.string())
    for key, column in zip(KEYS, images.values.T, strict=True):
        columns[key] = pa.array(column, pa.float64(), from_pandas=True)
    columns["skipped"] = pa.array(images.skipped, pa.string())
    table = pa.table(columns).replace_schema_metadata({IDENTITY: identity.encode()})
    with atomic(file) as unfinished:
        pq.write_table(table, unfinished)


def read_measured(file: Path, identity: str) -> MeasuredImages | None:
    """Return the images of a table that `write_measured` wrote; None for other data or none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(file)
    except (OSError, pa.ArrowException):
        return None
    if (table.schema.metadata or {}).get(IDENTITY) != identity.encode():
        return None
    values = [table[key].to_numpy() for key in KEYS]
    return MeasuredImages(
        tuple(table["id"].to_pylist()),
        tuple(f or "" for f in table["format"].to_pylist()),
        np.stack([np.asarray(v, np.float64) for v in values], axis=1),
        tuple(table["skipped"].to_pylist()),
    )
