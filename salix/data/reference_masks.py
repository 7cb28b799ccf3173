"""Reference masks in a folder: decoding, and matching to images by name."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from salix.data.decode import Unreadable, decode
from salix.data.image_paths import id_of, without_suffix
from salix.data.listing import Listing
from salix.data.url import Url
from salix.typing import InputError


def read_reference_mask(file: Path | Url) -> np.ndarray:
    """Decode a reference mask, 8-bit grey [h w]; raises `Unreadable`, naming the file."""
    try:
        return np.asarray(decode(file).convert("L"))
    except Unreadable as error:
        raise Unreadable(f"its reference mask {id_of(str(file))}: {error}") from None


def match_reference_masks(root: Path, ids: Sequence[str]) -> list[Path | None]:
    """Return the file of each image's reference mask, None where it has none.

    The mask of an image has the image's id as its path below `root`. Suffixes may differ:
    `fake/a.png` is the mask of `fake/a.jpg`, unless that is an image's own id. Raises `InputError`
    for a folder without reference masks, and for a mask that matches no image or several, or an
    image that matches several masks.
    """
    return match_mask_files(root, Listing(root).files, ids, kind="reference mask")


def match_mask_files(
    root: Path, names: Sequence[str], ids: Sequence[str], *, kind: str
) -> list[Path | None]:
    """Return the file of each image among `names` below `root`, as `match_reference_masks`."""
    files = {id_of(Path(name).as_posix()): root / name for name in names}
    if not files:
        raise InputError(f"{root} contains no {kind}: give a folder of images named as the data's")
    exact = {id: files.pop(id) for id in ids if id in files}
    image_counts = Counter(without_suffix(id) for id in ids if id not in exact)
    by_stem: dict[str, Path] = {}
    for name, path in sorted(files.items()):
        if (stem := without_suffix(name).removesuffix(".npy")) in by_stem:
            raise InputError(
                f"{by_stem[stem]} and {path} are masks of the same image: keep one of them"
            )
        if image_counts[stem] > 1:
            raise InputError(
                f"{path} is the mask of {image_counts[stem]} images: give it the suffix of one"
            )
        by_stem[stem] = path
    if unmatched := sorted(by_stem.keys() - image_counts.keys()):
        raise InputError(
            f"{len(unmatched)} {kind}s in {root} have no image, {unmatched[0]} first: name "
            f"them by the ids of their images, for example {without_suffix(ids[0])}.png"
        )
    return [exact.get(id) or by_stem.get(without_suffix(id)) for id in ids]
