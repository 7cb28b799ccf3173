"""Faces forged by known and novel families, with few labels."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from salix.hyperparameters import check_fields, number
from salix.studies.openworld.families import FAMILIES, forge_faces
from salix.studies.photographs import Photographs
from salix.typing import InputError

REGENERATED = "regenerated"  # the family of a generator, whose faces come with the photographs
KNOWN = ("JPEG", "Lanczos", REGENERATED, "total variation", "warp")
NOVEL = tuple(name for name in FAMILIES if name not in KNOWN)


@dataclass(frozen=True)
class OpenWorldSetting:
    """Known families, novel families, and the share of training images of known ones with labels.

    0.75 as in the released script.
    """

    known: tuple[str, ...] = KNOWN
    novel: tuple[str, ...] = NOVEL
    labelled: float = 0.75

    def __post_init__(self) -> None:
        share = number(lambda n: 0 < n <= 1, remedy="give a share above 0, up to 1")
        check_fields(self, labelled=share)
        names = (*self.known, *self.novel)
        for name in names:
            if name not in (*FAMILIES, REGENERATED):
                known = ", ".join((*FAMILIES, REGENERATED))
                raise InputError(f"no family {name!r}: give {known}")
        if len(self.known) < 2:
            raise InputError(
                f"{len(self.known)} known families: give two or more, for labels tell them apart"
            )
        if len(set(names)) < len(names):
            raise InputError("a family is named twice: it is known or novel")

    @property
    def names(self) -> tuple[str, ...]:
        """The families in the order of their numbers: known ones first."""
        return (*self.known, *self.novel)


@dataclass(frozen=True, eq=False)
class OpenWorldSet:
    """Forged faces with the numbers of their families, the flags of labels, tests and masks.

    Each face is there once for each family, so that content says nothing about the family; test
    faces are of people without training images.
    """

    names: tuple[str, ...]
    x: UInt8[np.ndarray, "n h w 3"]
    labels: Int[np.ndarray, " n"]
    known: Bool[np.ndarray, " n"]
    labelled: Bool[np.ndarray, " n"]
    test: Bool[np.ndarray, " n"]
    masks: Float[np.ndarray, "n h w"]


def open_world_set(faces: Photographs, setting: OpenWorldSetting, *, seed: int) -> OpenWorldSet:
    """Return each photograph forged by each family, grey in three equal channels.

    The labels that are dropped, and forgeries with chance, follow the seed.
    """
    grey = faces.pixels[..., None]
    parts = [_family(name, grey, faces, seed) for name in setting.names]
    count, families = len(grey), len(parts)
    labels = np.repeat(np.arange(families), count)
    known, test = labels < len(setting.known), np.tile(faces.test, families)
    chosen = np.zeros(len(labels), bool)
    for i in range(len(setting.known)):
        rows = np.flatnonzero((labels == i) & ~test)
        drawn = np.random.default_rng([seed, i]).permutation(rows)
        chosen[drawn[: max(1, round(setting.labelled * len(rows)))]] = True
    return OpenWorldSet(
        names=setting.names,
        x=np.concatenate([pixels for pixels, _ in parts]).repeat(3, -1),
        labels=labels,
        known=known,
        labelled=chosen,
        test=test,
        masks=np.concatenate([masks for _, masks in parts]),
    )


def _family(
    name: str, grey: np.ndarray, faces: Photographs, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    if name == REGENERATED:
        return faces.regenerated[..., None], np.ones(faces.pixels.shape, np.float32)
    return forge_faces(FAMILIES[name], grey, seed=seed)
