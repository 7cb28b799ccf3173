"""Group of Zarr arrays, version 3 of the format, written by tensorstore in whole shards."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from salix.typing import Column

CHUNK = 1 << 16  # bytes of a chunk, the unit that is compressed and read


class ZarrMaps:
    """Arrays [rows *shape], one for each column, in a group at `path`.

    A shard, one file, has `rows` rows, a chunk as many as 64 KiB have: one map of 256 x 256.
    Attributes of an array are the description of its column. Numbers are little-endian, chunks are
    compressed by Zstandard.
    """

    def __init__(self, path: Path, columns: Sequence[Column], count: int, rows: int):
        path.mkdir(parents=True)
        group = {"zarr_format": 3, "node_type": "group", "attributes": {"rows": count}}
        (path / "zarr.json").write_text(json.dumps(group), encoding="utf-8")
        self._arrays = {c.name: _create(path, c, count, rows) for c in columns}

    def write(self, first: int, block: Mapping[str, np.ndarray]) -> None:
        """Write the rows of one shard, which begins at `first`."""
        waiting = [
            self._arrays[name][first : first + len(values)].write(np.ascontiguousarray(values))
            for name, values in block.items()
        ]
        for written in waiting:
            written.result()

    def close(self) -> None:
        """Do nothing: shards are whole and synced when they are written."""


def _create(path: Path, column: Column, count: int, rows: int) -> Any:
    import tensorstore

    size = np.dtype(column.dtype).itemsize * int(np.prod(column.shape))
    per_chunk = max(1, CHUNK // size)
    if rows > per_chunk:
        per_chunk = next(n for n in range(per_chunk, 0, -1) if rows % n == 0)
    else:
        per_chunk = rows
    inner = [
        {"name": "bytes", "configuration": {"endian": "little"}},
        {"name": "zstd", "configuration": {"level": 3}},
    ]
    if np.dtype(column.dtype).itemsize == 1:
        inner[0] = {"name": "bytes"}
    sharding = {"chunk_shape": [per_chunk, *column.shape], "codecs": inner}
    spec = {
        "driver": "zarr3",
        "kvstore": {"driver": "file", "path": f"{path / quote(column.name, safe=' ')}/"},
        "metadata": {
            "shape": [count, *column.shape],
            "data_type": column.dtype,
            "chunk_grid": {
                "name": "regular",
                "configuration": {"chunk_shape": [rows, *column.shape]},
            },
            "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
            "dimension_names": ["row", *column.dims],
            "attributes": asdict(column),
        },
    }
    return tensorstore.open(spec, create=True, delete_existing=False).result()
