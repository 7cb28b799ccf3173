"""Batches of labelled and unlabelled images, and their augmentation."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from salix.studies.pixels import signed_pixels
from salix.typing import InputError

SHIFT = 4  # pixels
JITTER = 0.2  # of contrast and brightness


def alternating_batches(
    labels: Int[np.ndarray, " n"],
    labelled: Bool[np.ndarray, " n"],
    batch: int,
    rng: np.random.Generator,
    names: Sequence[str] = (),
) -> Iterator[Int[np.ndarray, " batch"]]:
    """Yield the positions of batches: labelled images first, then as many unlabelled ones.

    Labelled images are of the classes in turn, so that none is rare; each part repeats only once
    all of it was drawn. Without unlabelled images all are labelled. Raises `InputError` without
    labels, or for a class with a single labelled image: it has no partner; the error has its
    name of `names`.
    """
    classes = np.unique(labels[labelled])
    members = [np.flatnonzero(labelled & (labels == c)) for c in classes]
    if not members:
        raise InputError("no image has a label: give labels of at least two families")
    if alone := [int(c) for c, rows in zip(classes, members, strict=True) if len(rows) < 2]:
        name = repr(names[alone[0]]) if names else alone[0]
        raise InputError(
            f"class {name} has one labelled image, which has no partner: give two or more, or none"
        )
    rest = np.flatnonzero(~labelled)
    first = batch // 2 if len(rest) else batch
    sources = [_endless(rows, rng) for rows in members]
    others = _endless(rest, rng) if len(rest) else iter(())
    turn = 0
    while True:
        chosen = []
        for _ in range(first):
            chosen.append(next(sources[turn % len(sources)]))
            turn += 1
        chosen += [next(others) for _ in range(batch - first)]
        yield np.array(chosen)


def _endless(rows: np.ndarray, rng: np.random.Generator) -> Iterator[int]:
    while True:
        yield from rng.permutation(rows)


def mirrored(x: Float[np.ndarray, "n h w c"], rng: np.random.Generator) -> np.ndarray:
    """Return images, each mirrored with probability 0.5."""
    flips = rng.random(len(x)) < 0.5
    return np.where(flips[:, None, None, None], x[:, :, ::-1], x)


def augmented_views(
    pixels: UInt8[np.ndarray, "n h w 3"], views: int, rng: np.random.Generator
) -> Float[np.ndarray, "m h w 3"]:
    """Return `views` inputs of each image, one view of all images after the other.

    A single view is mirrored at random. Several are also moved by up to 4 pixels along each axis,
    with borders repeated, and changed in contrast and brightness by up to 20 %: what leaves the
    traces of a family as they are.
    """
    x = signed_pixels(pixels)
    if views == 1:
        return mirrored(x, rng)
    return np.concatenate([_changed(mirrored(x, rng), rng) for _ in range(views)])


def _changed(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = x.shape[1:3]
    padded = np.pad(x, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)), mode="edge")
    corners = rng.integers(0, 2 * SHIFT + 1, (len(x), 2))
    moved = np.stack(
        [p[t : t + height, s : s + width] for p, (t, s) in zip(padded, corners, strict=True)]
    )
    contrast, brightness = rng.uniform(-JITTER, JITTER, (2, len(x), 1, 1, 1)).astype(np.float32)
    return moved * (1 + contrast) + brightness
