"""Folders of any layout, described by a pattern: `ROOT/{split}/{label}/{group}/*.png`."""

import os
import re
from collections import Counter
from pathlib import Path

from salix.data.image_paths import id_of, is_video
from salix.data.layouts.entries import Entry, Listed
from salix.data.layouts.walk import files_below
from salix.data.notes import note
from salix.typing import InputError

FIELDS = ("split", "label", "group", "source", "identity")
_PIECE = re.compile(r"\{(\w*)\}|(\*\*/)|(\*)|(\?)|([{}])")


def split_root(text: str) -> tuple[Path, str]:
    """Return the folder before the first part with a field or wildcard, and the pattern below it.

    Raises `InputError` for a text without a pattern.
    """
    parts = text.replace(os.sep, "/").split("/")
    first = next((i for i, part in enumerate(parts) if re.search(r"[{}*?]", part)), None)
    if first is None:
        raise InputError(
            f"folder:{text} has no pattern: write folder:{text.rstrip('/')}/{{label}}/*.png, with "
            "{label} where the class stands and {group} where the video does"
        )
    root = "/".join(parts[:first]) or ("/" if first and not parts[0] else ".")
    return Path(root).expanduser(), "/".join(parts[first:])


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return the expression of a pattern: fields, `*` and `?` within a folder, `**/` for any.

    Square brackets stand for themselves. Raises `InputError` for other braces, for an unknown field
    and for one that is given twice.
    """
    known = ", ".join(f"{{{field}}}" for field in FIELDS)
    pieces, end, fields = [], 0, []
    for match in _PIECE.finditer(pattern):
        pieces.append(re.escape(pattern[end : match.start()]))
        end = match.end()
        field, folders, star, _, brace = match.groups()
        if brace or (field is not None and field not in FIELDS):
            raise InputError(f"folder: {pattern!r} has {match[0]!r}: the fields are {known}")
        if field is not None and field in fields:
            raise InputError(f"folder: {pattern!r} has {match[0]} twice: give each field once")
        if field is not None:
            fields.append(field)
            pieces.append(f"(?P<{field}>[^/]+?)")
        else:
            pieces.append("(?:[^/]+/)*" if folders else "[^/]*" if star else "[^/]")
    if ".." in pattern.split("/"):
        raise InputError(f"folder: {pattern!r} has ..: give the folder itself before the pattern")
    return re.compile("".join(pieces) + re.escape(pattern[end:]))


def list_pattern(root: Path, pattern: str, split: str) -> Listed:
    """Return the images and videos below a folder that match a pattern.

    `{label}` is the class; `{group}` the video, named by the whole path up to it, so that
    `real/033` and `fake/033` are two; `{source}` and `{identity}` are names that several videos
    share. With `split`, only the files with that `{split}`. Raises `InputError` where no file
    matches.
    """
    expression = compile_pattern(pattern)
    fields = expression.groupindex
    if split and "split" not in fields:
        raise InputError(f"folder: {pattern!r} has no {{split}}, and #{split} names one")
    entries: list[Entry] = []
    splits: Counter[str] = Counter()
    others: list[str] = []
    for file in files_below(root):
        match = expression.fullmatch(file)
        if match is None:
            others.append(file)
            continue
        values = match.groupdict()
        splits[values.get("split") or ""] += 1
        if split and values["split"] != split:
            continue
        entries.append(
            Entry(
                file,
                values.get("label"),
                _video(file, match),
                values.get("source"),
                values.get("identity"),
            )
        )
    _check(root, pattern, split, entries, splits, others)
    return Listed(entries)


def _video(file: str, match: re.Match[str]) -> str | None:
    """Return the path of the folder or file in whose name the group stands."""
    if "group" not in match.re.groupindex:
        return file if is_video(file) else None
    end = file.find("/", match.end("group"))
    return file if end < 0 else file[:end]


def _check(
    root: Path,
    pattern: str,
    split: str,
    entries: list[Entry],
    splits: Counter[str],
    others: list[str],
) -> None:
    """Log the files that do not match; raises `InputError` where none does."""
    if not splits:
        raise InputError(
            f"{root}: none of {len(others)} images and videos matches {pattern}, for example "
            f"{id_of(min(others))}: write the pattern of such a path, ** for any folders"
        )
    if not entries:
        names = ", ".join(sorted(map(id_of, splits))[:10])
        raise InputError(f"{root} has no split {split!r}: give one of {names}")
    if others:
        total = len(others) + splits.total()
        note(f"{root.name or root}: {len(others)} of {total} files do not match {pattern}, for "
             f"example {min(others)}")  # fmt: skip
    if "label" not in compile_pattern(pattern).groupindex:
        note(
            f"{pattern} has no {{label}}: its images have no class, unless CLASS=folder:… names it"
        )
