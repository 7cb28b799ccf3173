"""Section: shares of the maps on the parts of a face, by generator, with the mean maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from salix.analysis import Analysis
from salix.analysis.face_parts import SHARE, FaceParts, FacePartTable, PartShares, face_part_table
from salix.analysis.generators import GeneratorRule
from salix.analysis.part_shares import part_labels
from salix.analysis.summary import plain_interval
from salix.report import heatmap
from salix.report.export import record
from salix.report.face_layout import face_layout, moved_layout
from salix.report.map_drawings import draw_face_maps, draw_part_shares
from salix.report.section import Section, in_groups, read_template
from salix.store.faces import face_settings

SIDE = 112  # units of a drawing of the crop
DARKEST, MOST = 0.34, 2.0  # opacity of the background at the greatest ratio, and its log2


@dataclass(frozen=True, eq=False)
class PartOutline:
    """Outline of the parts of one layout, and the places of their numbers."""

    layout: FaceParts
    path: str
    places: tuple[tuple[float, float], ...]


def build(
    analysis: Analysis, *, layout: FaceParts | None = None, generators: GeneratorRule = "subset"
) -> Section | None:
    """Tabulate the shares of runs over faces; None where no run has cut faces and maps.

    `layout` are the parts of the images of runs without a rule for faces: by it the user says that
    these are upright, centred crops. Raises `InputError` where `find_generators` does.
    """
    own = [_layout(frame.run, layout) for frame in analysis.frames]
    pairs = [(f, at) for f, at in zip(analysis.frames, own, strict=True) if at is not None]
    table = face_part_table([f for f, _ in pairs], [at for _, at in pairs], by=generators)
    if table is None:
        return None
    distinct = list(dict.fromkeys(table.layouts.values()))
    top = max(float(row.mean.max()) for row in table.rows) or 1.0
    return Section(
        "face-parts",
        "Where on the face",
        read_template(__file__),
        {
            "parts": FaceParts.parts,
            "outlines": [_outline(at) for at in distinct],
            "groups": [_group(table, group, distinct, top) for group in table.layouts],
            "left_out": [f.run.name for f, at in zip(analysis.frames, own, strict=True) if not at],
            "by_rule": any(face_layout(f.run) for f, _ in pairs),
            "uncut": any(_takes_uncut(frame.run) for frame, _ in pairs),
            "top": top,
            "column": SHARE,
            "shade": shade,
        },
        link="Face parts",
        drawings={
            "face-parts": partial(draw_part_shares, table),
            "face-parts-maps": partial(draw_face_maps, table),
        },
        records=_records(table),
        data={"face_parts": [_plain(row, table.areas(row.group)) for row in table.rows]},
    )


def _layout(run: Any, layout: FaceParts | None) -> FaceParts | None:
    if (own := face_layout(run)) is not None or layout is None:
        return own
    return moved_layout(layout, run)


def _takes_uncut(run: Any) -> bool:
    """Whether images without a face were taken as they are."""
    return face_settings(run.manifest).get("no_face") == "whole"


def _outline(layout: FaceParts) -> PartOutline:
    labels = part_labels(layout)
    path, places = [], []
    for label in range(1, FaceParts.count + 1):
        region = labels == label
        path.append(heatmap.outline(region.astype(np.float64), (SIDE, SIDE)))
        places.append(_inner(region) if region.any() else (-SIDE, -SIDE))
    return PartOutline(layout, "".join(path), tuple(places))


def _inner(region: np.ndarray) -> tuple[float, float]:
    """Return the place of a region that is farthest from its edge, in units of the drawing."""
    from scipy.ndimage import distance_transform_edt

    depth = np.asarray(distance_transform_edt(np.pad(region, 1)))
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    scale = SIDE / len(region)
    return round((float(x) - 0.5) * scale, 1), round((float(y) - 0.5) * scale, 1)


def _group(
    table: FacePartTable, group: str, distinct: Sequence[FaceParts], top: float
) -> dict[str, Any]:
    rows = [
        (row, heatmap.mean_picture(row.mean * 255, top * 255), _images(row))
        for row in table.rows
        if row.group == group
    ]
    layout = distinct.index(table.layouts[group])
    return {"name": group, "rows": rows, "areas": table.areas(group).tolist(), "layout": layout}


def _images(row: PartShares) -> str:
    images = in_groups(row.images, max(i.clusters for i in row.shares))
    return f"{images}, {row.runs} runs" if row.runs > 1 else images


def shade(value: float, area: float) -> str:
    """Return the background of a share: blue above the part's area, orange below."""
    if not (np.isfinite(value) and area > 0):
        return "none"
    ratio = float(np.clip(np.log2(max(value, 1e-9) / area), -MOST, MOST))
    colour = "0, 114, 178" if ratio >= 0 else "196, 78, 0"
    return f"rgba({colour}, {abs(ratio) / MOST * DARKEST:.3f})"


def _records(table: FacePartTable) -> list[dict[str, Any]]:
    """Return a record for each share, with the generator and the part as its coordinate."""
    return [
        record("face part", row.group, None, SHARE.key, f"{row.generator}: {part}", share)
        for row in table.rows
        for part, share in zip(FaceParts.parts, row.shares, strict=True)
    ]


def _plain(row: PartShares, areas: np.ndarray) -> Mapping[str, Any]:
    shares = {
        part: plain_interval(share) | {"area": round(float(area), 6)}
        for part, share, area in zip(FaceParts.parts, row.shares, areas, strict=True)
    }
    head = {"group": row.group, "generator": row.generator, "images": row.images}
    return head | {"runs": row.runs, "shares": shares}
