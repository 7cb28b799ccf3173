"""Rows of a layout's entries: frames of videos, in order, with distinct ids."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import groupby
from pathlib import Path

from salix.data.bounds import Unreadable
from salix.data.frame_choice import FORMS, FrameChoice
from salix.data.image_paths import id_of, is_video
from salix.data.layouts.entries import GROUPINGS, Entry, Listed, in_order
from salix.data.layouts.source import LayoutSource
from salix.data.notes import note
from salix.data.text_buffer import Texts
from salix.data.texts import Categories, repeated
from salix.data.videos import VideoInfo, frame_id, probe, pyav
from salix.typing import InputError

DEFAULT = FrameChoice(count=32)  # of a video file; all of a folder of frames
THREADS = 8


def build_source(root: Path, listed: Listed, frames: FrameChoice | None) -> LayoutSource:
    """Return the source of a layout's entries, with the chosen frames of each video.

    Video files give 32 frames by default, folders of frames all of them. A video that cannot be
    opened is one row, skipped with the reason. Raises `InputError` where all files are missing, and
    for a repeated file.
    """
    entries = in_order(listed.entries)
    if not any(os.path.lexists(root / entry.file) for entry in entries):
        raise InputError(
            f"none of the {len(entries)} files is below {root}, for example "
            f"{id_of(entries[0].file)}: give the folder that contains them, --root DIR"
        )
    if any(is_video(entry.file) for entry in entries):
        pyav()
    rows = list(_rows(root, entries, frames))
    ids = Texts(row.file for row in rows)
    if (first := repeated(ids)) is not None:
        raise InputError(f"{root}: {first!r} is listed twice: keep one of them, or choose a split")
    groupings = {by: Categories(getattr(row, by) for row in rows) for by in GROUPINGS}
    groupings = {by: values for by, values in groupings.items() if any(values)}
    masks = Categories(row.mask for row in rows)
    names = labels = Categories(row.label for row in rows)
    if (class_of := listed.class_of) is not None:
        labels = names.mapped(lambda name: None if name is None else class_of(name))
    return LayoutSource(
        root,
        ids,
        names,
        labels,
        groupings,
        masks if any(masks) else None,
        next(iter(groupings), None),
    )


def _rows(root: Path, entries: Sequence[Entry], frames: FrameChoice | None) -> Iterator[Entry]:
    """Yield an entry for each chosen frame and image, with ids in the place of paths."""
    videos = [entry for entry in entries if is_video(entry.file)]
    with ThreadPoolExecutor(THREADS, thread_name_prefix="salix-probe") as pool:
        probes = dict(
            zip(
                (entry.file for entry in videos),
                pool.map(partial(_probe, root), (entry.file for entry in videos)),
                strict=True,
            )
        )
    failed = [file for file, info in probes.items() if info is None]
    if failed:
        note(
            f"{len(failed)} of {len(videos)} videos cannot be opened, {failed[0]} first: each is a "
            "row in skipped with the reason"
        )
    for video, members in groupby(entries, key=lambda entry: entry.video):
        images = []
        for entry in members:
            if is_video(entry.file):
                yield from _frames(entry, probes[entry.file], frames or DEFAULT)
            else:
                images.append(entry)
        if frames is not None and video is not None and images:
            try:
                positions = frames.of(video, len(images), None)
            except ValueError:
                raise InputError(
                    f"--frames {frames.rate:g}fps: {video} is a folder of frames without times: "
                    f"give another of {FORMS}"
                ) from None
            images = [images[position] for position in positions]
        yield from (e._replace(file=id_of(e.file), mask=e.mask and id_of(e.mask)) for e in images)


def _probe(root: Path, file: str) -> VideoInfo | None:
    try:
        return probe(root / file)
    except Unreadable:
        return None


def _frames(entry: Entry, info: VideoInfo | None, frames: FrameChoice) -> Iterator[Entry]:
    """Yield an entry for each chosen frame of a video; one, the first, where it cannot be read."""
    file, mask = id_of(entry.file), entry.mask and id_of(entry.mask)
    try:
        positions = [0] if info is None else frames.of(entry.file, info.frames, info.rate)
    except ValueError:
        positions = [0]
    for position in positions:
        rate = None if info is None else info.rate
        frame_mask = frame_id(mask, position, None) if mask and is_video(mask) else mask
        yield entry._replace(file=frame_id(file, position, rate), mask=frame_mask)
