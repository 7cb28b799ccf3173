"""Pictures of the images that runs stored, with the map of each run, matched by the image's id."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from salix.analysis import Analysis, Frame
from salix.analysis.agreement import eight_bit
from salix.report import heatmap

PICTURES = 240  # maps on a page, which keeps it small with many runs
MOST, LEAST = 24, 6  # images
SOURCE_COLUMNS = ("label", "thumb", "reference_mask")
MAP_COLUMNS = ("label", "predicted", "logits", "constant_map", "map")


@dataclass(frozen=True)
class MapPicture:
    """Map and decision of one run on one image; `outcome` is "right", "wrong" or "" if unknown."""

    smooth: str
    pixelated: str
    predicted: str
    probability: str
    outcome: str
    constant_map: bool
    alt: str


@dataclass(frozen=True)
class ImagePictures:
    """One image: photograph, outline of its reference mask, and its maps (None: not in that run).

    `index` is its place in the gallery.
    """

    index: int
    id: str
    label: str
    photo: str
    size: tuple[int, int]
    outline: str
    maps: tuple[MapPicture | None, ...]


@dataclass(frozen=True)
class Gallery:
    """The images that are shown, the number that are stored, and the mean share of their masks.

    `drawn` is false where no map has two axes.
    """

    images: tuple[ImagePictures, ...]
    stored: int
    mask_share: float | None
    drawn: bool

    def examples(self, count: int) -> tuple[ImagePictures, ...]:
        """Return the first images with a reference mask, then the first without: never the best."""
        return tuple(sorted(self.images, key=lambda image: not image.outline)[:count])


def gallery(analysis: Analysis) -> Gallery:
    """Draw the images that runs stored a picture of: the classes in turn, in the data's order.

    Pictures and maps are read of the images that are shown alone.
    """
    frames = analysis.frames
    origins: dict[str, tuple[Frame, int]] = {}  # frame with the picture, label
    shares: list[float] = []
    for frame in frames:
        if not frame.has("thumb"):
            continue
        known = [n for n in SOURCE_COLUMNS if frame.has(n)]
        for part in frame.run.iterate(["id", *known]):
            for i in np.flatnonzero([t is not None for t in part["thumb"]]):
                id = str(part["id"][i])
                if id not in origins:
                    origins[id] = (frame, int(part["label"][i]) if "label" in part else -1)
                    mask = part["reference_mask"][i] if "reference_mask" in part else None
                    share = heatmap.mask_share(mask)
                    shares += [] if share is None else [share]
    most = max(LEAST, min(MOST, PICTURES // len(frames)))
    ids = _in_turn({id: label for id, (_, label) in origins.items()})[:most]
    sources = {f: f.rows([id for id in ids if origins[id][0] == f], SOURCE_COLUMNS) for f in frames}
    rows = [frame.rows(ids, MAP_COLUMNS) for frame in frames]
    images = (
        _draw(n, id, origins[id][0], sources[origins[id][0]][id], frames, rows)
        for n, id in enumerate(ids)
    )
    drawn = any(f.has("map") and len(f.run.columns["map"].shape) == 2 for f in frames)
    return Gallery(tuple(images), len(origins), float(np.mean(shares)) if shares else None, drawn)


def draw_images(
    frames: Sequence[Frame],
    ids: Sequence[str],
    *,
    first: int = 0,
    pictures: Mapping[str, bytes] | None = None,
) -> tuple[ImagePictures, ...]:
    """Draw some images and their maps, whether a run stored a picture of them or not.

    `first` is the index of the first image. `pictures` are encoded images by id, in the place of
    the stored ones.
    """
    replacements = pictures or {}
    rows = [frame.rows(ids, (*SOURCE_COLUMNS, *MAP_COLUMNS)) for frame in frames]
    images = []
    for n, id in enumerate(ids, first):
        known = [(f, by[id]) for f, by in zip(frames, rows, strict=True) if id in by]
        frame, row = next((k for k in known if k[1].get("thumb") is not None), known[0])
        source = row | {"thumb": replacements.get(id, row.get("thumb"))}
        images.append(_draw(n, id, frame, source, frames, rows))
    return tuple(images)


def _in_turn(labels: dict[str, int]) -> list[str]:
    """Order ids so that the labels alternate."""
    counts: dict[int, int] = {}
    turns = {}
    for id, label in labels.items():
        turns[id] = counts[label] = counts.get(label, -1) + 1
    return sorted(labels, key=turns.__getitem__)


def _draw(
    index: int,
    id: str,
    source: Frame,
    row: dict[str, Any],
    frames: Sequence[Frame],
    rows: Sequence[dict[str, dict[str, Any]]],
) -> ImagePictures:
    photo, size = heatmap.photograph(row["thumb"]) or ("", (96, 96))
    maps = [_draw_map(f, by[id]) if id in by else None for f, by in zip(frames, rows, strict=True)]
    return ImagePictures(
        index=index,
        id=id,
        label=source.class_name(int(row.get("label", -1))),
        photo=photo,
        size=size,
        outline=heatmap.mask_outline(row.get("reference_mask"), size),
        maps=tuple(maps),
    )


def _draw_map(frame: Frame, row: dict[str, Any]) -> MapPicture:
    label, decision = int(row.get("label", -1)), int(row.get("predicted", -1))
    predicted = frame.class_name(decision)
    probability = _probability(frame, row["logits"], decision) if "logits" in row else ""
    outcome = "" if min(label, decision) < 0 else "right" if label == decision else "wrong"
    constant_map = bool(row.get("constant_map", False))
    values = row.get("map")
    drawn = [] if values is None or values.ndim != 2 or constant_map else [eight_bit(values)]
    what = "constant map" if constant_map else "salience map"
    parts = [f"predicted {predicted}" if predicted else "", probability, outcome]
    texts = ", ".join(part for part in parts if part)
    return MapPicture(
        smooth="".join(map(heatmap.smooth, drawn)),
        pixelated="".join(map(heatmap.pixelated, drawn)),
        predicted=predicted,
        probability=probability,
        outcome=outcome,
        constant_map=constant_map,
        alt=f"{what} of {frame.run.name}: {texts}",
    )


def _probability(frame: Frame, logits: np.ndarray, predicted: int) -> str:
    """Write the softmax of the logits: of class 1 of two, else of the predicted class."""
    two = len(frame.classes) == 2
    name = frame.classes[1] if two else frame.class_name(predicted)
    z = logits.astype(np.float64)
    with np.errstate(invalid="ignore"):
        e = np.exp(z - z.max())
        value = (e / e.sum())[1 if two else predicted]
    return f"P({name}) = {value:.2f}" if np.isfinite(value) else f"P({name}) not finite"
