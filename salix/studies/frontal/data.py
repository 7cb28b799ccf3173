"""Pairs of a face at an angle and its frontal image: turned photographs, Olivetti, folders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from salix.data.assets import fetch, olivetti
from salix.data.decode import decode
from salix.studies.frontal.alignment import AlignedFace, align, compose
from salix.studies.frontal.meshes import MeshDetector, Meshes, five_landmarks
from salix.studies.frontal.rotation import turn
from salix.typing import InputError

YAWS = (15, 30, 45, 60)  # degrees
FRONTAL = 6.0  # degrees to either side within which a photograph is frontal
CELEBA_FACE = ((89.0, 118.0), 88.0)  # centre and half side of the square around a face, pixels
OLIVETTI_FACE = ((32.0, 32.0), 42.0)
OLIVETTI_BINS = (10.0, 25.0)  # degrees, between yaws that are reported apart


@dataclass(frozen=True)
class FrontalSet:
    """Examples of faces at an angle, each as one picture with its frontal image and patches.

    `labels` are positions in `subjects`; `yaw` is in degrees, above 0, and `group` that of a table.
    `test` marks subjects without training examples. `skipped` has the reason for each image that
    is left out, `gallery` the frontal image [s s 3] of each subject. `landmarks` and `fronts` are
    the five points of faces and of their frontal images, in pixels of an image of 128.
    """

    pictures: UInt8[np.ndarray, "n s w 3"]
    labels: Int[np.ndarray, " n"]
    yaw: Float[np.ndarray, " n"]
    group: tuple[str, ...]
    ids: tuple[str, ...]
    subjects: tuple[str, ...]
    gallery: UInt8[np.ndarray, "k s s 3"]
    test: Bool[np.ndarray, " n"]
    landmarks: Float[np.ndarray, "n 5 2"]
    fronts: Float[np.ndarray, "n 5 2"]
    skipped: Mapping[str, str]
    origin: str

    @property
    def side(self) -> int:
        """Pixels a side of an image."""
        return self.pictures.shape[1]


@dataclass(frozen=True)
class Pose:
    """One aligned face of a subject at an angle: above 0 it is turned to the image's right.

    `front` names its frontal image, such as the one of its light; by default that of the subject.
    """

    id: str
    subject: str
    yaw: float
    face: AlignedFace
    group: str
    front: str = ""


def pair_poses(
    poses: Sequence[Pose],
    fronts: Mapping[str, AlignedFace],
    *,
    test: int,
    seed: int,
    skipped: Mapping[str, str],
    origin: str,
) -> FrontalSet:
    """Return the examples of poses with the frontal face of their subject.

    Faces turned to the left are mirrored, and their frontal images with them, so that all turn to
    one side. `test` subjects, drawn by `seed`, are for tests. A subject without a pose other than
    the frontal one is left out, with its reason. Raises `InputError` where fewer than two subjects
    are left to either part.
    """
    left_out = dict(skipped)
    for name in sorted(fronts.keys() - {pose.front or pose.subject for pose in poses}):
        left_out[name] = "one pose: a subject needs its frontal image and one at an angle"
    for pose in poses:
        if (pose.front or pose.subject) not in fronts:
            left_out[pose.id] = f"{pose.front or pose.subject} has no frontal image"
    chosen = [pose for pose in poses if (pose.front or pose.subject) in fronts]
    names = {pose.subject: pose.front or pose.subject for pose in reversed(chosen)}
    subjects = sorted({pose.subject for pose in chosen})
    if not 2 <= test <= len(subjects) - 2:
        raise InputError(
            f"{test} of {len(subjects)} subjects with a frontal image and one at an angle are for "
            f"tests: leave at least two to tests and two to training ({len(left_out)} left out)"
        )
    tested = {subjects[i] for i in np.random.default_rng(seed).permutation(len(subjects))[:test]}
    pictures, landmarks, truths = [], [], []
    for pose in chosen:
        front, face = fronts[pose.front or pose.subject], pose.face
        if pose.yaw < 0:
            front, face = front.mirrored(), face.mirrored()
        pictures.append(compose(face, front.image))
        landmarks.append(face.landmarks)
        truths.append(front.landmarks)
    return FrontalSet(
        np.stack(pictures),
        np.array([subjects.index(pose.subject) for pose in chosen]),
        np.array([abs(pose.yaw) for pose in chosen]),
        tuple(pose.group for pose in chosen),
        tuple(pose.id for pose in chosen),
        tuple(subjects),
        np.stack([fronts[names[subject]].image for subject in subjects]),
        np.array([pose.subject in tested for pose in chosen]),
        np.stack(landmarks),
        np.stack(truths),
        MappingProxyType(left_out),
        origin,
    )


def turned_photographs(
    *, side: int, subjects: int, test: int, detector: MeshDetector, seed: int = 0
) -> FrontalSet:
    """Return photographs of CelebA, turned on their meshes by each of `YAWS` to a random side.

    A photograph counts as a subject. The frontal image is the photograph, within 6 degrees: the
    truth is exact, and the yaw known. Faces that are not found or not frontal are left out.
    """
    files = sorted(fetch("celeba-999").iterdir())
    limit = min(len(files), 3 * (subjects + test))  # about half of them are frontal
    images = np.stack([np.asarray(decode(path).convert("RGB")) for path in files[:limit]])
    meshes = detector(images, *CELEBA_FACE)
    rng = np.random.default_rng([seed, 1])
    poses: list[Pose] = []
    fronts: dict[str, AlignedFace] = {}
    skipped: dict[str, str] = {}
    for i, path in enumerate(files[:limit]):
        if len(fronts) == subjects + test:
            break
        name = path.stem
        if reason := _unusable(meshes, i):
            skipped[name] = reason
            continue
        fronts[name] = align(images[i], meshes.landmarks[i], side)
        yaws = [float(yaw * rng.choice([-1, 1])) for yaw in YAWS]
        views = turn(images[i], meshes.points[i], yaws)
        for yaw, (view, points) in zip(yaws, views, strict=True):
            face = align(view, five_landmarks(points[None])[0], side)
            poses.append(Pose(f"{name}-{abs(yaw):.0f}", name, yaw, face, f"{abs(yaw):.0f}°"))
    origin = "photographs of CelebA, turned on their meshes by a known angle"
    return pair_poses(poses, fronts, test=test, seed=seed, skipped=skipped, origin=origin)


def olivetti_pairs(*, side: int, test: int, detector: MeshDetector, seed: int = 0) -> FrontalSet:
    """Return the photographs of Olivetti with the most frontal one of each person as the truth.

    Yaw is estimated from the mesh. Other photographs within 6 degrees are examples of a small
    angle: the set has few others.
    """
    pixels, people = olivetti()
    images = np.repeat(pixels[..., None], 3, -1)
    meshes = detector(images, *OLIVETTI_FACE)
    poses: list[Pose] = []
    fronts: dict[str, AlignedFace] = {}
    skipped: dict[str, str] = {}
    for person in np.unique(people):
        rows = np.flatnonzero((people == person) & (meshes.face > 0.5))
        front = rows[np.abs(meshes.yaw[rows]).argmin()]
        for i in np.flatnonzero(people == person):
            name = f"person{person:02d}"
            id = f"{name}-{i % 10}"
            if i not in rows:
                skipped[id] = "no face: landmarks are missing"
                continue
            face = align(images[i], meshes.landmarks[i], side)
            if i == front:
                fronts[name] = face
                continue
            yaw = float(meshes.yaw[i])
            step = int(np.searchsorted(OLIVETTI_BINS, abs(yaw)))
            group = ("below 10°", "10° to 25°", "above 25°")[step]
            poses.append(Pose(id, name, yaw, face, group))
    origin = "Olivetti's photographs, the most frontal one of each person as truth"
    return pair_poses(poses, fronts, test=test, seed=seed, skipped=skipped, origin=origin)


def _unusable(meshes: Meshes, index: int) -> str:
    """Return why a photograph is no frontal truth, or an empty text."""
    if meshes.face[index] < 0.5:
        return "no face: landmarks are missing"
    if abs(meshes.yaw[index]) > FRONTAL:
        return f"turned by {meshes.yaw[index]:.0f} degrees: no frontal truth"
    return ""
