"""Index of ArrayRecord files: the key, label and group of each record; no image is decoded.

A record is a serialised `tf.train.Example`, as TensorFlow Datasets writes it.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from salix.data.bounds import MAX_FILE, Unreadable
from salix.data.class_labels import plain_label
from salix.data.features import KEYS
from salix.data.record_chunks import DAMAGED, check_chunks
from salix.data.regular_file import open_file
from salix.data.source import group_name
from salix.data.tar_index import batch_rows
from salix.data.tar_members import MAX_NAME
from salix.data.tf_examples import FeatureValues, parse_example
from salix.optional import import_extra
from salix.typing import InputError

PREFIX = "array_record:"
MODULE = "array_record.python.array_record_module"
IMAGES = ("image", "image/encoded")  # usual names of the feature with an encoded image
LABEL, GROUP, MASK = "label", "group", "map"
ROWS = 1 << 14  # of one record batch
_NAME = re.compile(r"\.array_record(-(\d+|\{\d+\.\.\d+\})-of-\d+)?$", re.IGNORECASE)


def is_record_file(name: str) -> bool:
    """Whether a file's name is that of an ArrayRecord file, `toy-train.array_record-00000-of-…`."""
    return _NAME.search(name) is not None


def index_records(path: Path) -> list[Any]:
    """Return the rows of a file, record batches of `salix.data.tar_index.schema()`.

    `key` is the position in the file, `id` the record's own. A record that cannot be read has its
    position alone. Raises `InputError` for a file that cannot be opened.
    """
    reader = record_reader(path)
    batches, rows = [], []
    for position in range(reader.num_records()):
        rows.append(_row(path, position))
        if len(rows) == ROWS:
            batches.append(batch_rows(rows))
            rows = []
    return [*batches, batch_rows(rows)] if rows else batches


def read_record(path: Path, position: int) -> Mapping[str, FeatureValues]:
    """Return the features of a record by name; raises `Unreadable`."""
    try:
        (record,) = record_reader(path).read([position])
        if len(record) > MAX_FILE:
            raise Unreadable(f"record of {len(record) / 1e6:,.0f} MB: over {MAX_FILE / 1e6:,.0f}")
        return parse_example(record)
    except (Unreadable, MemoryError):
        raise
    except InputError as error:  # a file that was changed since it was opened
        raise Unreadable(str(error)) from None
    except Exception as error:  # the reader raises RuntimeError for a hash that differs, and others
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise Unreadable(f"its record: {reason}"[:200]) from None


def record_reader(path: Path) -> Any:
    """Return the reader of a file, one for all threads of a process.

    Raises `InputError` for a file that is damaged, truncated or of another format.
    """
    try:
        with open_file(path):
            status = path.stat()
    except (Unreadable, OSError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    return _reader(str(path), status.st_size, status.st_mtime_ns)


@lru_cache(1024)
def _reader(path: str, size: int, time: int) -> Any:
    module = import_extra(MODULE, "array_record", "array-record")
    check_chunks(Path(path), size)
    reader = module.ArrayRecordReader(path)
    if not reader.ok():
        raise InputError(f"{path} {DAMAGED}")
    return reader


def _row(path: Path, position: int) -> tuple[Any, ...]:
    """Return the row of a record: its annotations, and whether it has a reference mask."""
    key = f"{position:08d}"
    try:
        features = read_record(path, position)
    except Unreadable:  # the reason comes when its image is read
        return key, None, None, None, None, 0, 0, -1, 0
    try:
        label = plain_label(_scalar(features, LABEL))
    except InputError as error:
        raise InputError(f"{path}, record {position}: {error}") from None
    if isinstance(label, int) and label < 0:  # unknown, as TensorFlow Datasets writes it
        label = None
    name, index = (None, label) if isinstance(label, int) else (label, None)
    id, group = next(_keys(features), None), group_name(_scalar(features, GROUP))
    return key, id, name, index, group, 0, 0, 0 if features.get(MASK) else -1, 0


def _keys(features: Mapping[str, FeatureValues]) -> Iterator[str]:
    """Yield what may be the id of a record."""
    for name in KEYS:
        value = _scalar(features, name)
        if isinstance(value, str | int) and 0 < len(str(value)) <= MAX_NAME:
            yield str(value)


def _scalar(features: Mapping[str, FeatureValues], name: str) -> str | int | float | None:
    """Return the only value of a feature, bytes as text; None where it has none or several."""
    values = features.get(name, ())
    if len(values) != 1:
        return None
    value = values[0]
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
