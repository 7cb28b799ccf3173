"""Source of the images in a folder; reference masks may belong to them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from salix.data.class_folders import folder_names
from salix.data.content import files_identity
from salix.data.decode import decode
from salix.data.image_paths import SUFFIXES, id_of, path_of
from salix.data.listing import Listing
from salix.data.notes import note
from salix.data.reference_masks import match_reference_masks, read_reference_mask
from salix.data.remote_listing import list_images
from salix.data.text_buffer import Texts
from salix.data.texts import Categories
from salix.data.url import Url, place_of
from salix.typing import InputError


@dataclass(frozen=True)
class Folder:
    """Source of the images in a folder, also a remote one: its sub-folders are the classes.

    Images beside the sub-folders have no class; with `label`, all images have that one. Where the
    folders of a deeper level bear the names of a model's classes, those are the classes, see
    `salix.data.class_labels`. Ids are paths relative to the folder, with forward slashes, sorted by
    code point; bytes that are not UTF-8 are written `\\xe9` in them.

    Links to folders are followed. What `salix.data.listing` leaves out is logged on one line, by
    default on stderr. `files` are paths relative to `root`, in the place of all below it.
    `reference_masks` is a folder of grey images of any size, as `match_reference_masks` assigns
    them; below `root`, it is not a class. Raises `InputError` for a folder without images.
    """

    root: Path | Url
    label: str | None = None
    reference_masks: Path | None = None
    files: Sequence[str] | None = None
    ids: Sequence[str] = field(init=False, repr=False, compare=False)
    mask_files: Sequence[Path | None] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        masks = None if self.reference_masks is None else Path(self.reference_masks)
        object.__setattr__(self, "root", place_of(self.root))
        files = _files_below(self.root, masks) if self.files is None else self.files
        ids = Texts(map(id_of, files))
        del files
        ids = ids.take(ids.order())
        mask_files = None if masks is None else tuple(match_reference_masks(masks, ids))
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "mask_files", mask_files)

    @property
    def labels(self) -> Sequence[str | None]:
        """First folder of each path, as `FolderName`, or `label`."""
        if self.label is not None:
            return Categories.constant(self.label, len(self.ids))
        return folder_names(self.ids)

    @property
    def groups(self) -> Sequence[str | None]:
        """None for each: `Grouped` names them by folders."""
        return Categories.constant(None, len(self.ids))

    def read(self, index: int) -> Any:
        """Decode one file; raises `Unreadable`."""
        return decode(self._path(self.ids[index]))

    @property
    def has_reference_masks(self) -> bool:
        """Whether there is a folder of reference masks."""
        return self.mask_files is not None

    def reference_mask(self, index: int) -> np.ndarray | None:
        """Decode the reference mask of one image, None if it has none; raises `Unreadable`."""
        file = None if self.mask_files is None else self.mask_files[index]
        return None if file is None else read_reference_mask(file)

    def identity(self, *, full: bool = False) -> dict[str, Any]:
        """Digests of the content of images and reference masks."""
        return files_identity(map(self._file, self.ids), self.mask_files, full=full)

    def _file(self, id: str) -> str | Url:
        path = path_of(id)  # as text, which takes less time than a Path
        return self.root / path if isinstance(self.root, Url) else os.path.join(self.root, path)

    def _path(self, id: str) -> Path | Url:
        return self.root / path_of(id)


def _files_below(root: Path | Url, masks: Path | None) -> Sequence[str]:
    """Return the relative paths of the images below `root`, those of the masks left out."""
    if isinstance(root, Url):
        return list_images(root)[1]
    if not root.is_dir():
        raise InputError(
            f"{root} is not a folder: give a folder of images, an image, or a table (.csv, .tsv, "
            ".parquet, .jsonl, .json)"
        )
    listing = Listing(root, exclude=masks)
    line = listing.describe()
    if not listing.files:
        hidden = f"; {listing.hidden} names of dots and systems passed over" * bool(listing.hidden)
        raise InputError(
            f"{root} contains no image (of {', '.join(SUFFIXES)}): check the path"
            + (f"; {line}" if line else "")
            + hidden
        )
    if line:
        note(f"{root.name or root}: {line}")
    return listing.files if os.sep == "/" else [f.replace(os.sep, "/") for f in listing.files]
