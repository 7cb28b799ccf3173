"""The two classes of an audit, from the labels of a source."""

from collections.abc import Sequence

import numpy as np

from salix.data import Source
from salix.data.class_labels import class_indices
from salix.typing import InputError

SPLITS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing"}
# Names of images that are no forgery: their class is the first
GENUINE = {"real", "live", "genuine", "bonafide", "bona fide", "authentic", "original", "pristine"}
SHOWN = 5  # names in a message


def two_classes(
    source: Source, classes: Sequence[str] | None = None, *, model: str = "--classes"
) -> tuple[np.ndarray, tuple[str, str]]:
    """Return the class of each image, 0, 1, or -1 unknown, and the names of the two.

    `classes` are those of a model, or as the user names them; None for the two names that the
    labels have. Raises `InputError` for labels of one class, of more than two, or none at all.
    """
    labels, count = list(source.labels), len(source.ids)
    if all(label is None for label in labels):
        raise InputError(
            f"none of the {count} images has a label: name the classes, --data real=DIR fake=DIR, "
            "or a table with the column label"
        )
    if classes is None:
        names = sorted({str(label).strip() for label in labels if label is not None})
        if len(names) > 1 and {n.casefold() for n in names} <= SPLITS:
            raise InputError(
                f"the folders {', '.join(names)} are parts of a data set, not classes: name the "
                "classes below them, --classes real fake"
            )
        names.sort(key=lambda name: name.casefold() not in GENUINE)
        indices = _plain_indices(labels, names)
    else:
        names = list(classes)
        indices = class_indices(labels, source.ids, names, model=model)
    codes = np.array([-1 if i is None else i for i in indices])
    present = [names[i] for i in np.unique(codes[codes >= 0])]
    if len(names) != 2 or len(present) != 2:
        listed = ", ".join(present[:SHOWN]) + ", …" * (len(present) > SHOWN)
        raise InputError(
            f"the labelled images are of {len(present)} class{'es' * (len(present) != 1)} "
            f"({listed}): an audit compares two, such as real=DIR fake=DIR"
        )
    return codes, (names[0], names[1])


def _plain_indices(labels: Sequence[object], names: Sequence[str]) -> list[int | None]:
    places = {name: i for i, name in enumerate(names)}
    return [None if label is None else places[str(label).strip()] for label in labels]
