"""Targets and regions of the explanation of one scan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from salix.typing import InputError


@dataclass(frozen=True)
class Task:
    """Targets of the explanation of one scan, and regions over which attributions are summed.

    `predicted` are the classes of the clean volume, `target_of` the target of each class;
    `regions` are the numbers of regions by voxel and `names` their names.
    """

    predicted: Int[np.ndarray, "d h w"]
    target_of: tuple[int, ...]
    regions: Int[np.ndarray, "d h w"]
    names: tuple[str, ...]

    @classmethod
    def of_classes(cls, predicted: Int[np.ndarray, "d h w"], classes: Sequence[str]) -> "Task":
        """Return the task whose targets and regions are the predicted classes."""
        return cls(predicted, tuple(range(len(classes))), predicted, tuple(classes))

    @property
    def count(self) -> int:
        """The number of targets."""
        return max(self.target_of) + 1

    @property
    def targets(self) -> Int[np.ndarray, "d h w"]:
        """The target of each voxel of the clean volume."""
        return np.asarray(self.target_of, np.int32)[self.predicted]

    @property
    def is_present(self) -> np.ndarray:
        """Whether each target has a voxel."""
        return np.bincount(self.targets.reshape(-1), minlength=self.count) > 0


@dataclass(frozen=True)
class Merging:
    """Names after some are merged, and the place among them of each name before."""

    group_of: tuple[int, ...]
    names: tuple[str, ...]


def parse_merges(texts: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Return the names that texts such as `lung=left lobe,right lobe` merge, by the new name.

    Raises `InputError` for another form, and for a name that is in two of them.
    """
    merges: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, _, rest = text.partition("=")
        parts = tuple(part.strip() for part in rest.split(",") if part.strip())
        if not name.strip() or len(parts) < 2:
            raise InputError(
                f"--merge {text!r}: give a new name and the names that it joins, such as "
                '"lung=left lobe,right lobe"'
            )
        merges[name.strip()] = parts
    every = [part for parts in merges.values() for part in parts]
    twice = sorted({part for part in every if every.count(part) > 1})
    if twice:
        raise InputError(f"--merge has {', '.join(twice)} twice: give each name once")
    return merges


def merge_names(names: Sequence[str], merges: Mapping[str, tuple[str, ...]]) -> Merging:
    """Return names merged, each group in the place of its first name; `merges` may have others.

    Raises `InputError` for a new name that stands for another one already.
    """
    new = {part: name for name, parts in merges.items() for part in parts}
    renamed = [new.get(name, name) for name in names]
    for name, parts in merges.items():
        if name in names and name not in parts:
            raise InputError(f"--merge {name}=…: {name!r} is a name already: give another one")
    unique = tuple(dict.fromkeys(renamed))
    return Merging(tuple(map(unique.index, renamed)), unique)
