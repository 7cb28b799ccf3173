"""Section: similarity of the maps of all runs, and the least and most stable images."""

from dataclasses import dataclass

import numpy as np

from salix.analysis import Analysis, Frame, RunSimilarity
from salix.analysis.agreement import eight_bit
from salix.report import heatmap
from salix.report.section import Section, read_template
from salix.stats import cluster_count

EXTREMES = 3  # images at either end
MATRIX = 24  # runs at most; more are not readable


@dataclass(frozen=True)
class StableImage:
    """One image with a picture of each run's map (None where constant), and their similarity."""

    id: str
    label: str
    similarity: float
    maps: tuple[tuple[str, str] | None, ...]  # address, text


def build(analysis: Analysis) -> Section | None:
    """Draw the matrix of pairs of runs and the two ends of the images; None for one run."""
    similarity = analysis.similarity
    if similarity is None or len(similarity.runs) > MATRIX:
        return None
    least, most = _extremes(similarity)
    shades = [[(f"{max(0.0, v) * 0.5:.3f}", float(v)) for v in row] for row in similarity.mean]
    return Section(
        "stability",
        "How alike the maps of two models are",
        read_template(__file__),
        {
            "names": [(run.name, run.group) for run in similarity.runs],
            "matrix": shades,
            "images": len(similarity.ids),
            "clusters": cluster_count(similarity.clusters),
            "left_out": max(similarity.left_out),
            "extremes": (("least", least), ("most", most)) if most else (),
        },
        link="Stability",
    )


def _extremes(similarity: RunSimilarity) -> tuple[list[StableImage], list[StableImage]]:
    """Return the images on which runs of a group agree least and most."""
    order = np.argsort(similarity.within, kind="stable")
    order = order[np.isfinite(similarity.within[order])]
    if len(order) < 2 * EXTREMES or len(similarity.runs[0].columns["map"].shape) != 2:
        return [], []
    ends = order[:EXTREMES].tolist(), order[::-1][:EXTREMES].tolist()
    ids = {similarity.ids[i] for end in ends for i in end}
    frames = [Frame(run) for run in similarity.runs]
    names = ("label", "predicted", "constant_map", "map")
    rows = [frame.rows(ids, names) for frame in frames]
    least, most = (
        [
            StableImage(
                id,
                next(
                    (
                        n
                        for f, r in zip(frames, rows, strict=True)
                        if (n := f.class_name(int(r[id].get("label", -1))))
                    ),
                    "",
                ),
                float(similarity.within[i]),
                tuple(_picture(f, r[id]) for f, r in zip(frames, rows, strict=True)),
            )
            for i in end
            for id in [similarity.ids[i]]
        ]
        for end in ends
    )
    return least, most


def _picture(frame: Frame, row: dict) -> tuple[str, str] | None:
    if row["constant_map"]:
        return None
    text = f"salience map of {frame.run.name}"
    if "predicted" in row:
        text += f", predicted {frame.class_name(int(row['predicted']))}"
    return heatmap.pixelated(eight_bit(row["map"])), text
