"""Listing of the images below a remote folder, or of those that a pattern with `*` names."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from salix.data.decode import Unreadable
from salix.data.filesystems import attempt, filesystem
from salix.data.image_paths import SUFFIXES, is_passed_over, suffix_of
from salix.data.listing import describe_suffixes
from salix.data.notes import note, printable
from salix.data.shard_paths import is_shard
from salix.data.url import Url
from salix.typing import InputError

DEPTH = 20  # folders below each other on a web server, whose links may go round in circles


def list_images(root: Url) -> tuple[Url, list[str]]:
    """Return a folder and the paths of the images below it, relative to it.

    Files count by their suffix. Names that begin with a dot, lead out of the folder or have control
    characters are passed over; other files are logged on one line. Raises `InputError` where
    nothing can be listed or nothing is an image.
    """
    pattern = "*" in root.path
    folder = root
    while "*" in folder.path:
        folder = folder.parent
    files, suffixes = [], Counter()
    for name in _names(root, folder, pattern=pattern):
        if "?" in name and folder.protocol.startswith("http"):  # ways to sort a list
            continue
        if any(p in ("", ".", "..") or is_passed_over(p) for p in name.split("/")):
            continue
        if printable(name) != name:
            suffixes["with control characters"] += 1
        elif (suffix := suffix_of(name)) in SUFFIXES:
            files.append(name)
        else:
            suffixes[suffix] += 1
    line = describe_suffixes(suffixes)
    if not files:
        raise InputError(
            f"{root} has no image (of {', '.join(SUFFIXES)}): check the address"
            + f"; {line}" * bool(line)
        )
    if line:
        note(f"{folder.name}: {line}")
    return folder, files


def list_shards(folder: Url) -> Sequence[Url]:
    """Return the tar files in a remote folder, sorted; none if it has images or folders too."""
    try:
        files, path = filesystem(folder)
        infos = attempt(folder, lambda: files.ls(path, detail=True))
    except Unreadable as error:
        raise InputError(f"{folder} cannot be listed: {error}") from None
    base = path.rstrip("/") + "/"
    names = {i["name"].removeprefix(base).rstrip("/"): i["type"] for i in infos}
    if any(
        kind == "directory" or suffix_of(name) in SUFFIXES
        for name, kind in names.items()
        if not is_passed_over(name)
    ):
        return ()
    return tuple(folder / name for name in sorted(names) if is_shard(name))


def _names(root: Url, folder: Url, *, pattern: bool) -> list[str]:
    """Return the paths of files, relative to a folder."""
    try:
        files, path = filesystem(root)
        _, base = filesystem(folder)
        files.invalidate_cache()
        if root.protocol.startswith("http") and not pattern:
            names = _walk(root, files, path)
        else:
            names = attempt(root, lambda: files.glob(path) if pattern else files.find(path))
    except Unreadable as error:
        raise InputError(f"{root} cannot be listed: {error}") from None
    base = base.rstrip("/") + "/" if base.strip("/") else base
    return [name.removeprefix(base).lstrip("/") for name in names]


def _walk(root: Url, files: Any, path: str) -> list[str]:
    """Return the files below a folder of a web server; `find` would leave out what fails."""
    names, waiting = [], [(path, DEPTH)]
    while waiting:
        folder, depth = waiting.pop()
        for info in attempt(root, partial(files.ls, folder, detail=True)):
            if info["type"] != "directory":
                names.append(info["name"])
            elif depth > 1 and info["name"].rstrip("/") != folder.rstrip("/"):
                waiting.append((info["name"], depth - 1))
    return names
