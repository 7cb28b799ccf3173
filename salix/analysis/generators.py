"""Generators of the images of runs: subsets and their classes, classes, or groups of images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from salix.analysis.frame import Frame
from salix.analysis.subset_split import subset_names
from salix.typing import InputError

GeneratorRule = Literal["subset", "class", "group"]
MOST = 40  # generators


@dataclass(frozen=True, eq=False)
class Generators:
    """Names of generators, and for each run the code of each image's; -1 for none.

    `clusters` are those of the images of each run: None where all are independent, or where the
    generators are the groups.
    """

    names: tuple[str, ...]
    codes: tuple[np.ndarray, ...]
    clusters: tuple[np.ndarray | None, ...]


def find_generators(frames: Sequence[Frame], by: GeneratorRule = "subset") -> Generators:
    """Return the generator of each image of each run, in the order in which images name them.

    By "subset" it is the first part of the id, with the class where a subset has several; the class
    alone where there is one subset, or more than `MOST`. By "group" it is the column `group`, and
    images of one generator are then taken as independent. Raises `InputError` for another rule,
    and for more than `MOST` groups, or none.
    """
    if by not in get_args(GeneratorRule):
        raise InputError(f"generators is {by!r}: give {', '.join(get_args(GeneratorRule))}")
    classes = [_classes(frame) for frame in frames]
    own = tuple(frame.clusters for frame in frames)
    if by == "group":
        columns = [frame.scalars.get("group", [None] * len(frame)) for frame in frames]
        groups = [["" if g is None else str(g) for g in column] for column in columns]
        generators = _coded(groups, (None,) * len(frames))
        if not 0 < len(generators.names) <= MOST:
            raise InputError(
                f"generators is 'group', and the images have {len(generators.names)} groups: give "
                f"runs with 1 to {MOST}, or name the generators by subset or class"
            )
        return generators
    subsets = [subset_names(map(str, frame.ids)) for frame in frames]
    if by == "class" or len({name for names in subsets for name in names}) < 2:
        return _coded(classes, own)
    present: dict[str, set[str]] = {}
    for names, kinds in zip(subsets, classes, strict=True):
        for name, kind in zip(names, kinds, strict=True):
            present.setdefault(name, set()).add(kind)
    texts = [
        [_text(n, k, len(present[n]) > 1) for n, k in zip(names, kinds, strict=True)]
        for names, kinds in zip(subsets, classes, strict=True)
    ]
    generators = _coded(texts, own)
    return generators if len(generators.names) <= MOST else _coded(classes, own)


def _classes(frame: Frame) -> list[str]:
    if not (frame.labels >= 0).any():
        return ["all images"] * len(frame)
    return [frame.class_name(label) or "no label" for label in frame.labels.tolist()]


def _text(subset: str, kind: str, several: bool) -> str:
    name = subset or "(no name)"
    return f"{name}, {kind}" if several else name


def _coded(texts: Sequence[Sequence[str]], clusters: tuple[np.ndarray | None, ...]) -> Generators:
    names = list(dict.fromkeys(text for own in texts for text in own if text))
    places = {name: i for i, name in enumerate(names)} | {"": -1}
    codes = tuple(np.array([places[text] for text in own], int) for own in texts)
    return Generators(tuple(names), codes, clusters)
