"""Coordinates of the figures of the page: graph, tree, box plots and scatter."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

SIDE = 420  # of the graph, in the units of its drawing
WIDTH, ROW = 420, 22  # of tree and box plots
BEST_EDGES = 2  # of each class in the graph


@dataclass(frozen=True)
class GraphNode:
    """Class on the circle of the graph, with the place and anchor of its name."""

    x: float
    y: float
    name: str
    label_x: float
    label_y: float
    anchor: str


@dataclass(frozen=True)
class Arrow:
    """Arrow from a region to the class that leans on it."""

    path: str
    width: float
    text: str


def graph(
    names: Sequence[str], edges: Sequence[Mapping[str, Any]]
) -> tuple[list[GraphNode], list[Arrow]]:
    """Return nodes on a circle, and arrows whose width grows with the square root of the lift."""
    nodes = []
    for i, name in enumerate(names):
        angle = 2 * math.pi * i / len(names) - math.pi / 2
        x, y = (SIDE / 2 + SIDE * 0.33 * f(angle) for f in (math.cos, math.sin))
        label_x, label_y = (SIDE / 2 + SIDE * 0.38 * f(angle) for f in (math.cos, math.sin))
        side = math.cos(angle)
        anchor = "middle" if abs(side) < 0.2 else "start" if side > 0 else "end"
        nodes.append(GraphNode(x, y, name, label_x, label_y + 4, anchor))
    ranked: dict[int, int] = {}
    strongest = max((e["strength"] for e in edges), default=1.0)
    arrows = []
    for e in edges:
        ranked[e["target"]] = ranked.get(e["target"], 0) + 1
        if ranked[e["target"]] > BEST_EDGES or e["strength"] <= 1:  # below chance
            continue
        a, b = nodes[e["region"]], nodes[e["target"]]
        length = math.hypot(b.x - a.x, b.y - a.y)
        ux, uy = (b.x - a.x) / length, (b.y - a.y) / length
        x1, y1, x2, y2 = a.x + 9 * ux, a.y + 9 * uy, b.x - 13 * ux, b.y - 13 * uy
        mx, my = (x1 + x2) / 2 - 18 * uy, (y1 + y2) / 2 + 18 * ux  # apart from the way back
        path = f"M{x1:.1f} {y1:.1f}Q{mx:.1f} {my:.1f} {x2:.1f} {y2:.1f}"
        text = f"{names[e['target']]} leans on {names[e['region']]}: lift {e['strength']:.2f}"
        arrows.append(Arrow(path, 0.8 + 4 * math.sqrt(e["strength"] / strongest), text))
    return nodes, arrows


def tree(clusters: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return the names of the leaves and the brackets of merged clusters, root at the right."""
    order = [int(i) for i in clusters["leaves"]]
    places = {leaf: (0.0, ROW * (i + 0.5)) for i, leaf in enumerate(order)}
    top = max(row[2] for row in clusters["linkage"]) or 1.0
    paths = []
    for n, (first, second, distance, _) in enumerate(clusters["linkage"]):
        (x1, y1), (x2, y2) = places[int(first)], places[int(second)]
        x = 240 * distance / top
        paths.append(f"M{x1:.1f} {y1:.1f}H{x:.1f}V{y2:.1f}H{x2:.1f}")
        places[len(order) + n] = (x, (y1 + y2) / 2)
    leaves = [(names[i], ROW * (k + 0.5)) for k, i in enumerate(order)]
    return {"paths": paths, "leaves": leaves, "height": ROW * len(order)}


def boxes(values: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """Return the box plots of a target's values over scans [scans regions], one for each region.

    A box spans the quartiles and its whiskers all scans.
    """
    top = float(np.nanmax(values)) if np.isfinite(values).any() else 1.0
    rows = []
    for i, name in enumerate(names):
        finite = values[np.isfinite(values[:, i]), i]
        if not len(finite):
            continue
        five = np.percentile(finite, [0, 25, 50, 75, 100]) / (top or 1.0) * 260
        rows.append({"name": name, "y": ROW * (len(rows) + 0.5), "x": [float(v) for v in five]})
    return {"rows": rows, "height": ROW * len(rows), "top": top}


def scatter(
    scores: Sequence[float | None], dice: Sequence[float | None], names: Sequence[str]
) -> dict[str, Any] | None:
    """Return the points of outlier score (across) and Dice (up), None with fewer than two."""
    known = [
        (s, d, n)
        for s, d, n in zip(scores, dice, names, strict=True)
        if s is not None and d is not None
    ]
    if len(known) < 2:
        return None
    low, high = min(s for s, _, _ in known), max(s for s, _, _ in known)
    points = [
        (
            180 * (s - low) / ((high - low) or 1.0),
            120 * (1 - d),
            f"{n}: score {s:.2f}, Dice {d:.2f}",
        )
        for s, d, n in known
    ]
    return {"points": points, "low": low, "high": high}


def shade(value: float | None, top: float) -> str:
    """Return the background of a matrix cell, deeper for larger values; none below 0 or unknown."""
    if value is None or value <= 0 or top <= 0:
        return "transparent"
    return f"rgba(0, 114, 178, {0.75 * math.sqrt(min(value / top, 1)):.2f})"
