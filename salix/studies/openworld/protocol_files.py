"""Images of a protocol of OW-DFA, drawn from folders."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int

from salix.data import Unreadable
from salix.data.decode import decode, fit
from salix.data.listing import Listing
from salix.preprocess import Preprocess
from salix.progress import Progress
from salix.studies.openworld.data import OpenWorldSet
from salix.studies.openworld.protocols import PROTOCOLS, ProtocolClass
from salix.typing import InputError

SEED = 2000
TEST = 0.2  # share of the images of a class, of labelled and unlabelled ones alike
SIDE = 64  # pixels of the images; 256 in the paper, with a larger network


@dataclass(frozen=True)
class ProtocolSetting:
    """A protocol by number, and the side of its images."""

    protocol: int
    side: int = SIDE

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise InputError(f"no protocol {self.protocol}: give 1 (forgeries) or 2 (with real)")

    @property
    def names(self) -> tuple[str, ...]:
        """The classes in the order of their numbers: known ones first."""
        return tuple(c.name for c in PROTOCOLS[self.protocol])


@dataclass(frozen=True, eq=False)
class ProtocolFiles:
    """Files of a protocol with the numbers of their classes, the flags of labels and tests."""

    classes: tuple[ProtocolClass, ...]
    paths: tuple[Path, ...]
    labels: Int[np.ndarray, " n"]
    labelled: Bool[np.ndarray, " n"]
    test: Bool[np.ndarray, " n"]

    @property
    def digest(self) -> str:
        """A digest of the paths and sizes of the files in their order."""
        lines = [f"{path} {path.stat().st_size}" for path in self.paths]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]

    @property
    def known(self) -> Bool[np.ndarray, " n"]:
        """Whether the class of each file is known."""
        return np.array([c.known for c in self.classes])[self.labels]


def protocol_files(
    root: Path, classes: Sequence[ProtocolClass], *, seed: int = SEED
) -> ProtocolFiles:
    """Draw the images of each class from its folder, and a fifth of them for tests.

    Images are at any depth of `root`/source/method, cut faces. Those with labels, those without and
    the test part of either follow the seed. Raises `InputError` with a list of all classes whose
    images are missing or too few.

    Sun et al. (2023), arXiv:2309.11132: split and seed of the released code, whose lists of files
    are not published.
    """
    files = {c: _images(root / c.source / c.method) for c in classes}
    if lacking := [line for c in classes if (line := _lack(c, len(files[c])))]:
        raise InputError(
            f"{root} lacks images of {len(lacking)} of {len(classes)} classes; give cut faces in "
            "folders SOURCE/METHOD, on request from the owners of each data set:\n  "
            + "\n  ".join(lacking)
        )
    paths, labels, labelled, test = [], [], [], []
    for number, c in enumerate(classes):
        rng = np.random.default_rng([seed, number])
        count = c.labelled + c.unlabelled
        paths += [files[c][i] for i in rng.permutation(len(files[c]))[:count]]
        labels += [number] * count
        labelled += [i < c.labelled for i in range(count)]
        for part in (c.labelled, c.unlabelled):
            test += (rng.permutation(part) < round(TEST * part)).tolist()
    # A label of a test image is not for training.
    flags = np.array(labelled) & ~np.array(test)
    return ProtocolFiles(tuple(classes), tuple(paths), np.array(labels), flags, np.array(test))


def read_protocol(files: ProtocolFiles, side: int) -> OpenWorldSet:
    """Return the images of a protocol as squares of `side`; masks are 1, for regions are not known.

    Raises `InputError` for a file that is no image: its class would have too few.
    """
    preprocess = Preprocess((side, side))
    x = np.empty((len(files.paths), side, side, 3), np.uint8)
    with Progress("reading", len(x), show=True, unit="images") as progress:
        for i, path in enumerate(files.paths):
            try:
                x[i] = fit(decode(path), preprocess)
            except (Unreadable, OSError) as error:
                raise InputError(f"{path} cannot be read: {error}; replace or delete it") from None
            progress.advance(1)
    masks = np.broadcast_to(np.ones((), np.float32), x.shape[:3])
    names = tuple(c.name for c in files.classes)
    return OpenWorldSet(names, x, files.labels, files.known, files.labelled, files.test, masks)


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [folder / name for name in sorted(Listing(folder).files)]


def _lack(c: ProtocolClass, count: int) -> str:
    needed = c.labelled + c.unlabelled
    return "" if count >= needed else f"{c.name}: {count} of {needed} images ({c.kind})"
