"""Patterns over names of arrays, as a shell's: * and ? also match dots."""

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

from salix.models.checkpoints.errors import printable
from salix.typing import InputError

__all__ = ["matched"]


def matched(
    patterns: Sequence[str], names: Collection[str], option: str, owner: str
) -> frozenset[str]:
    """Return the names that match one of some patterns.

    Raises InputError for a pattern that matches none, with names that are near: `option` is the
    patterns' option on the command line, `owner` whose names these are.
    """
    matches: set[str] = set()
    for pattern in patterns:
        fitting = [name for name in names if fnmatchcase(name, pattern)]
        if not fitting:
            raise InputError(
                f"{option} {printable(pattern)!r} matches no name in {owner}: it has "
                f"{_examples(pattern, names)}; salix inspect lists all"
            )
        matches.update(fitting)
    return frozenset(matches)


def _examples(pattern: str, names: Collection[str]) -> str:
    """Return up to three names, those first that contain a part of the pattern."""
    parts = [part for part in pattern.replace("*", ".").replace("?", ".").split(".") if part]
    # in some formats the order of a file is random
    ordered = sorted(names, key=lambda name: (-sum(part in name for part in parts), name))
    shown = ", ".join(map(printable, ordered[:3]))
    return f"{shown} and {len(ordered) - 3} more" if len(ordered) > 3 else shown or "none"
