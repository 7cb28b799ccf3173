"""Salience of identity: the parts of a face that its similarity to a subject comes from."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from salix.models.tpgan_patches import FRONTAL, SIDE, patch_boxes
from salix.studies.frontal.measures import ImageFeatures

PARTS = ("eyes", "nose", "mouth", "elsewhere")


def similarity_maps(
    features: ImageFeatures, gallery: Float[np.ndarray, "n k"]
) -> Float[np.ndarray, "n y x"]:
    r"""Return the contributions of positions to the cosine with an embedding, which they sum to.

    The embedding is the mean of the last map, so that the cosine is
    $\sum_p \langle F_p, g \rangle / (P \lVert f \rVert \lVert g \rVert)$, exactly.
    """
    maps = features.maps
    positions = maps.shape[1] * maps.shape[2]
    norms = np.linalg.norm(maps.mean((1, 2)), axis=1) * np.linalg.norm(gallery, axis=1)
    norms = np.where(norms > 0, norms, 1)  # without features all contributions are 0
    return np.einsum("nyxk,nk->nyx", maps, gallery) / (positions * norms[:, None, None])


def part_masses(
    maps: Float[np.ndarray, "n y x"], landmarks: Float[np.ndarray, "n 5 2"]
) -> dict[str, Float[np.ndarray, " n"]]:
    """Return the share of positive mass in the patches around the eyes, nose and mouth.

    Where patches overlap the earlier one counts. Maps are enlarged to 128 pixels as blocks.
    `near` is the share in the left half: that of the visible side, as all faces turn right.
    """
    positive = np.maximum(maps, 0)
    shares: dict[str, list[float]] = {name: [] for name in (*PARTS, "near")}
    rows = np.arange(SIDE) * maps.shape[1] // SIDE
    columns = np.arange(SIDE) * maps.shape[2] // SIDE
    for image, points in zip(positive, landmarks, strict=True):
        large = image[rows][:, columns]
        total = large.sum()
        free = np.ones((SIDE, SIDE), bool)
        masses: dict[str, float] = dict.fromkeys(PARTS, 0.0)
        for part, (top, left, bottom, right) in patch_boxes(SIDE, points).items():
            box = np.s_[top:bottom, left:right]
            name = "eyes" if part.endswith("eye") else part
            masses[name] += float((large[box] * free[box]).sum())
            free[box] = False
        masses["elsewhere"] = float((large * free).sum())
        for name, mass in masses.items():
            shares[name].append(mass / total if total else np.nan)
        shares["near"].append(large[:, : SIDE // 2].sum() / total if total else np.nan)
    return {name: np.array(values) for name, values in shares.items()}


def areas() -> Mapping[str, float]:
    """Return the share of a frontal image that each part covers: that of a uniform map."""
    flat = part_masses(np.ones((1, SIDE, SIDE)), FRONTAL[None])
    return {name: float(values[0]) for name, values in flat.items()}
