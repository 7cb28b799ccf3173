"""Source of the images in a data set that TensorFlow Datasets has prepared."""

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
from types import MappingProxyType
from typing import Any

import numpy as np

from salix.data.content import files_identity
from salix.data.decode import Unreadable, decode
from salix.data.features import choose_features
from salix.data.prepared import (
    FeatureReader,
    SplitRange,
    open_builder,
    open_reader,
    split_ranges,
)
from salix.typing import InputError

TFDS = "tfds:"
MEMORY = 2 << 30  # bytes
CHUNK = 1024  # records whose labels one thread reads in a row

_PLACE = re.compile(r"(?P<name>[^:]+(:\d[\d.*]*)?):(?P<split>[^:\d].*)")


def open_dataset(place: str) -> "Dataset":
    """Open `tfds:NAME[/CONFIG][:VERSION]:SPLIT`, for example `tfds:mnist:3.0.1:train[:100]`.

    A version starts with a digit, a split does not. A split may be a part (`train[10%:]`), a sum
    (`train+test`) or `all`. Raises `InputError` for other text, and as `Dataset` does.
    """
    parts = _PLACE.fullmatch(place.removeprefix(TFDS))
    if parts is None:
        raise InputError(f"{place!r}: write {TFDS}NAME:SPLIT, for example {TFDS}mnist:train[:100]")
    return Dataset(parts["name"], parts["split"])


@dataclass(frozen=True, eq=False)
class Dataset:
    """Source of a split of a prepared data set, named as in TFDS: "mnist", "train[:100]".

    `image`, `label`, `map` and `key` name features: the picture; its class; its reference mask, an
    image of any size; the example's own id. None chooses `label`, `map` and the first of
    `salix.data.features.KEYS`, where they exist; "" chooses none. Ids are "split/key" or, without
    a key or with an empty one, "split/position" in the full split, also for a part of it.
    Positions are known without reading; labels and keys take one pass over the records, in which
    no image is decoded. A label below zero is unknown.

    Nothing is downloaded or prepared: the data are in `data_dir`, else in TFDS_DATA_DIR, else in
    ~/tensorflow_datasets. TFRecord files need TensorFlow; they, and Parquet files, are loaded into
    at most `memory` bytes. Raises `InputError` for names that do not exist or are of another kind,
    and, once ids are read, for repeated keys.
    """

    name: str
    split: str
    image: str = "image"
    label: str | None = None
    map: str | None = None
    key: str | None = None
    data_dir: Path | str | None = None
    memory: int = MEMORY
    features: Mapping[str, str] = field(init=False, repr=False)  # by role
    class_name: Callable[[int], str] = field(init=False, repr=False)
    ranges: tuple[SplitRange, ...] = field(init=False, repr=False)
    read_features: FeatureReader = field(init=False, repr=False)
    files: tuple[Path, ...] = field(init=False, repr=False)  # of all splits that are read

    def __post_init__(self):
        place = f"{TFDS}{self.name}:{self.split}"
        builder = open_builder(place, self.name, self.data_dir)
        all_features = builder.info.features
        features = choose_features(place, all_features, self.image, self.label, self.map, self.key)
        ranges = split_ranges(place, builder.info.splits, self.split)
        names = tuple(features.values())
        reader = open_reader(place, builder, self.split, ranges, names, self.memory)
        class_name = all_features[features["label"]].int2str if "label" in features else str
        object.__setattr__(self, "features", MappingProxyType(features))
        object.__setattr__(self, "class_name", class_name)
        object.__setattr__(self, "ranges", ranges)
        object.__setattr__(self, "read_features", reader)
        splits = sorted({r.split for r in ranges})
        files = (f for split in splits for f in builder.info.splits[split].filepaths)
        object.__setattr__(self, "files", tuple(map(Path, files)))

    @property
    def ids(self) -> Sequence[str]:
        """Stable ids: the examples' own keys or their positions."""
        return self._ids

    @property
    def labels(self) -> Sequence[str | None]:
        """Name of each example's class, None where it is unknown or its record is broken."""
        return self._labels

    @property
    def groups(self) -> Sequence[str | None]:
        """None for each: `Grouped` names them by a pattern of the ids."""
        return (None,) * sum(r.length for r in self.ranges)

    @property
    def has_reference_masks(self) -> bool:
        """Whether the examples have reference masks."""
        return "map" in self.features

    def read(self, index: int) -> Any:
        """Decode one image; raises `Unreadable`."""
        return decode(self._file(index, "image"))

    def reference_mask(self, index: int) -> np.ndarray | None:
        """Decode the reference mask of one image, None if it has none; raises `Unreadable`."""
        if not self.has_reference_masks or not (file := self._file(index, "map")):
            return None
        try:
            return np.asarray(decode(file).convert("L"))
        except Unreadable as error:
            raise Unreadable(f"its reference mask: {error}") from None

    def identity(self, *, full: bool = False) -> dict[str, Any]:
        """Features by role, and the content of the files of all splits that are read."""
        files = files_identity(self.files, None, full=full)
        ranges = [list(r) for r in self.ranges]
        return {"features": dict(self.features), "ranges": ranges, "files": files["images"]}

    def _file(self, index: int, role: str) -> bytes:
        """Return the encoded image of an example in a role, b"" where it has none."""
        name = self.features[role]
        try:
            return self.read_features(index, (name,))[name] or b""
        except MemoryError:
            raise
        except Exception as error:  # readers raise anything at a broken record: skip one example
            raise Unreadable(f"its record: {type(error).__name__}: {error}"[:200]) from None

    @cached_property
    def _ids(self) -> tuple[str, ...]:
        positions = [f"{s}/{i:08d}" for s, first, n in self.ranges for i in range(first, first + n)]
        if "key" not in self.features:
            return tuple(positions)
        keys = (key for _, key in self._labels_and_keys)
        ids = [
            f"{position.rpartition('/')[0]}/{key}" if key else position
            for position, key in zip(positions, keys, strict=True)
        ]
        if len({*ids}) < len(ids):
            first = next(id for id, n in Counter(ids).items() if n > 1)
            raise InputError(
                f"{TFDS}{self.name}: {self.features['key']!r} is repeated, {first} first: use "
                "positions as ids, Dataset(key='')"
            )
        return tuple(ids)

    @cached_property
    def _labels(self) -> tuple[str | None, ...]:
        if "label" not in self.features:
            return (None,) * sum(r.length for r in self.ranges)
        return tuple(label for label, _ in self._labels_and_keys)

    @cached_property
    def _labels_and_keys(self) -> list[tuple[str | None, str]]:
        """Label and key of each example; warns of records that cannot be read."""
        count = sum(r.length for r in self.ranges)
        chunks = [range(i, min(i + CHUNK, count)) for i in range(0, count, CHUNK)]
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            parts = pool.map(lambda chunk: [self._label_and_key(i) for i in chunk], chunks)
            results = list(itertools.chain.from_iterable(parts))
        broken = [i for i, result in enumerate(results) if isinstance(result, str)]
        if broken:
            warnings.warn(
                f"{len(broken)} record{'s' * (len(broken) > 1)} of {TFDS}{self.name}:{self.split} "
                f"cannot be read (example {broken[0]}: {results[broken[0]]})",
                stacklevel=4,
            )
        return [(None, "") if isinstance(result, str) else result for result in results]

    def _label_and_key(self, index: int) -> tuple[str | None, str] | str:
        """Return the label and the key of one example, or the reason that they cannot be read."""
        names = tuple(self.features[r] for r in ("label", "key") if r in self.features)
        try:
            values = self.read_features(index, names)
            number, key = (values.get(self.features.get(r, "")) for r in ("label", "key"))
            label = None if number is None or number < 0 else self.class_name(int(number))
        except MemoryError:
            raise
        except Exception as error:  # as in `_file`
            return f"{type(error).__name__}: {error}"[:200]
        if key is None:
            return label, ""
        return label, key.decode(errors="replace") if isinstance(key, bytes) else str(key)
