"""Label images and .npy arrays of segments in a folder, read as they are."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np

from salix.data.bounds import check_size
from salix.data.decode import Unreadable
from salix.data.listing import Listing
from salix.data.reference_masks import match_mask_files
from salix.data.regular_file import read_file

FORMATS = ("PNG", "TIFF", "BMP", "GIF", "PPM")  # without loss
MODES = ("1", "L", "P", "I;16", "I;16B", "I;16L", "I")


def match_label_files(root: Path, ids: Sequence[str]) -> list[Path | None]:
    """Return the file of each image's labels, matched as `match_reference_masks` does."""
    arrays = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.npy"))
    return match_mask_files(root, [*Listing(root).files, *arrays], ids, kind="segment mask")


def read_labels(file: Path) -> np.ndarray:
    """Read a label image [h w], the indices of a palette as they are, or an .npy array.

    Raises `Unreadable` for anything else: colours and lossy formats are no labels.
    """
    from PIL import Image

    content = read_file(file)
    try:
        if file.suffix.lower() == ".npy":
            return np.load(BytesIO(content), allow_pickle=False)
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            check_size(image, size=len(content), scans=1, sample_bytes=4)
            if image.mode not in MODES:
                raise Unreadable(
                    f"{file.name} is an image of mode {image.mode}: give labels as 8 or 16-bit "
                    "grey or as indices of a palette"
                )
            return np.asarray(image)
    except (Unreadable, MemoryError):
        raise
    except Exception as error:  # as in `decode`
        raise Unreadable(f"{file.name}: {type(error).__name__}: {error}"[:200]) from None
