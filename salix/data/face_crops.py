"""View of a source: faces cut out of its images by boxes, or aligned by landmarks."""

import hashlib
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from salix.data.bounds import Unreadable
from salix.data.content import source_identity
from salix.data.decode import to_pillow
from salix.data.face_cut import align_face, crop_box
from salix.data.face_rule import FaceRule
from salix.data.face_table import FaceTable, read_faces
from salix.data.fitted import packings
from salix.data.texts import repeated
from salix.data.views import View
from salix.typing import InputError

PLAIN_RULE = FaceRule()


@dataclass(frozen=True)
class FaceCrops(View):
    """The faces of a source's images, by boxes or landmarks: of a file, or of `detect_faces`.

    Each image is its face, cut out or aligned by `rule`, and so is its reference mask. Ids are
    those of the source; where every face is an image (`several` "all" or "max"), `a.png#face=1` is
    the second of an image with several, which are a group, named by the image unless it has one. A
    face without area or outside of its image is unreadable, with the reason. Raises `InputError`
    for packed data, whose pixels are no longer those of the table, for faces to align that have
    no landmarks, and as `read_faces`.
    """

    table: Path | str | FaceTable
    rule: FaceRule = PLAIN_RULE
    faces: FaceTable = field(init=False, repr=False, compare=False)
    images: np.ndarray = field(init=False, repr=False, compare=False)  # of each row, in the source
    rows: np.ndarray = field(init=False, repr=False, compare=False)  # face of each row, -1 for none
    names: Sequence[str] = field(init=False, repr=False, compare=False)
    sizes: MutableMapping[int, tuple[int, int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        if next(packings(self.source), None) is not None:
            raise InputError(
                "packed data have other pixels than the table of faces: pack the faces"
            )
        ids = self.source.ids
        faces, align = self.table, self.rule.align is not None
        if not isinstance(faces, FaceTable):
            faces = read_faces(faces, ids, landmarks=align)
        elif align and np.isnan(faces.landmarks).any():
            raise InputError("detected faces have no landmarks to align by: give a table of them")
        if self._every:
            images, rows, names = _every_face(ids, faces)
            if (twice := repeated(names)) is not None:
                raise InputError(f"{twice!r} is both an image and a face of one: rename the image")
        else:
            images, names = np.arange(len(ids)), ids
            rows = np.full(len(ids), -1)
            order = np.arange(len(faces.images))[::-1]  # the first is written last
            if self.rule.several == "largest":
                order = order[np.argsort(faces.sides.prod(1)[order], kind="stable")]
            rows[faces.images[order]] = order
        fields = {"faces": faces, "images": images, "rows": rows, "names": names, "sizes": {}}
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @property
    def _every(self) -> bool:
        """Whether every face is a row."""
        return self.rule.several in ("all", "max")

    @property
    def ids(self) -> Sequence[str]:
        """Ids of the images, with the number of the face where an image has several."""
        return self.names

    @property
    def labels(self) -> Sequence[str | int | None]:
        """Label of each face's image."""
        labels = self.source.labels
        return [labels[i] for i in self.images.tolist()] if self._every else labels

    @property
    def groups(self) -> Sequence[str | None]:
        """Group of each face's image; the image itself where it has none and several faces."""
        groups, ids = self.source.groups, self.source.ids
        if not self._every:
            return groups
        counts = np.bincount(self.images).tolist() if self.rule.several == "all" else [1] * len(ids)
        own = [
            group or (id if n > 1 else None)
            for group, id, n in zip(groups, ids, counts, strict=True)
        ]
        return [own[i] for i in self.images.tolist()]

    @property
    def fixed_scores(self) -> Mapping[int, float]:
        """Probability of the second class of each row without a face that has a fixed one."""
        score = self.rule.score
        rows = [] if score is None else np.flatnonzero(self.rows < 0).tolist()
        return {} if score is None else dict.fromkeys(rows, score)

    @property
    def settings(self) -> dict[str, Any]:
        """Rule of the faces, and the detector of those that were detected, as JSON."""
        detector = self.faces.detector
        return self.rule.identity() | ({} if detector is None else {"detector": repr(detector)})

    def read(self, index: int) -> Any:
        """Return one face as Pillow image; raises `Unreadable`."""
        image = self.image(index)
        if self.source.has_reference_masks:
            self.sizes[index] = image.size
        return self.cut(index, image)

    def image(self, index: int) -> Any:
        """Return the image of one face as Pillow image; raises `Unreadable`."""
        return to_pillow(self.source.read(int(self.images[index])))

    def cut(self, index: int, image: Any) -> Any:
        """Return one face of its image; raises `Unreadable`."""
        face = int(self.rows[index])
        if face < 0 and self.rule.no_face == "skip":
            owner = "table" if self.faces.detector is None else "detector"
            raise Unreadable(f"no face: the {owner} of faces has none for this image")
        if face < 0:
            return image
        if self.rule.align is not None:
            return align_face(
                image, self.faces.landmarks[face], self.rule.align, margin=self.rule.margin
            )
        return image.crop(self._box(face, image.size))

    def reference_mask(self, index: int) -> np.ndarray | None:
        """Return the same part of the image's reference mask, of any size; raises `Unreadable`."""
        from PIL import Image

        face, size = int(self.rows[index]), self.sizes.pop(index, None)
        mask = self.source.reference_mask(int(self.images[index]))
        if mask is None or face < 0:
            return mask
        size, rule = size or self._unread_size(index), self.rule
        picture = Image.fromarray(mask)
        if rule.align is not None:
            picture = (
                picture if picture.size == size else picture.resize(size, Image.Resampling.BILINEAR)
            )
            points = self.faces.landmarks[face]
            return np.asarray(align_face(picture, points, rule.align, margin=rule.margin))
        left, top, right, bottom = self._box(face, size)
        x, y = picture.width / size[0], picture.height / size[1]
        box = (left * x, top * y, right * x, bottom * y)
        return np.asarray(
            picture.resize((right - left, bottom - top), Image.Resampling.BILINEAR, box)
        )

    def identity(self, *, full: bool = False) -> dict[str, Any]:
        """Identity of the source, with the rule and the faces that are used."""
        used = self.rows[self.rows >= 0]
        kinds = (self.faces.boxes, self.faces.landmarks)
        sha = hashlib.sha256(self.images.astype("<i8").tobytes())
        for values in (self.rows >= 0, *(kind[used] for kind in kinds)):
            sha.update(np.ascontiguousarray(values).tobytes())
        faces = self.settings | {"table": sha.hexdigest()}
        return {"faces": faces} | source_identity(self.source, full=full)

    def _box(self, face: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
        box, rule = self.faces.boxes[face], self.rule
        try:
            return crop_box(box, size, margin=rule.margin, square=rule.square)
        except Unreadable as error:
            raise Unreadable(f"{error} (of {self.faces.places[face]} of the table)") from None

    def _unread_size(self, index: int) -> tuple[int, int]:
        self.read(index)
        return self.sizes.pop(index)


def _every_face(ids: Sequence[str], faces: FaceTable) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return the image, the face (-1 for none) and the id of each row where faces are images."""
    counts = np.bincount(faces.images, minlength=len(ids))
    images = np.repeat(np.arange(len(ids)), np.maximum(counts, 1))
    rows = np.full(len(images), -1)
    rows[counts[images] > 0] = np.arange(len(faces.images))
    starts = np.cumsum(counts) - counts
    names = [
        face_id(ids[i], row - int(starts[i])) if counts[i] > 1 else ids[i]
        for i, row in zip(images.tolist(), rows.tolist(), strict=True)
    ]
    return images, rows, names


def face_id(id: str, face: int) -> str:
    """Return the id of a face of an image: `a.png#face=1`, `clip.mp4#frame=12&t=0.480&face=1`."""
    return f"{id}{'&' if '#frame=' in id else '#'}face={face}"
