"""Published segmenters of the brain, and their scans from NIfTI files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import jax
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float

from salix.data.assets import fetch
from salix.models import load_deepbet, load_deepbrain
from salix.studies.agg2exp.deepbet import Cube, deepbet_input
from salix.studies.agg2exp.scans import Scan, deepbrain_input, label_numbers, read_nifti
from salix.studies.agg2exp.segmenter import Segmenter
from salix.typing import InputError, Params

CLASSES = ("background", "brain")


@dataclass(frozen=True)
class BrainSegmenter:
    """A segmenter of background and brain, and the function that makes its input of a scan."""

    segmenter: Segmenter
    prepare: Callable[[Scan], Scan]


def _deepbrain() -> BrainSegmenter:
    module = load_deepbrain(fetch("deepbrain"))
    segmenter = Segmenter.of_module(module, CLASSES, multiple=module.multiple)
    return BrainSegmenter(segmenter, deepbrain_input)


def _deepbet() -> BrainSegmenter:
    module = load_deepbet(fetch("deepbet"))
    segmenter = Segmenter.of_module(module, CLASSES, multiple=module.multiple)
    graph, params = nnx.split(load_deepbet(fetch("deepbet-box")))

    @jax.jit
    def is_brain(params: Params, volume: Float[Array, "s s s"]) -> Bool[Array, "s s s"]:
        return nnx.merge(graph, params)(volume[None, ..., None])[0].argmax(-1) == 1

    def find(volume: Cube) -> np.ndarray:
        return np.asarray(is_brain(params, volume))

    return BrainSegmenter(segmenter, partial(deepbet_input, find=find))


BRAIN_SEGMENTERS: Mapping[str, Callable[[], BrainSegmenter]] = {
    "deepbrain": _deepbrain,
    "deepbet": _deepbet,
}


def region_names(labels: Sequence[str | Path]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return the numbers in label maps and their names; without maps no number, and the classes."""
    if not labels:
        return (), CLASSES
    numbers = label_numbers(labels)
    return numbers, tuple(f"label {n}" for n in numbers)


def check_files(model: str, scans: Sequence[str | Path], labels: Sequence[str | Path]) -> None:
    """Raise `InputError` for no scans, and for label maps that are not one for each scan."""
    if not scans:
        raise InputError(f"--model {model} explains volumes: give --volumes head.nii.gz")
    if labels and len(labels) != len(scans):
        raise InputError(
            f"{len(labels)} files of --labels for {len(scans)} --volumes: give one for each, in "
            "the same order, or none"
        )


def read_scan(
    brain: BrainSegmenter,
    path: str | Path,
    labels: str | Path | None,
    numbers: tuple[int, ...],
    group_of: Sequence[int],
) -> Scan:
    """Return the input of a NIfTI file, its labels as the groups of `numbers`."""
    scan = brain.prepare(read_nifti(path, labels))
    if scan.labels is None:
        return scan
    return replace(
        scan, labels=np.asarray(group_of, np.int32)[np.searchsorted(numbers, scan.labels)]
    )
