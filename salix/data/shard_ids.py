"""Ids of the images in several files: the keys behind the names of their files."""

import itertools
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from salix.data.arrow_columns import ArrowColumn
from salix.data.url import Url
from salix.typing import InputError


def shard_ids(files: Sequence[Path | Url], tables: Sequence[Any]) -> ArrowColumn:
    """Return the ids of the rows of each file: `id`, else `key`, behind `shard-000003/`.

    The prefix is the name of a file without suffix, below the folder that all share, where there
    are several. Raises `InputError` for ids that are not distinct.
    """
    import pyarrow as pa

    ids = pa.chunked_array([
        chunk
        for table, prefix in zip(tables, _prefixes(files), strict=True)
        for chunk in _ids(table, prefix).chunks
    ], pa.string())  # fmt: skip
    counts = ids.value_counts()
    if len(counts) < len(ids):
        first = next(pair["values"] for pair in ArrowColumn(counts) if pair["counts"] > 1)
        raise InputError(
            f"the shards have two images with the id {first!r}: rename one of the keys, or leave "
            '"id" out of the .json files or records'
        )
    return ArrowColumn(ids)


def _prefixes(files: Sequence[Path | Url]) -> list[str]:
    if len(files) == 1:
        return [""]
    names = [
        str(file) if isinstance(file, Url) else os.path.abspath(file).replace(os.sep, "/")
        for file in files
    ]
    levels = zip(*(name.split("/")[:-1] for name in names), strict=False)
    depth = sum(1 for _ in itertools.takewhile(lambda level: len({*level}) == 1, levels))
    tails = ["/".join(name.split("/")[depth:]) for name in names]
    return [re.sub(r"\.(tar|array_record)(?=$|-)", "", tail) + "/" for tail in tails]


def _ids(table: Any, prefix: str) -> Any:
    """Return the ids of a file's rows, a chunked array."""
    import pyarrow as pa
    import pyarrow.compute as pc

    parts = [pa.scalar(prefix), table["key"], pa.scalar("")]
    keys = pc.call_function("binary_join_element_wise", parts)
    return pc.call_function("coalesce", [table["id"], keys])
