"""Pairs from a folder with one folder for each subject, as Multi-PIE's may be laid out."""

import re
from pathlib import Path

import numpy as np

from salix.data import Unreadable
from salix.data.decode import decode
from salix.studies.frontal.alignment import AlignedFace, align
from salix.studies.frontal.data import FRONTAL, FrontalSet, Pose, pair_poses
from salix.studies.frontal.meshes import MeshDetector
from salix.typing import InputError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".pgm", ".ppm"}
# Yaw of Multi-PIE's cameras in degrees, as recalled; subject_session_recording_camera_light
CAMERAS = {
    "110": -90, "120": -75, "090": -60, "080": -45, "130": -30, "140": -15, "051": 0,
    "050": 15, "041": 30, "190": 45, "200": 60, "010": 75, "240": 90,
}  # fmt: skip
_NAME = re.compile(r"^\d{3}_\d{2}_\d{2}_(\d{3})_(\d{2})$")
_SQUARE = 0.5  # half side of the square of the mesh's network, in shorter sides of an image


def folder_pairs(
    folder: Path, *, side: int, test: int, detector: MeshDetector, seed: int = 0
) -> FrontalSet:
    """Return the pairs of images in `folder/subject/*`: faces that fill most of their images.

    Yaw is that of the camera where files are named as those of Multi-PIE, and otherwise estimated
    from the mesh. The frontal image of a subject is the one of least yaw, within 6 degrees, and in
    Multi-PIE the one of the same light. Images that cannot be read or without a face are left out,
    with the reason. Raises `InputError` for a folder without folders.
    """
    homes = sorted(path for path in folder.iterdir() if path.is_dir())
    if not homes:
        raise InputError(f"{folder} has no folders: give one folder for each subject")
    poses: list[Pose] = []
    fronts: dict[str, tuple[float, AlignedFace]] = {}
    skipped: dict[str, str] = {}
    for home in homes:
        for path in sorted(p for p in home.iterdir() if p.suffix.lower() in SUFFIXES):
            id, (camera, light) = f"{home.name}/{path.name}", _camera(path.stem)
            try:
                image = np.asarray(decode(path).convert("RGB"))
            except Unreadable as error:
                skipped[id] = str(error)
                continue
            height, width = image.shape[:2]
            mesh = detector(image[None], (width / 2, height / 2), _SQUARE * min(height, width))
            if mesh.face[0] < 0.5:
                skipped[id] = "no face: landmarks are missing"
                continue
            yaw = float(mesh.yaw[0]) if camera is None else float(camera)
            face, front = align(image, mesh.landmarks[0], side), home.name + light
            if abs(yaw) <= FRONTAL and abs(yaw) < fronts.get(front, (np.inf,))[0]:
                fronts[front] = (abs(yaw), face)
            elif abs(yaw) > FRONTAL:
                group = f"{15 * round(abs(yaw) / 15)}°"
                poses.append(Pose(id, home.name, yaw, face, group, front))
    faces = {front: face for front, (_, face) in fronts.items()}
    origin = f"images of {folder.name}, the most frontal one of each subject as truth"
    return pair_poses(poses, faces, test=test, seed=seed, skipped=skipped, origin=origin)


def _camera(stem: str) -> tuple[int | None, str]:
    """Return the yaw of the camera and the light in a name of Multi-PIE, None for another name."""
    match = _NAME.match(stem)
    if not match or match[1] not in CAMERAS:
        return None, ""
    return CAMERAS[match[1]], f" light {match[2]}"
