"""Labels of images as class indices: names, numbers, and names of folders."""

import re
from collections.abc import Hashable, Sequence
from itertools import islice
from typing import Any

import numpy as np

from salix.data.class_folders import FolderName, match_folders
from salix.data.texts import Categories
from salix.typing import InputError

Label = str | int | None
_INTEGER = re.compile(r"([+-]?\d{1,18})(?:\.0*)?")  # also as a column of floats is written


def plain_labels(values: Any) -> list[Label]:
    """Return labels as names, integers or None for unknown, of any sequence or array.

    Arrays of NumPy, JAX, pandas and others, of integers, texts or objects. NaN and empty texts are
    unknown, floats must be whole. Raises `InputError` for other values.
    """
    if hasattr(values, "__array__"):
        values = np.asarray(values)
        if values.ndim != 1:
            raise InputError(
                f"labels of shape {list(values.shape)}: give one for each image, a name or an "
                "index; of one-hot rows, labels.argmax(1)"
            )
        values = values.tolist()
    return [plain_label(value) for value in values]


def plain_label(value: Any) -> Label:
    """Return one label as a name, an integer, or None for unknown."""
    if getattr(value, "ndim", None) == 0:  # a scalar of NumPy or JAX
        value = value.item()
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, str):
        return value if value.strip() else None
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, float) and (value != value or value.is_integer()):
        return None if value != value else int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    raise InputError(
        f"label {value!r} is a {type(value).__name__}: give the name of a class, or its index"
    )


def class_indices(
    labels: Sequence[Label], ids: Sequence[str], classes: Sequence[str], *, model: str
) -> Categories:
    """Return the index of each image's class, None where unknown.

    Names are compared without case and surrounding spaces. An integer is an index of `classes`; so
    is its text where all texts are integers and no class has such a name. Names of folders are
    matched by `match_folders`. Raises `InputError` for a name that is no class, for an index out of
    range, and for a number that is the name of a class other than that of its index.
    """
    if len(labels) != len(ids):
        raise ValueError(f"{len(labels)} labels for {len(ids)} images")
    if not isinstance(labels, Categories):
        labels = Categories(labels, key=_key)
    counts = list(labels.counts())
    codes = {name.strip().casefold(): i for i, name in enumerate(classes)}
    folders = {label.folders: count for label, count in counts if isinstance(label, FolderName)}
    by_folder = match_folders(folders, codes, classes, model=model) if folders else {}
    texts = {n.strip() for n, _ in counts if isinstance(n, str) and not isinstance(n, FolderName)}
    numbers = not texts & codes.keys() and all(map(_INTEGER.fullmatch, texts))
    indices: dict[Hashable, int | None] = {}
    unknown: dict[Label, int] = {}  # with the number of images
    for label, count in counts:
        if isinstance(label, FolderName):
            index = by_folder[label.folders]
        elif isinstance(label, str) and not numbers:
            index = codes.get(label.strip().casefold())
            if index is None:
                unknown[label] = count
        elif label is None:
            index = None
        else:
            number = _INTEGER.fullmatch(label.strip()) if isinstance(label, str) else None
            index = int(number[1] if number else label)
            if problem := _problem(index, codes, classes):
                id = next(i for i, other in zip(ids, labels, strict=True) if other == label)
                raise InputError(f"label {str(index)[:20]} of {id!r} {problem}")
        indices[_key(label)] = index
    if unknown:
        names = sorted(map(str, unknown))
        listed = ", ".join(names[:5]) + ", …" * (len(names) > 5)
        pairs = ((i, n) for i, n in zip(ids, labels, strict=True) if n in unknown)
        first = ", ".join(f"{id} ({label})" for id, label in islice(pairs, 3))
        raise InputError(
            f"labels {listed} are not classes of {model}: {sum(unknown.values())} images have none "
            f"of the classes {', '.join(classes)}: {first}; give names or indices of the classes, "
            f"name each folder by its class, --data {classes[0]}=DIR, map the names, --labels "
            f"{classes[0]}=NAME,NAME, or use --no-labels"
        )
    return labels.mapped(lambda label: indices[_key(label)])


def _key(label: Any) -> Hashable:
    return type(label), getattr(label, "folders", label)


def _problem(index: int, codes: dict[str, int], classes: Sequence[str]) -> str:
    """Return why a number is no class, "" if it is one."""
    meaning = ", ".join(f"{i} = {name}" for i, name in enumerate(classes[:10]))
    meaning += ", …" * (len(classes) > 10)
    if not 0 <= index < len(classes):
        return (
            f"is not an index of the classes ({meaning}): give 0 to {len(classes) - 1}, names, or "
            "nothing where the class is unknown"
        )
    if codes.get(str(index), index) != index:
        return f"is the name of one class and the index of another ({meaning}): give names, as text"
    return ""
