"""Images of a source as examples of a model: labels as class indices, and small pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from heapq import nsmallest
from io import BytesIO
from typing import Any

import numpy as np

from salix.data import ImageExamples, Source, Unreadable, id_hash
from salix.data.class_labels import class_indices
from salix.data.face_sources import face_rule, fixed_scores
from salix.data.videos import split_frame_id
from salix.engine.fixed_scores import FIXED
from salix.engine.segmentation import segmentation_identity
from salix.engine.targets import Targets, read_targets
from salix.model import Model
from salix.store import digest_items
from salix.typing import Column, InputError

THUMB = 112  # longest side of a stored picture, in pixels
HOST_COLUMNS = (
    Column("label", "Label", "Index of the example's class; -1 where unknown.", dtype="int32"),
    Column("thumb", "Thumbnail", "The image as a small JPEG, for a few rows.", dtype="binary"),
    Column(
        "reference_mask", "Reference mask", "The mask of the thumbnail as grey PNG.", dtype="binary"
    ),
)
GROUP = Column(
    "group",
    "Group",
    "Images of one group are not independent: frames of a video, crops of an identity.",
    dtype="string",
)
FRAMES = (
    Column("frame", "Frame", "Position of the frame in its video, from 0.", dtype="int64"),
    Column(
        "frame_time",
        "Frame time",
        "Seconds of the frame from the start of its video, by the video's mean frame rate.",
        dtype="float64",
    ),
)


@dataclass(frozen=True)
class LabelledImages:
    """The images of a source, as `Examples` of a classifier.

    `thumbs` images, an equal share of each class, are stored small for the gallery of a report.
    Rows have the column `group` where the source names the group of any image, and `frame` and
    `frame_time` where any is a frame of a video file. `full_content`
    hashes files as a whole for the identity of a run, not by samples. `segmentation` adds
    `segments`, and `targets`, "label" or a run, the explained class `target`; images without one
    are skipped. Raises `InputError` for a label that is not a class of the model, see
    `class_indices`, and as `read_targets`.
    """

    source: Source
    model: Model
    thumbs: int = 16
    full_content: bool = False
    segmentation: Any = None
    targets: Any = None
    columns: tuple[Column, ...] = field(init=False, repr=False)
    ids: Sequence[str] = field(init=False, repr=False)
    groups: Sequence[str | None] = field(init=False, repr=False)
    labels: Sequence[int | None] = field(init=False, repr=False)
    explained: Targets | None = field(init=False, repr=False)
    images: ImageExamples = field(init=False, repr=False)  # in the size of the model

    def __post_init__(self):
        rule, classes = face_rule(self.source), self.model.classes
        if rule is not None and rule.needs_two_classes and len(classes) != 2:
            raise InputError(
                f"faces with several={rule.several!r} and no_face={rule.no_face!r} need a model of "
                f"two classes, {self.model.name} has {len(classes)}: give others"
            )
        groups = self.source.groups
        columns = (*HOST_COLUMNS, GROUP) if any(groups) else HOST_COLUMNS
        if any("#frame=" in id and split_frame_id(id)[1] is not None for id in self.source.ids):
            columns = (*columns, *FRAMES)
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "ids", self.source.ids)
        object.__setattr__(self, "groups", groups)
        names, model = self.source.labels, self.model
        labels = class_indices(names, self.ids, model.classes, model=model.name)
        object.__setattr__(self, "labels", labels)
        targets = self.targets
        explained = None if targets is None else read_targets(targets, self.ids, labels, model)
        object.__setattr__(self, "explained", explained)
        images = ImageExamples(
            self.source,
            model.preprocess,
            full_content=self.full_content,
            segmentation=self.segmentation,
        )
        object.__setattr__(self, "images", images)

    @cached_property
    def fixed(self) -> Mapping[int, float] | None:
        """Fixed probabilities of the second class by position; None where no image can have one."""
        rule = face_rule(self.source)
        return None if rule is None or rule.score is None else fixed_scores(self.source)

    @cached_property
    def pictured(self) -> frozenset[int]:
        """Positions of the images that are stored small: the same ones for every model."""
        classes = set(self.labels)
        share = -(-self.thumbs // len(classes))
        members: dict[int | None, list[tuple[int, str, int]]] = {label: [] for label in classes}
        for i, (id, label) in enumerate(zip(self.ids, self.labels, strict=True)):
            members[label].append((id_hash(id), id, i))
            if len(members[label]) > 2 * share + 100:
                members[label] = nsmallest(share, members[label])
        return frozenset(i for some in members.values() for *_, i in nsmallest(share, some))

    @property
    def loading(self) -> "TargetedImages":
        """The part that loads, which can be sent to processes, as a model cannot."""
        targets = None if self.explained is None else self.explained.classes
        return TargetedImages(self.images, targets, self.fixed)

    def load(self, index: int) -> dict[str, Any]:
        """Decode one image and its reference mask; `Unreadable` without a class to explain."""
        return self.loading.load(index)

    def describe(self, index: int, example: dict[str, Any] | None) -> dict[str, Any]:
        """Return the label and the group, and the pictures of an image that is stored small."""
        row: dict[str, Any] = {"label": self.labels[index]}
        if GROUP in self.columns:
            row["group"] = self.groups[index]
        if FRAMES[0] in self.columns:
            _, frame, time = split_frame_id(self.ids[index])
            row |= {} if frame is None else {"frame": frame}
            row |= {} if time is None else {"frame_time": time}
        if example is not None and index in self.pictured:
            row["thumb"] = picture(example["pixels"], "JPEG")
            mask = example["reference_mask"]
            if mask is not None and mask.any():
                row["reference_mask"] = picture(mask, "PNG")
        return row

    def identity(self) -> dict[str, Any]:
        """Return digests of labels, groups, targets, and the content of images and masks."""
        groups = {"groups": digest_items(self.groups)} if any(self.groups) else {}
        labels = {"labels": digest_items(self.source.labels), "thumbs": self.thumbs}
        identity = self.images.identity()
        if self.segmentation is not None:
            identity["segments"] |= segmentation_identity(self.segmentation)
        if self.explained is not None:
            self.explained.check_images(identity, self.ids)
            labels["targets"] = digest_items(self.explained.classes)
        return labels | groups | identity


@dataclass(frozen=True)
class TargetedImages:
    """Images of a model's size with the explained class of each, or the reason why it has none."""

    images: ImageExamples
    targets: Sequence[int | str] | None
    fixed: Mapping[int, float] | None = None

    def load(self, index: int) -> dict[str, Any]:
        """Decode one image and its reference mask; `Unreadable` without a class to explain."""
        more: dict[str, Any] = {}
        if self.targets is not None:
            target = self.targets[index]
            if isinstance(target, str):
                raise Unreadable(target)
            more["target"] = np.int32(target)
        if self.fixed is not None:
            more[FIXED] = np.float32(self.fixed.get(index, np.nan))
        return self.images.load(index) | more


def picture(pixels: np.ndarray, format: str) -> bytes:
    """Encode 8-bit pixels as a small picture."""
    from PIL import Image

    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    image.thumbnail((THUMB, THUMB))
    buffer = BytesIO()
    image.save(buffer, format, quality=88)
    return buffer.getvalue()
