"""Deepfake Detection Challenge: folders of videos, each with a `metadata.json`."""

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from salix.data.image_paths import id_of
from salix.data.layouts.entries import Entry, Listed
from salix.data.layouts.walk import files_below
from salix.data.notes import note
from salix.typing import InputError

METADATA = "metadata.json"
MAX_LIST = 1_000_000_000  # bytes of a list in JSON


def list_dfdc(root: Path, part: str) -> Listed:
    """Return the videos that the `metadata.json` in the root or in folders below it list.

    `{"a.mp4": {"label": "FAKE", "split": "train", "original": "b.mp4"}}`; the test set has
    `"is_fake": 1` in the place of the label. The source of a fake is its original. Frames may stand
    for videos, `frames/a/*.png` beside the list. `part` is a split of the lists. Videos that are
    missing are left out and counted, for the parts of the challenge are fetched one by one.

    https://ai.meta.com/datasets/dfdc
    """
    lists = sorted(root.glob(METADATA)) or sorted([*root.glob("*/" + METADATA),
                                                   *root.glob("*/*/" + METADATA)])  # fmt: skip
    if not lists:
        raise InputError(f"dfdc:{root}: no {METADATA} is in it or in its folders: give the folder")
    entries: list[Entry] = []
    splits: set[str] = set()
    listed = 0
    files = files_below(root)
    for file in lists:
        folder = file.parent.relative_to(root).as_posix()
        prefix = "" if folder == "." else f"{folder}/"
        clips = _clips(file)
        listed += len(clips)
        splits.update(split for _, split, _ in clips.values() if split)
        for name, path in _places(files, prefix):
            if name not in clips or (part and clips[name][1] != part):
                continue
            label, _, original = clips[name]
            entries.append(Entry(path, label, prefix + name, original or name))
    if not entries:
        known = f": give one of {', '.join(sorted(splits))}" if part else ""
        raise InputError(
            f"dfdc:{root}: none of {listed} listed videos of {part or 'it'} is there{known}"
        )
    there = len({entry.video for entry in entries})
    if not part and there < listed:
        note(f"dfdc:{root}: {listed - there} of {listed} listed videos are missing and left out")
    return Listed(entries, str.casefold)


def _places(files: list[str], prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the name of the video and the path of each video and frame beside a list."""
    for file in files:
        if not file.startswith(prefix):
            continue
        path = PurePosixPath(file.removeprefix(prefix))
        folders = path.parts[:-1]
        if folders in ((), ("videos",)):
            yield path.stem, file
        elif len(folders) == 2 and folders[0] == "frames":
            yield folders[1], file


def _clips(file: Path) -> dict[str, tuple[str, str, str | None]]:
    """Return the label, the split and the original of each video of a list, by its stem."""
    clips = {}
    for name, about in read_json(file).items():
        if not isinstance(about, dict):
            raise InputError(f"{file}: {name!r} is no object with a label: give DFDC's own list")
        label = about.get("label")
        if label is None and about.get("is_fake") in (0, 1):
            label = ("REAL", "FAKE")[about["is_fake"]]
        if str(label).upper() not in ("REAL", "FAKE"):
            raise InputError(f"{file}: the label of {name!r} is {label!r}, expected REAL or FAKE")
        original = about.get("original")
        stem = PurePosixPath(str(original)).stem if original and original != "NaN" else None
        clips[PurePosixPath(name).stem] = (str(label), str(about.get("split") or ""), stem)
    return clips


def read_json(file: Path) -> dict[str, Any]:
    """Read an object of a JSON file; raises `InputError`."""
    try:
        if file.stat().st_size > MAX_LIST:
            raise InputError(f"{file} is over {MAX_LIST:,} bytes: give the list of one data set")
        values = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{id_of(str(file))} cannot be read as JSON: {error}") from None
    if not isinstance(values, dict):
        raise InputError(f"{file} has a {type(values).__name__}, expected an object")
    return values
