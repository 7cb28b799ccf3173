"""Lists of DeepfakeBench: one JSON file for each data set, with the frames of each video."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from salix.data.image_paths import id_of
from salix.data.layouts.clips import celebdf_clip, ffpp_sources
from salix.data.layouts.dfdc import read_json
from salix.data.layouts.entries import Entry, Listed
from salix.data.notes import note
from salix.typing import InputError

DEEPEST = 8  # levels of the JSON
TRIED = 20  # frames by which the root is looked for


class ListedVideo(NamedTuple):
    """One video of a list: the names of its levels, ending with its own, and its frames."""

    names: tuple[str, ...]  # data set, label, split, perhaps a compression, video
    label: str
    frames: list[str]


def list_deepfakebench(file: Path, part: str, root: Path | None) -> tuple[Path, Listed]:
    """Return the root and the frames of a list of DeepfakeBench.

    The JSON is `data set → label → split → [compression →] video → {"label", "frames"}`. Paths of
    frames may be of another system or machine: the longest end of them that exists below `root`
    counts, or below the folder of the list, one above it, or `datasets` or `rgb` in one of these.
    `part` is a split and a compression, `test/c23`; without it the split `test`. Masks are the
    files of the same names in a folder `masks` in the place of `frames`.

    https://github.com/SCLBD/DeepfakeBench: preprocessing/rearrange.py writes the list,
    training/dataset/abstract_dataset.py reads it.
    """
    videos = _of_part(file, list(_videos(file, read_json(file), ())), part)
    paths = [[_parts(file, video, frame) for frame in video.frames] for video in videos]
    sample = [parts for of_video in paths[:TRIED] for parts in of_video[:1]]
    folder, skip = _find_root(file, sample, root)
    files = [["/".join(parts[skip:]) or "/".join(parts) for parts in frames] for frames in paths]
    names = [_clip(frames, video) for frames, video in zip(files, videos, strict=True)]
    sources = ffpp_sources(names)
    entries: dict[str, Entry] = {}
    masks = _MaskFolders(folder)
    for video, frames, name in zip(videos, files, names, strict=True):
        source, identity = celebdf_clip(name)
        for frame in frames:
            entry = Entry(
                frame,
                video.label,
                str(PurePosixPath(frame).parent),
                sources[name] if identity is None else source,
                identity,
                masks.mask_of(frame),
            )
            other = entries.setdefault(frame, entry)
            if other.label != entry.label:
                raise InputError(
                    f"{file}: {id_of(frame)} is both {other.label} and {entry.label}: keep one"
                )
    if not entries:
        raise InputError(f"{file}: the videos of {part or 'the list'} have no frames: extract them")
    return folder, Listed([*entries.values()], class_of)


def class_of(name: str) -> str:
    """Return "real" or "fake" for a label of DeepfakeBench and DF40, other names as they are.

    `FF-real`, `CelebDFv2_real` and `DFDC_Real` are real; `FF-DF`, `DFDCP_FakeB` and `roop_Fake`
    fake.
    """
    plain = name.casefold()
    if re.search(r"(^|[-_])real$", plain):
        return "real"
    return "fake" if re.search(r"(^|[-_])fake[ab]?$|^ff-[a-z0-9]+$", plain) else name


def _videos(file: Path, node: Any, names: tuple[str, ...]) -> Iterator[ListedVideo]:
    """Yield the videos of the JSON, with the names of the levels above."""
    if not isinstance(node, dict) or len(names) > DEEPEST:
        where = " → ".join(names)
        raise InputError(
            f"{file}: {where or 'it'} is no object of DeepfakeBench: expected data set → label → "
            'split → video → {"label", "frames"}'
        )
    if "frames" not in node:
        for name, inner in node.items():
            yield from _videos(file, inner, (*names, name))
        return
    label, frames = node.get("label"), node["frames"]
    if not isinstance(label, str) or not (
        isinstance(frames, list) and all(isinstance(frame, str) and frame for frame in frames)
    ):
        raise InputError(f'{file}: {" → ".join(names)} has no text "label" or no list "frames"')
    yield ListedVideo(names, label, frames)


def _of_part(file: Path, videos: list[ListedVideo], part: str) -> list[ListedVideo]:
    """Return the videos of a split and a compression; of several, those of the split "test"."""
    words = [word for word in part.split("/") if word]
    splits = sorted({video.names[2] for video in videos if len(video.names) > 3})
    compressions = sorted({video.names[3] for video in videos if len(video.names) > 4})
    if len(splits) > 1 and not {*splits} & {*words}:
        if "test" not in splits:
            raise InputError(f"{file} has the splits {', '.join(splits)}: write {file}#{splits[0]}")
        note(f"{file.name}: split test, of {', '.join(splits)}")
        words.append("test")
    for word in words:
        if word not in (*splits, *compressions):
            known = ", ".join((*splits, *compressions)) or "none"
            raise InputError(f"{file} has no split or compression {word!r}: there are {known}")
        level = 2 if word in splits else 3
        videos = [v for v in videos if len(v.names) > level + 1 and v.names[level] == word]
    if not videos:
        raise InputError(f"{file} has no video in {'/'.join(words) or 'it'}: check the list")
    if len(left := sorted({v.names[3] for v in videos if len(v.names) > 4})) > 1:
        raise InputError(
            f"{file} has the compressions {', '.join(left)}, of the same videos: choose one, "
            f"{file}#{'/'.join((*words, left[0]))}"
        )
    return videos


def _parts(file: Path, video: ListedVideo, frame: str) -> tuple[str, ...]:
    """Return the parts of a path of any system, without drive and leading dots."""
    parts = [part for part in frame.replace("\\", "/").split("/") if part not in ("", ".")]
    while parts and (parts[0] == ".." or re.fullmatch(r"[A-Za-z]:", parts[0])):
        parts.pop(0)
    if not parts or ".." in parts or "\0" in frame:
        raise InputError(f"{file}: {' → '.join(video.names)} has the frame {frame!r}: give a path")
    return tuple(parts)


def _find_root(file: Path, paths: Sequence[Sequence[str]], root: Path | None) -> tuple[Path, int]:
    """Return the folder of the frames, and how many parts of their paths to leave out."""
    roots = [root] if root is not None else [*_roots(file.absolute().parent)]
    for folder in roots:
        if not folder.is_dir():
            raise InputError(f"--root {folder} is not a folder: give the one with the data sets")
        for parts in paths:
            for skip in range(max(1, len(parts) - 1)):  # a folder and a file at least
                if os.path.lexists(folder.joinpath(*parts[skip:])):
                    return folder, skip
    first = id_of("/".join(paths[0])) if paths else "none"
    tried = str(root) if root is not None else f"{file.parent} or a folder above it"
    raise InputError(
        f"{file}: no frame of {len(paths)} videos is below {tried}, for example {first}: give the "
        "folder that contains them, --root DIR"
    )


def _roots(folder: Path) -> Iterable[Path]:
    for base in (folder, *list(folder.parents)[:3]):
        for below in ("", "datasets", "datasets/rgb", "rgb"):
            if (base / below).is_dir():
                yield base / below


def _clip(frames: Sequence[str], video: ListedVideo) -> str:
    """Return the name of the clip: the folder of the frames, or that of the list."""
    folder = PurePosixPath(frames[0]).parent.name if frames else ""
    return folder or video.names[-1]


class _MaskFolders:
    """Names of the mask files, of one folder of frames at a time."""

    def __init__(self, root: Path):
        self.root = root
        self.folder, self.names = "", frozenset[str]()

    def mask_of(self, frame: str) -> str | None:
        """Return the mask of a frame, None where there is none."""
        folder, _, name = frame.replace("/frames/", "/masks/").rpartition("/")
        if "/frames/" not in frame:
            return None
        if folder != self.folder:
            self.folder, self.names = folder, frozenset[str]()
            if (self.root / folder).is_dir():
                self.names = frozenset(os.listdir(self.root / folder))
        return f"{folder}/{name}" if name in self.names else None
