"""Face meshes of images: points in three dimensions, the angles of the head and five landmarks."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx
from jaxtyping import Float, UInt8

from salix.data.assets import fetch
from salix.models.facemesh import EYES, MOUTH, NOSE, SIDE, load_facemesh

FACE = 0.5  # least probability of a face
BATCH = 20


@dataclass(frozen=True)
class Meshes:
    """Points [n 468 3] of faces in pixels of their images, and P(face) [n]."""

    points: Float[np.ndarray, "n 468 3"]
    face: Float[np.ndarray, " n"]

    @property
    def yaw(self) -> Float[np.ndarray, " n"]:
        """Angle of the head about the vertical axis in degrees, above 0 to the image's right."""
        across = _across(self.points)
        return np.degrees(np.arctan2(across[:, 2], across[:, 0]))

    @property
    def landmarks(self) -> Float[np.ndarray, "n 5 2"]:
        """Middle of each eye, tip of the nose and corners of the mouth."""
        return five_landmarks(self.points)


@dataclass(frozen=True)
class MeshDetector:
    """Network of 468 points, applied to squares around faces; None fetches its weights."""

    weights: str | Path | None = None

    def __call__(
        self, images: UInt8[np.ndarray, "n h w 3"], centre: tuple[float, float], half: float
    ) -> Meshes:
        """Return the meshes of faces in a square of their images: its centre and half a side."""
        cuts = np.stack([_cut(image, centre, half) for image in images])
        graph, params = self._split
        points, face = [], []
        for start in range(0, len(cuts), BATCH):
            rows = np.minimum(np.arange(start, start + BATCH), len(cuts) - 1)  # one program
            batch = jax.device_get(_run(graph, params, cuts[rows]))
            points.append(batch.points)
            face.append(batch.face)
        scale = 2 * half / SIDE
        placed = np.concatenate(points)[: len(images)] * scale
        placed[..., :2] += np.array(centre) - half
        return Meshes(placed, np.concatenate(face)[: len(images)])

    @cached_property
    def _split(self) -> tuple[Any, Any]:
        return nnx.split(load_facemesh(fetch("facemesh") if self.weights is None else self.weights))


def five_landmarks(points: Float[np.ndarray, "n 468 d"]) -> Float[np.ndarray, "n 5 2"]:
    """Return the five landmarks of meshes: eyes, nose and corners of the mouth, x and y."""
    eyes = [points[:, list(corners)].mean(1) for corners in EYES]
    rest = [points[:, index] for index in (NOSE, *MOUTH)]
    return np.stack([*eyes, *rest], 1)[..., :2]


def _across(points: Float[np.ndarray, "n 468 3"]) -> Float[np.ndarray, "n 3"]:
    """Return the vectors between the outer corners of the eyes."""
    return points[:, EYES[1][0]] - points[:, EYES[0][0]]


@jax.jit(static_argnums=0)
def _run(graph: Any, params: Any, cuts: Any) -> Any:
    return nnx.merge(graph, params)(cuts.astype(np.float32) / 255)


def _cut(image: np.ndarray, centre: tuple[float, float], half: float) -> np.ndarray:
    """Return a square of an image at the size of the network."""
    from salix.studies.frontal.alignment import warp

    scale = 2 * half / SIDE
    matrix = np.array([[scale, 0, centre[0] - half], [0, scale, centre[1] - half]])
    return warp(image, matrix, SIDE)
