"""Celeb-DF, versions 1 and 2."""

import re
from pathlib import Path

from salix.data.image_paths import id_of
from salix.data.layouts.clips import celebdf_clip
from salix.data.layouts.entries import Entry, Listed
from salix.data.layouts.walk import files_below
from salix.data.notes import note
from salix.typing import InputError

FOLDERS = ("Celeb-real", "YouTube-real", "Celeb-synthesis")
TESTING = "List_of_testing_videos.txt"
_PATH = re.compile(
    r"(?P<folder>Celeb-real|YouTube-real|Celeb-synthesis)/(?:(?:videos|frames)/)?"
    r"(?P<name>[^/]+?)(?:/[^/]+|\.[^./]+)"
)


def list_celebdf(root: Path, part: str) -> Listed:
    """Return the clips of Celeb-DF: `Celeb-real/*.mp4`, `YouTube-real`, `Celeb-synthesis`.

    Labels are the folders. Frames may stand for videos, `Celeb-real/frames/id0_0000/*.png`, as
    DeepfakeBench writes them. `part` is `test`, the videos of `List_of_testing_videos.txt`, or
    `train`, all others. The number in front of each line of that list is not used: its 1 is real,
    the opposite of most code. https://github.com/yuezunli/celeb-deepfakeforensics
    """
    files = files_below(root, folders=FOLDERS)
    matches = [m for file in files if (m := _PATH.fullmatch(file))]
    if part not in ("", "test", "train"):
        raise InputError(f"celebdf:{root} has no {part!r}: give test or train")
    if part:
        testing = testing_videos(root)
        present = {(m["folder"], m["name"]) for m in matches}
        if missing := testing - present:
            first = "/".join(min(missing))
            note(f"{TESTING}: {len(missing)} of {len(testing)} videos are missing, {first} first")
        matches = [m for m in matches if ((m["folder"], m["name"]) in testing) == (part == "test")]
    if not matches:
        raise InputError(
            f"celebdf:{root}: no video of {part or 'it'} is there, but {id_of(files[0])}"
        )
    entries = []
    framed = {m["folder"] for m in matches if "/frames/" in m[0]}
    for match in matches:
        if match["folder"] in framed and "/frames/" not in match[0]:
            continue
        source, identity = celebdf_clip(match["name"])
        video = f"{match['folder']}/{match['name']}"
        entries.append(Entry(match[0], match["folder"], video, source, identity))
    return Listed(entries, class_of)


def class_of(name: str) -> str:
    """Return "fake" for the folder of syntheses, "real" for the others."""
    return "fake" if name == "Celeb-synthesis" else "real"


def testing_videos(root: Path) -> set[tuple[str, str]]:
    """Return the folder and name of each video of the list of testing videos."""
    file = root / TESTING
    try:
        lines = [line.split() for line in file.read_text().splitlines() if line.strip()]
        paths = [Path(line[-1].replace("\\", "/")) for line in lines]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}") from None
    videos = {(path.parts[-2], path.stem) for path in paths if len(path.parts) > 1}
    if not videos or any(folder not in FOLDERS for folder, _ in videos):
        raise InputError(f"{file} has other lines than `1 YouTube-real/00170.mp4`: restore it")
    return videos
