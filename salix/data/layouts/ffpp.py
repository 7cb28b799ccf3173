"""FaceForensics++ as its download script and DeepfakeBench's preprocessing write it."""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from salix.data.image_paths import id_of, is_video
from salix.data.layouts.clips import ffpp_sources
from salix.data.layouts.entries import Entry, Listed
from salix.data.layouts.walk import files_below
from salix.data.notes import note
from salix.typing import InputError

REAL = ("youtube", "actors")
SPLITS = ("train", "val", "test")
FOLDERS = ("original_sequences", "manipulated_sequences")
_PATH = re.compile(
    r"(?P<folder>(?P<kind>original|manipulated)_sequences/(?P<method>[^/]+))"
    r"/(?!masks/)(?P<compression>[^/]+)"
    r"/(?P<form>videos|frames|images)/(?P<name>[^/]+?)(?P<frame>/[^/]+|\.[^./]+)"
)
_MASK = re.compile(
    r"(?P<folder>manipulated_sequences/[^/]+)(/c\d+|/raw)?/masks/(videos/|frames/|images/)?"
    r"(?P<name>[^/]+?)(?P<frame>/[^/]+|\.[^./]+)"
)


class Clip(NamedTuple):
    """One file of the data set: a video, or a frame of one."""

    file: str
    folder: str  # up to the method
    kind: str
    method: str
    compression: str
    form: str  # videos, frames or images
    name: str  # of the video
    frame: str  # the frame's file, or the video's suffix


def list_ffpp(root: Path, part: str) -> Listed:
    """Return the clips of FaceForensics++, with masks where they stand beside.

    `original_sequences/{youtube,actors}/c23/videos/*.mp4` are real, those of
    `manipulated_sequences/METHOD` fake; labels are `youtube`, `actors` and the methods. Frames
    (`frames/NAME/*.png`, `images/NAME/*.png`) are taken rather than the videos of one method.
    Masks are `METHOD/masks/videos/NAME.mp4` of the download and `METHOD/c23/masks/NAME/*.png` of
    DeepfakeBench, of the same names as the frames. `part` is a compression, a split, or both,
    `test/c23`; splits are the lists of pairs of the project, `test.json` in the root or in
    `splits`.

    https://github.com/ondyari/FaceForensics/tree/master/dataset
    """
    files = files_below(root, folders=FOLDERS)
    clips = [Clip(file, **m.groupdict()) for file in files if (m := _PATH.fullmatch(file))]
    if not clips:
        raise InputError(
            f"{root} is not FaceForensics++: no file such as "
            f"original_sequences/youtube/c23/videos/000.mp4 is in it, but {id_of(files[0])}"
        )
    clips = _of_part(root, clips, part.split("/") if part else [])
    framed = {clip.folder for clip in clips if clip.form != "videos"}
    if doubled := sorted({c.folder for c in clips if c.form == "videos"} & framed):
        note(f"{root.name}: frames rather than videos of {', '.join(map(id_of, doubled))}")
    clips = [clip for clip in clips if (clip.form != "videos") == (clip.folder in framed)]
    masks = {
        (m["folder"], m["name"], _frame(m["frame"])): file
        for file in files
        if (m := _MASK.fullmatch(file))
    }
    sources = ffpp_sources({clip.name for clip in clips})
    entries = [
        Entry(
            clip.file,
            clip.method,
            f"{clip.folder}/{clip.compression}/{clip.form}/{clip.name}",
            sources[clip.name],
            mask=masks.get((clip.folder, clip.name, _frame(clip.frame))),
        )
        for clip in clips
    ]
    return Listed(entries, class_of)


def class_of(name: str) -> str:
    """Return "real" for `youtube` and `actors`, "fake" for a method."""
    return "real" if name in REAL else "fake"


def _frame(text: str) -> str:
    """Return the name of a frame without folder and suffix, "" for a video."""
    return "" if is_video(f"x{text}") and not text.startswith("/") else text[1:].partition(".")[0]


def _of_part(root: Path, clips: Sequence[Clip], parts: Iterable[str]) -> list[Clip]:
    """Return the clips of one compression and split; raises `InputError` for several."""
    compressions = sorted({clip.compression for clip in clips})
    for part in parts:
        if part in SPLITS:
            names = split_names(root, part)
            clips = [c for c in clips if c.name in names or not re.match(r"\d{3}(_|$)", c.name)]
        elif part in compressions:
            clips = [clip for clip in clips if clip.compression == part]
        else:
            known = ", ".join((*compressions, *SPLITS))
            raise InputError(f"ffpp:{root} has no {part!r}: give one of {known}, or test/c23")
    if len({clip.compression for clip in clips}) > 1:
        raise InputError(
            f"ffpp:{root} has the compressions {', '.join(compressions)}, of the same videos: "
            f"choose one, ffpp:{root}#{compressions[0]}"
        )
    if not clips:
        raise InputError(f"ffpp:{root}: no clip is in {'/'.join(parts)}: check the part")
    return list(clips)


def split_names(root: Path, split: str) -> frozenset[str]:
    """Return the names of the clips of a split, by the project's list of pairs."""
    places = [root / folder / f"{split}.json" for folder in ("", "splits", "dataset/splits")]
    place = next((place for place in places if place.is_file()), None)
    if place is None:
        raise InputError(f"{places[0]} does not exist: put the project's splits/{split}.json there")
    try:
        pairs = json.loads(place.read_text())
        return frozenset(
            name for a, b in pairs for name in (str(a), str(b), f"{a}_{b}", f"{b}_{a}")
        )
    except (ValueError, TypeError, RecursionError, OSError) as error:
        raise InputError(f"{place} is not a list of pairs of clips: {error}") from None
