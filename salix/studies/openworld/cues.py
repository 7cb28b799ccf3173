"""Shortcut audit of the benchmark: what tells a family from the others without any trace."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from salix.audit import Audit, audit_images
from salix.data import Arrays
from salix.studies.openworld.data import OpenWorldSet

NOVELTY = "known and novel"


@dataclass(frozen=True)
class Cues:
    """Alarming properties of one division of the images, with the area under the ROC curve."""

    division: str
    areas: Mapping[str, float]
    tested: int


def audit_families(
    data: OpenWorldSet, out: Path, *, log: Callable[[str], None] = lambda line: None
) -> tuple[Cues, ...]:
    """Audit known against novel families, and each family against all others.

    All forgeries of a face are one group. The audits are those of `salix audit`, in `out`.
    """
    divisions = {NOVELTY: data.known}
    divisions |= {name: data.labels == i for i, name in enumerate(data.names)}
    cues = []
    for i, (division, part) in enumerate(divisions.items()):
        audit = audit_division(data, part, out / f"{i:02d}")
        areas = {s.number.title: s.area.value for s in audit.screening.alarms}
        cues.append(Cues(division, areas, audit.screening.tests))
        log(f"audit of {division}: {', '.join(areas) or 'no alarm'}")
    return tuple(cues)


def audit_division(data: OpenWorldSet, part: Bool[np.ndarray, " n"], out: Path) -> Audit:
    """Audit the images of a part against all others; those of one face are a group."""
    faces = len(data.x) // len(data.names)
    names = np.where(part, "part", "rest").tolist()
    groups = np.tile(np.arange(faces), len(data.names)).tolist()
    return audit_images(Arrays(data.x, names=names, groups=groups), out=out, workers=1)
