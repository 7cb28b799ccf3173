"""Data sets that TensorFlow Datasets has prepared, as a source of images."""

import itertools
import os
import re
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from salix.data.decode import Unreadable, decode
from salix.data.prepared import Get, Run, builder_of, opened, package, runs_of
from salix.typing import InputError

TFDS = "tfds:"
KEYS = ("id", "filename", "file_name", "image/filename")
MEMORY = 2 << 30  # bytes
CHUNK = 1024  # records whose labels one thread reads in a row

_PLACE = re.compile(r"(?P<name>[^:]+(:\d[\d.*]*)?):(?P<split>[^:\d].*)")


def open_dataset(place: str) -> "Dataset":
    """Open `tfds:NAME[/CONFIG][:VERSION]:SPLIT`, for example `tfds:mnist:3.0.1:train[:100]`.

    A version starts with a digit, a split does not; that may be a part (`train[10%:]`), a sum
    (`train+test`) or `all`. Raises `InputError` for other text, and as `Dataset` does.
    """
    parts = _PLACE.fullmatch(place.removeprefix(TFDS))
    if parts is None:
        raise InputError(f"{place!r}: write {TFDS}NAME:SPLIT, for example {TFDS}mnist:train[:100]")
    return Dataset(parts["name"], parts["split"])


@dataclass(frozen=True, eq=False)
class Dataset:
    """A split of a prepared data set, as tensorflow-datasets names both: "mnist", "train[:100]".

    `image`, `label`, `map` and `key` name features: the picture; its class; its reference map, an
    image of any size; an id of the example's own. None takes `label`, `map` and the first of
    `KEYS`, where they are there; "" takes none. Ids are "split/key" or, where there is no key or an
    empty one, "split/position", in the whole split, whatever part is taken. Positions are known
    without reading; labels and keys take one pass over the records, in which no image is decoded.
    A label below zero is unknown.

    Nothing is downloaded or prepared: the data are in `data_dir`, else in TFDS_DATA_DIR, else in
    ~/tensorflow_datasets. TFRecord files take TensorFlow; they, and Parquet files, are held in at
    most `memory` bytes. Raises `InputError` for what is not there or is of another kind, and, once
    ids are asked for, for keys that are repeated.
    """

    name: str
    split: str
    image: str = "image"
    label: str | None = None
    map: str | None = None
    key: str | None = None
    data_dir: Path | str | None = None
    memory: int = MEMORY
    names: Mapping[str, str] = field(init=False, repr=False)  # of the features, by what they are
    classes: Callable[[int], str] = field(init=False, repr=False)
    runs: Sequence[Run] = field(init=False, repr=False)
    get: Get = field(init=False, repr=False)

    def __post_init__(self):
        place = f"{TFDS}{self.name}:{self.split}"
        builder = builder_of(place, self.name, self.data_dir)
        features = builder.info.features
        names = _chosen(place, features, self.image, self.label, self.map, self.key)
        runs = runs_of(place, builder.info.splits, self.split)
        get = opened(place, builder, self.split, runs, tuple(names.values()), self.memory)
        classes = features[names["label"]].int2str if "label" in names else str
        found = {"names": names, "classes": classes, "runs": runs, "get": get}
        for what, value in found.items():
            object.__setattr__(self, what, value)

    @property
    def ids(self) -> Sequence[str]:
        """Stable ids, of the examples' own keys or their positions."""
        return self._ids

    @property
    def labels(self) -> Sequence[str | None]:
        """Name of each example's class, None where it is unknown or its record is broken."""
        return self._labels

    @property
    def has_reference_masks(self) -> bool:
        """Whether the examples have reference maps."""
        return "map" in self.names

    def read(self, index: int) -> Any:
        """Decode one image; raises `Unreadable`."""
        return decode(self._file(index, "image"))

    def reference_mask(self, index: int) -> np.ndarray | None:
        """Decode the reference map of one image, None if it has none; raises `Unreadable`."""
        if not self.has_reference_masks or not (file := self._file(index, "map")):
            return None
        try:
            return np.asarray(decode(file).convert("L"))
        except Unreadable as error:
            raise Unreadable(f"its reference mask: {error}") from None

    def _file(self, index: int, of: str) -> bytes:
        name = self.names[of]
        try:
            return self.get(index, (name,))[name] or b""
        except MemoryError:
            raise
        except Exception as error:  # one broken record, of whatever reader, must not end a run
            raise Unreadable(f"its record: {type(error).__name__}: {error}"[:200]) from None

    @cached_property
    def _ids(self) -> list[str]:
        positions = [f"{of}/{i:08d}" for of, first, n in self.runs for i in range(first, first + n)]
        if "key" not in self.names:
            return positions
        splits = itertools.chain.from_iterable([of] * n for of, _, n in self.runs)
        known = zip(positions, splits, self._told, strict=True)
        ids = [f"{of}/{key}" if key else position for position, of, (_, key) in known]
        if len({*ids}) < len(ids):
            first = next(id for id, n in Counter(ids).items() if n > 1)
            raise InputError(
                f"{TFDS}{self.name}: {self.names['key']!r} is repeated, {first} first: take "
                "positions for ids, Dataset(key='')"
            )
        return ids

    @cached_property
    def _labels(self) -> list[str | None]:
        if "label" not in self.names:
            return [None] * sum(run.length for run in self.runs)
        return [label for label, _ in self._told]

    @cached_property
    def _told(self) -> list[tuple[str | None, str]]:
        """Label and key of each example; warns of records that cannot be read."""
        count = sum(run.length for run in self.runs)
        chunks = [range(i, min(i + CHUNK, count)) for i in range(0, count, CHUNK)]
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            parts = pool.map(lambda chunk: [self._tell(i) for i in chunk], chunks)
            told = list(itertools.chain.from_iterable(parts))
        broken = [i for i, of in enumerate(told) if isinstance(of, str)]
        if broken:
            warnings.warn(
                f"{len(broken)} record{'s' * (len(broken) > 1)} of {TFDS}{self.name}:{self.split} "
                f"cannot be read (example {broken[0]}: {told[broken[0]]})",
                stacklevel=4,
            )
        return [(None, "") if isinstance(of, str) else of for of in told]

    def _tell(self, index: int) -> tuple[str | None, str] | str:
        """Return the label and the key of one example, or why they cannot be read."""
        names = tuple(self.names[of] for of in ("label", "key") if of in self.names)
        try:
            found = self.get(index, names)
            number, key = (found.get(self.names.get(of, "")) for of in ("label", "key"))
            label = None if number is None or number < 0 else self.classes(int(number))
        except MemoryError:
            raise
        except Exception as error:  # as in `_file`
            return f"{type(error).__name__}: {error}"[:200]
        if key is None:
            return label, ""
        return label, key.decode(errors="replace") if isinstance(key, bytes) else str(key)


def _chosen(
    place: str, features: Any, image: str, label: str | None, map: str | None, key: str | None
) -> dict[str, str]:
    """Return the names of the features that are the image, the label, the map and the key."""
    of = package().features

    def picture(feature: Any) -> bool:  # one of float32 is packed into RGBA
        return isinstance(feature, of.Image) and feature.np_dtype != np.float32

    def category(feature: Any) -> bool:
        return isinstance(feature, of.ClassLabel)

    def scalar(feature: Any) -> bool:
        plain = isinstance(feature, of.Tensor) and not category(feature) and feature.shape == ()
        return plain and np.dtype(feature.np_dtype).kind in "Oiu"

    found = {}
    for what, given, usual, fits in (
        ("image", image, (), picture),
        ("label", label, ("label",), category),
        ("map", map, ("map",), picture),
        ("key", key, KEYS, scalar),
    ):
        fitting = sorted(name for name, feature in features.items() if fits(feature))
        if given is None:
            given = next((name for name in usual if name in fitting), "")
        elif (given or what == "image") and given not in fitting:
            raise InputError(
                f"{place}: {given!r} is no feature that can be its {what}; give Dataset({what}=) "
                f"one of {', '.join(fitting) or 'another data set'}"
            )
        if given:
            found[what] = given
    return found
