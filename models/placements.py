"""Places of the arrays of a weight file in a network: a parameter, ignored, left out, or none."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from salix.model import LoadedWeights
from salix.models.checkpoints.formats import read
from salix.models.checkpoints.module_state import expected, match
from salix.models.checkpoints.naming import Shapes
from salix.models.detectors import architecture_of, check_detector
from salix.models.reading import read_weights
from salix.models.saved_weights import FileWeights
from salix.typing import InputError

__all__ = ["FATES", "ArrayPlacement", "inspect_weights", "loaded_weights", "place_arrays"]

Fate = Literal[
    "taken",
    "ignored",
    "left out",
    "no place",
    "another shape",
    "initial value",
    "missing",
    "not read",
]
FATES: tuple[Fate, ...] = get_args(Fate)


@dataclass(frozen=True)
class ArrayPlacement:
    """An array of a weight file and its parameter in the network; one of them may be absent.

    Shapes are those of the file, in its layout, and of the network, in ours.
    """

    fate: Fate
    array: str | None
    shape: tuple[int, ...] | None
    parameter: str | None
    expected: tuple[int, ...] | None


def inspect_weights(
    name: str, path: str | Path, **choice: Any
) -> tuple[Sequence[ArrayPlacement], str | None]:
    """Return where each array of a weight file goes, and the reason why `load` refuses it.

    `name` and `choice` are arguments of `load`. The reason is None where it does not. Raises
    InputError where the file cannot be read or the name is unknown.
    """
    network, architecture = architecture_of(name)
    try:
        file = read_weights(network, path, **choice)
    except InputError as error:
        sizes = {n: array.shape for n, array in read(path).items()}
        return [ArrayPlacement("not read", n, s, None, None) for n, s in sizes.items()], f"{error}"
    shapes = expected(lambda rngs: architecture.build(rngs, file.outputs))
    required = {n: leaf for n, leaf in shapes.items() if n not in file.initialised}
    fault = None
    try:
        check_detector(name, path, len(file.classes))
        match(required, dict(file.arrays), file.network, network)
    except InputError as error:
        fault = f"{error}"
    return place_arrays(file, shapes), fault


def place_arrays(file: FileWeights, shapes: Shapes) -> Sequence[ArrayPlacement]:
    """Return where each array of a file goes in a network of these shapes, by name.

    After them come the parameters without an array.
    """
    parameters: dict[str, list[str]] = {}  # several where the file joins them in one array
    for ours, theirs in file.sources.items():
        parameters.setdefault(theirs, []).append(ours)
    rows: list[ArrayPlacement] = []
    for name, shape in sorted(file.shapes.items()):  # in some formats the order is random
        for ours in parameters.get(name, []):
            size = shapes[ours].shape if ours in shapes else None
            fits = size is not None and file.arrays[ours].shape == size
            fate: Fate = "taken" if fits else "no place" if size is None else "another shape"
            rows.append(ArrayPlacement(fate, name, shape, ours, size))
        if name not in parameters:
            fate = "no place" if name in file.unplaced else "left out"
            fate = "ignored" if name in file.ignored else fate
            rows.append(ArrayPlacement(fate, name, shape, None, None))
    for ours, leaf in shapes.items():
        if ours not in file.arrays:
            fate = "initial value" if ours in file.initialised else "missing"
            rows.append(ArrayPlacement(fate, None, None, ours, leaf.shape))
    return rows


def loaded_weights(file: FileWeights) -> LoadedWeights:
    """Return the numbers of arrays of a file that a network took."""
    taken = {theirs for theirs in file.sources.values() if theirs in file.shapes}
    rest = file.shapes.keys() - taken - file.ignored - file.unplaced
    initialised = tuple(dict.fromkeys((*file.inherited, *file.initialised)))
    return LoadedWeights(len(taken), len(file.ignored), len(rest), initialised)
