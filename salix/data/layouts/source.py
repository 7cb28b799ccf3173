"""Source of the images and frames that a layout lists."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from salix.data.content import files_identity
from salix.data.decode import Unreadable, decode
from salix.data.image_paths import path_of
from salix.data.reference_masks import read_reference_mask
from salix.data.texts import Categories
from salix.data.video_frames import read_frame
from salix.data.videos import split_frame_id
from salix.typing import InputError

WINDOW = 64  # rows before and after a frame that threads may ask for at the same time


@dataclass(frozen=True, eq=False)
class LayoutSource:
    """Images and frames of a data set, with the names, masks and groups that its layout gives.

    Ids are paths relative to `root`, absolute outside of it; those of frames have their position
    and time, see `frame_id`. `names` are labels as the data set gives them, `labels` the classes
    that they stand for. `groupings` has the names of the groups for "video", "source" and
    "identity", where the layout has them, and `by` is the one in use. `prefix` begins their names.
    """

    root: Path
    ids: Sequence[str]
    names: Sequence[str | None]
    labels: Sequence[str | None]
    groupings: Mapping[str, Sequence[str | None]]
    masks: Sequence[str | None] | None = None
    by: str | None = None
    prefix: str = ""
    groups: Sequence[str | None] = field(init=False, repr=False)

    def __post_init__(self):
        values = self.groupings.get(self.by or "", Categories.constant(None, len(self.ids)))
        prefix = self.prefix
        groups = Categories(None if value is None else f"{prefix}{value}" for value in values)
        object.__setattr__(self, "groups", groups)

    def grouped(self, by: str) -> "LayoutSource":
        """Return the source grouped by "video", "source" or "identity"; raises `InputError`."""
        if by not in self.groupings:
            raise InputError(
                f"--group-by {by}: {self.root} names no {by}: give one of "
                f"{', '.join(self.groupings) or 'the folder levels, such as -1'}"
            )
        return replace(self, by=by)

    def read(self, index: int) -> Any:
        """Decode one image or frame; raises `Unreadable`."""
        file, frame, _ = split_frame_id(self.ids[index])
        path = self.root / path_of(file)
        return decode(path) if frame is None else read_frame(path, frame, self._near(index, file))

    @property
    def has_reference_masks(self) -> bool:
        """Whether any image has a reference mask."""
        return self.masks is not None

    def reference_mask(self, index: int) -> np.ndarray | None:
        """Decode the reference mask of one image, None if it has none; raises `Unreadable`."""
        mask = None if self.masks is None else self.masks[index]
        if mask is None:
            return None
        file, frame, _ = split_frame_id(mask)
        if frame is None:
            return read_reference_mask(self.root / path_of(file))
        from PIL import Image

        own = split_frame_id(self.ids[index])[0]
        try:
            pixels = read_frame(self.root / path_of(file), frame, self._near(index, own))
        except Unreadable as error:
            raise Unreadable(f"its reference mask {file}: {error}") from None
        return np.asarray(Image.fromarray(pixels).convert("L"))

    def identity(self, *, full: bool = False) -> dict[str, Any]:
        """Digests of the content of images, videos and reference masks."""
        masks = None if self.masks is None else _files(self.root, self.masks)
        return files_identity(_files(self.root, self.ids), masks, full=full)

    def _near(self, index: int, file: str) -> list[int]:
        """Return the positions of the frames of a video in the rows around one."""
        rows = self.ids[max(0, index - WINDOW) : index + WINDOW + 1]
        frames = (split_frame_id(id) for id in rows)
        return [frame for other, frame, _ in frames if other == file and frame is not None]


def _files(root: Path, ids: Sequence[str | None]) -> Iterator[Path | None]:
    """Yield the file of each image, and that of each video once."""
    last = None
    for id in ids:
        file, frame, _ = (None, None, None) if id is None else split_frame_id(id)
        if frame is None or file != last:
            yield None if file is None else root / path_of(file)
        last = file
