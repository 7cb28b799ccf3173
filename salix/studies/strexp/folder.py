"""Images of words in a folder of the user's, with or without their true words."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from salix.data.bounds import Unreadable
from salix.data.decode import decode, suffixes
from salix.models.recognisers import HEIGHT, WIDTH
from salix.studies.strexp.words import WordImage
from salix.typing import InputError

TABLE = "words.csv"


def folder_words(
    folder: Path, *, stretched: bool
) -> tuple[tuple[WordImage, ...], tuple[tuple[str, str], ...]]:
    """Return the images of a folder, and the name and reason of each file that is not readable.

    `words.csv` in it, with the columns file and word, has the true words; without it they are not
    known. A row of it without an image of the folder is among the files that are not readable.
    Images are fitted to 32 x 128: stretched, or in their own shape with the level of their edge
    beside them. Raises `InputError` for a folder without images of words, and for a damaged table.
    """
    files = sorted(p for p in folder.glob("*") if p.suffix.lower()[1:] in suffixes())
    if not files:
        raise InputError(f"{folder} has no images: give a folder of files such as word.png")
    truths = _read_table(folder / TABLE)
    images, skipped = [], []
    for path in files:
        try:
            pixels = _fit(path, stretched)
        except (OSError, Unreadable) as error:
            skipped.append((path.name, f"not a readable image ({error})"))
            continue
        if np.ptp(pixels) == 0:
            skipped.append((path.name, "an image of one level, without text"))
            continue
        images.append(WordImage(path.name, "folder", truths.get(path.name, ""), pixels))
    if not images:
        name, reason = skipped[0]
        raise InputError(f"{folder}: none of {len(files)} images has a word; {name}: {reason}")
    names = {path.name for path in files}
    skipped += [(n, f"a row of {TABLE} without an image") for n in truths if n not in names]
    return tuple(images), tuple(skipped)


def _read_table(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets write a mark
            rows = csv.DictReader(file)
            if not {"file", "word"} <= set(rows.fieldnames or ()):
                columns = ", ".join(rows.fieldnames or ()) or "no columns"
                raise InputError(f"{path} has {columns}: give a first line with file and word")
            return {row["file"]: (row["word"] or "").strip() for row in rows if row["file"]}
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not readable ({error}): save it as CSV in UTF-8") from None


def _fit(path: Path, stretched: bool) -> Any:
    from PIL import Image

    image = decode(path).convert("L")
    own = max(4, min(WIDTH, round(image.width * HEIGHT / image.height)))
    size = (WIDTH, HEIGHT) if stretched else (own, HEIGHT)
    fitted = np.asarray(image.resize(size, Image.Resampling.BILINEAR))
    pixels = np.full((HEIGHT, WIDTH), np.median(fitted[:, -1]), np.uint8)
    pixels[:, : size[0]] = fitted
    return pixels
