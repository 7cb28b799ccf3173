"""Maps of the evidence for the family of each face, on the trunk of a network."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from salix.adapters import from_nnx
from salix.attribution import HiResCAM
from salix.engine import image_explainer
from salix.metrics import relevance_mass
from salix.metrics.resizing import resize_mask
from salix.model import Model
from salix.preprocess import Preprocess
from salix.stats import Interval, mean_interval
from salix.studies.openworld.data import OpenWorldSet
from salix.studies.openworld.network import NeckedNetwork
from salix.typing import Explanation, Params

CUT = "stage2"  # features of 16 x 16
METHOD = HiResCAM(relu=True)  # what speaks for the class


def as_model(network: NeckedNetwork, names: tuple[str, ...], side: int) -> tuple[Model, Params]:
    """Return the model of a network, cut where its maps are, and its parameters."""
    preprocess = Preprocess((side, side), mean=(0.5,), std=(0.5,))
    model, params = from_nnx(network, preprocess=preprocess, classes=names, name="openworld")
    return model.at(CUT), params


def explainer(
    network: NeckedNetwork, names: tuple[str, ...], side: int
) -> Callable[[Any], Explanation]:
    """Return the explanation of the predicted class of an image of `side`, compiled once."""
    return image_explainer(*as_model(network, names, side), METHOD)


@dataclass(frozen=True, eq=False)
class FamilyEvidence:
    """Maps of test faces, and their measures by family.

    `images` are the places of the faces in the set. `share` is that of a map inside the forged
    region, with the interval over people, and `area` that of the region: None for families that
    change all of a face. `similarity` is the mean correlation of maps of different faces, rows and
    columns families: the diagonal within a family, the rest between two.
    """

    images: Int[np.ndarray, " n"]
    maps: Float[np.ndarray, "n y x"]
    mean: Float[np.ndarray, "families y x"]
    share: tuple[Interval | None, ...]
    area: tuple[float | None, ...]
    similarity: Float[np.ndarray, "families families"]


def family_evidence(
    network: NeckedNetwork, data: OpenWorldSet, people: tuple[str, ...]
) -> FamilyEvidence:
    """Explain the predicted class of every test face; `people` names the person of each face."""
    images = np.flatnonzero(data.test)
    explain = explainer(network, data.names, data.x.shape[1])
    maps = np.stack([np.asarray(explain(data.x[i]).map) for i in images])
    labels, faces = data.labels[images], images % (len(data.x) // len(data.names))
    sums = maps.sum((1, 2), keepdims=True)
    shares = np.divide(maps, sums, out=np.zeros_like(maps), where=sums > 0)
    share, area = [], []
    for family in range(len(data.names)):
        rows = np.flatnonzero(labels == family)
        masks = data.masks[images[rows]]
        if masks.min() == 1:
            share.append(None)
            area.append(None)
            continue
        small = [np.asarray(resize_mask(m, maps[0])) for m in masks]
        inside = [
            float(relevance_mass(maps[i], m)) for i, m in zip(rows.tolist(), small, strict=True)
        ]
        clusters = np.unique([people[faces[i]] for i in rows], return_inverse=True)[1]
        share.append(mean_interval(inside, clusters=clusters))
        area.append(float(np.mean(small)))
    return FamilyEvidence(
        images,
        maps,
        np.stack([shares[labels == f].mean(0) for f in range(len(data.names))]),
        tuple(share),
        tuple(area),
        map_similarity(maps, labels, faces),
    )


def map_similarity(
    maps: Float[np.ndarray, "n y x"], labels: Int[np.ndarray, " n"], faces: Int[np.ndarray, " n"]
) -> Float[np.ndarray, "families families"]:
    """Return the mean Pearson correlation of maps of different faces, by families.

    Maps of one face are not compared, for its content is the same in both; nor are constant ones.
    """
    flat = maps.reshape(len(maps), -1).astype(np.float64)
    flat = flat - flat.mean(1, keepdims=True)
    norms = np.linalg.norm(flat, axis=1, keepdims=True)
    units = np.divide(flat, norms, out=np.zeros_like(flat), where=norms > 0)
    defined = norms[:, 0] > 0
    counted = (faces[:, None] != faces[None]) & defined[:, None] & defined[None]
    member = (labels[:, None] == np.arange(labels.max() + 1)).astype(np.float64)
    total = member.T @ np.where(counted, units @ units.T, 0) @ member
    pairs = member.T @ counted.astype(np.float64) @ member
    return np.divide(total, pairs, out=np.full_like(total, np.nan), where=pairs > 0)
