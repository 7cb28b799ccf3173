"""Rows of JSON: one object a line, or a list of objects."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, Any

from salix.data.bounds import MAX_FILE
from salix.data.table_text import Encoding, lines, open_text


def read(
    open_file: Callable[[], IO[bytes]], encoding: Encoding, *, lines: bool
) -> tuple[Sequence[str], Iterable[tuple[int, Sequence[Any]]]]:
    """Return all keys of the objects in a file, and the rows of their values.

    A file of lines is read twice, and never held in memory. Raises `ValueError`.
    """
    if lines:
        header: dict[str, None] = {}
        for _, item in _objects(open_file, encoding):
            header |= dict.fromkeys(item)
        return [*header], _rows(_objects(open_file, encoding), [*header])
    with open_text(open_file, encoding, newline="\n") as text:
        content = text.read(MAX_FILE + 1)
    if len(content) > MAX_FILE:
        raise ValueError(f"it has over {MAX_FILE / 1e6:,.0f} MB: give an object a line, .jsonl")
    objects = json.loads(content)
    if not isinstance(objects, list):
        raise ValueError('expected a list of objects, [{"path": "a.png", "label": "real"}]')
    for number, item in enumerate(objects, 1):
        _check(item, "row", number)
    header = dict.fromkeys(key for item in objects for key in item)
    return [*header], _rows(enumerate(objects, 1), [*header])


def _objects(
    open_file: Callable[[], IO[bytes]], encoding: Encoding
) -> Iterator[tuple[int, dict[str, Any]]]:
    with open_text(open_file, encoding, newline="\n") as text:
        for number, line in enumerate(lines(text), 1):
            if line.strip():
                item = json.loads(line)
                _check(item, "line", number)
                yield number, item


def _rows(
    objects: Iterable[tuple[int, dict[str, Any]]], header: Sequence[str]
) -> Iterator[tuple[int, Sequence[Any]]]:
    for number, item in objects:
        yield number, [item.get(key) for key in header]


def _check(item: Any, unit: str, number: int) -> None:
    if not isinstance(item, dict):
        raise ValueError(
            f'{unit} {number} is no object, expected {{"path": "a.png", "label": "real"}}'
        )
