"""Folders of Orbax: which step of a manager, and which items of a step, contain arrays."""

import re
from dataclasses import dataclass
from pathlib import Path

from salix.models.checkpoints.errors import printable
from salix.typing import InputError

__all__ = ["OrbaxStep", "find_step", "is_orbax"]

_METADATA = "_METADATA"  # file of the tree of arrays
_FINISHED = "_CHECKPOINT_METADATA"  # file of a checkpoint, whose folders are items, not steps
_UNFINISHED = ".orbax-checkpoint-tmp"  # part of the name of a folder while it is written
_STEP = re.compile(r"(?:.*[._-])?(\d+)")  # 7, 00000007, step_7, checkpoint_7


@dataclass(frozen=True)
class OrbaxStep:
    """Checkpoint of one step: the folders of its items by name, "" for one without items.

    `steps` are the folders of a manager by their step, where it is one of several.
    """

    folder: Path
    items: tuple[tuple[str, Path], ...]
    steps: tuple[Path, ...] = ()


def _items(folder: Path) -> tuple[tuple[str, Path], ...]:
    """Return the folders of arrays in one checkpoint by the names of its items."""
    if (folder / _METADATA).is_file():
        return (("", folder),)
    inner = sorted(p.parent for p in folder.glob(f"*/{_METADATA}") if _UNFINISHED not in str(p))
    if not (folder / _FINISHED).is_file():
        inner = [p for p in inner if not _STEP.fullmatch(p.name)]
    return tuple((p.name, p) for p in inner)


def _steps(folder: Path) -> list[Path]:
    """Return the folders of finished steps, the latest last."""
    if (folder / _FINISHED).is_file():
        return []
    numbered = [
        (int(match[1]), path)
        for path in folder.iterdir()
        if (match := _STEP.fullmatch(path.name)) and path.is_dir() and _items(path)
    ]
    return [path for _, path in sorted(numbered)]


def is_orbax(path: Path) -> bool:
    """Return whether a folder is of Orbax: a checkpoint, a manager's, or an unfinished one."""
    if _UNFINISHED in path.name or any(path.glob(f"*{_UNFINISHED}*")):
        return True
    return (path / _FINISHED).is_file() or bool(_items(path) or _steps(path))


def find_step(path: Path) -> OrbaxStep:
    """Return the checkpoint in a folder, of a manager's the latest step.

    Raises InputError, without the name of the folder, for a checkpoint that is not finished and
    for a folder without one.
    """
    if _UNFINISHED in path.name:
        raise InputError("is an unfinished Orbax checkpoint: name the folder of an earlier step")
    steps = _steps(path)
    if steps:
        return OrbaxStep(steps[-1], _items(steps[-1]), tuple(steps))
    if items := _items(path):
        return OrbaxStep(path, items)
    unfinished = sorted(p.name for p in path.glob(f"*{_UNFINISHED}*"))
    if unfinished:
        raise InputError(f"contains one unfinished Orbax checkpoint, {printable(unfinished[-1])}")
    if (path / _FINISHED).is_file():
        raise InputError("is an Orbax checkpoint without arrays, or an unfinished one")
    raise InputError("not an Orbax checkpoint")
