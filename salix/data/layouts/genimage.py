"""GenImage: images of several generators, each beside photographs of ImageNet."""

import re
from pathlib import Path

from salix.data.image_paths import id_of
from salix.data.layouts.entries import Entry, Listed
from salix.data.layouts.walk import files_below
from salix.typing import InputError

_PATH = re.compile(r"(?:(?P<generator>.+)/)?(?P<split>train|val|test)/(?P<label>ai|nature)/.+")


def list_genimage(root: Path, part: str) -> Listed:
    """Return the images `GENERATOR/{train,val}/{ai,nature}/*`, of all generators or of one.

    The root is the folder of the generators, or of one of them. `ai` is fake, `nature` real. `part`
    is a split, a generator, or both, `val/Midjourney`.

    https://github.com/GenImage-Dataset/GenImage
    """
    files = files_below(root)
    matches = [m for file in files if (m := _PATH.fullmatch(file))]
    if not matches:
        raise InputError(
            f"genimage:{root}: no image is in GENERATOR/val/ai or GENERATOR/val/nature, but "
            f"{id_of(files[0])}: unpack the parts of the data set"
        )
    known = {m["split"] for m in matches} | {m["generator"] for m in matches if m["generator"]}
    for word in filter(None, _words(part, known)):
        if word not in known:
            names = ", ".join(sorted(map(id_of, known)))
            raise InputError(f"genimage:{root} has no {word!r}: give one of {names}")
        matches = [m for m in matches if word in (m["split"], m["generator"])]
    if not matches:
        raise InputError(f"genimage:{root}: no image is in {part}: check the part")
    return Listed([Entry(m[0], m["label"]) for m in matches], class_of)


def class_of(name: str) -> str:
    """Return "fake" for `ai`, "real" for `nature`."""
    return "fake" if name == "ai" else "real"


def _words(part: str, known: set[str]) -> list[str]:
    """Return the split and the generator of a part, whose name may have slashes."""
    first, _, rest = part.partition("/")
    return [part] if part in known else [first, rest]
