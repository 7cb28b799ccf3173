"""Index of a tar shard in the layout of webdataset: one row for each key with an image.

Files of one key lie side by side. Of a key `000017`, these count:

| file | contents |
|---|---|
| `000017.jpg`, `.png`, … | the image |
| `000017.cls` | name or index of the class |
| `000017.json` | an object, of which `label`, `group` and `id` count |
| `000017.txt` | the class, where neither `.cls` nor `.json` lies beside it: a caption otherwise |
| `000017.mask.png`, `.mask.jpg`, … | the reference mask |
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from salix.data.class_labels import plain_label
from salix.data.image_paths import SUFFIXES
from salix.data.remote import BinaryFile
from salix.data.source import group_name
from salix.data.tar_members import MAX_NAME, Member, members
from salix.data.url import Url
from salix.typing import InputError

MAX_TEXT = 1 << 20  # bytes of a label or JSON file
TEXTS = ("cls", "json", "txt")
ROWS = 1 << 16  # of one record batch


@cache
def schema() -> Any:
    """Return the schema of an index."""
    import pyarrow as pa

    return pa.schema(
        {
            "key": pa.string(),
            "id": pa.string(),  # of the JSON file
            "name": pa.dictionary(pa.int32(), pa.string()),  # of the class
            "index": pa.int64(),  # of the class
            "group": pa.string(),
            "offset": pa.int64(),
            "size": pa.int64(),
            "mask_offset": pa.int64(),  # -1 without mask
            "mask_size": pa.int64(),
        }
    )


def index_shard(place: Path | Url, file: BinaryFile, left_out: Counter[str]) -> list[Any]:
    """Return the rows of a shard, record batches of `schema()`.

    What has no row is counted in `left_out`. Raises `InputError` for a file twice under one key,
    for a label that is no name or integer, and as `members` does.
    """
    batches: list[Any] = []
    rows: list[tuple[Any, ...]] = []
    for key, files, texts in _examples(place, file, left_out):
        image = next((m for suffix, m in files.items() if suffix in SUFFIXES), None)
        if image is None:
            left_out["keys without image"] += 1
            continue
        mask = next((m for s, m in files.items() if s.startswith("mask.")), Member("", -1, 0))
        id, label, group = _annotations(place, key, texts, left_out)
        name, index = (None, label) if isinstance(label, int) else (label, None)
        rows.append((key, id, name, index, group, *image[1:], *mask[1:]))
        if len(rows) == ROWS:
            batches.append(batch_rows(rows))
            rows = []
    return [*batches, batch_rows(rows)] if rows else batches


def batch_rows(rows: list[tuple[Any, ...]]) -> Any:
    """Return rows of `schema()` as a record batch."""
    import pyarrow as pa

    columns = zip(*rows, strict=True)
    arrays = [
        pa.array(column, pa.string()).dictionary_encode()
        if pa.types.is_dictionary(field.type)
        else pa.array(column, field.type)
        for field, column in zip(schema(), columns, strict=True)
    ]
    return pa.record_batch(arrays, schema=schema())


def _examples(
    place: Path | Url, file: BinaryFile, left_out: Counter[str]
) -> Iterator[tuple[str, Mapping[str, Member], Mapping[str, bytes]]]:
    """Yield each key, its files by suffix, and the contents of its texts."""
    current, files, texts = "", {}, {}
    for member in members(place, file, left_out):
        folder, slash, name = member.name.rpartition("/")
        stem, _, suffix = name.partition(".")
        key, suffix = f"{folder}{slash}{stem}", suffix.lower()
        if key != current:
            if files:
                yield current, files, texts
            current, files, texts = key, {}, {}
        if suffix in files:
            raise InputError(f"{place} has {key}.{suffix} twice: keep one of them")
        files[suffix] = member
        if suffix in TEXTS:
            if member.size > MAX_TEXT:
                left_out[f".{suffix} files over 1 MiB"] += 1
                continue
            file.seek(member.offset)
            texts[suffix] = file.read(member.size)
    if files:
        yield current, files, texts


def _annotations(
    place: Path | Url, key: str, texts: Mapping[str, bytes], left_out: Counter[str]
) -> tuple[str | None, str | int | None, str | None]:
    """Return the id, the label and the group of a key, None where it has none."""
    about: Mapping[str, Any] = {}
    if "json" in texts:
        try:
            about = json.loads(texts["json"])
        except (ValueError, RecursionError):
            about = {}
            left_out["unreadable .json files"] += 1
        if not isinstance(about, dict):
            about = {}
            left_out[".json files without an object"] += 1
    label = about.get("label")
    if "cls" in texts or ("txt" in texts and "json" not in texts):
        label = texts.get("cls", texts.get("txt", b"")).decode("utf-8", "replace").strip()
    try:
        label, group = plain_label(label), group_name(about.get("group"))
    except InputError as error:
        raise InputError(f"{place}, {key}: {error}") from None
    if isinstance(label, int) and not -(1 << 63) <= label < 1 << 63:
        label = str(label)
    id = about.get("id")
    if isinstance(id, bool) or not isinstance(id, str | int) or not 0 < len(str(id)) <= MAX_NAME:
        return None, _text(label), _text(group)
    return _text(str(id)), _text(label), _text(group)


def _text(value: Any) -> Any:
    """Return a text of JSON as UTF-8: its escapes may be halves of characters."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
