"""Page of an Agg²Exp study."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from salix.studies.agg2exp.drawings import SIDE, boxes, graph, scatter, shade, tree
from salix.studies.pages import write_study_page

QUALITY_NOTES = {
    "faithfulness": "higher is better, −1 to 1",
    "sensitivity": "lower is better, from 0",
    "complexity": "lower is simpler, 0 to 1",
}


def write_page(out: Path) -> Path:
    """Write `agg2exp.html` from the `results.json` of a study's directory."""
    results = json.loads((out / "results.json").read_text())
    return write_study_page(
        out / "agg2exp.html",
        Path(__file__).parent,
        filters={"number": _number, "percent": _percent},
        shade=shade,
        side=SIDE,
        headline=headline(results),
        results=results,
        methods=[_method(name, of, results) for name, of in results["methods"].items()],
        quality=quality_table(results),
        notes=QUALITY_NOTES,
        truth=[_truth(name, of, results) for name, of in results["methods"].items()]
        if results["known"]
        else [],
        dice=_column_means(results["dice"]),
    )


def headline(results: Mapping[str, Any]) -> str:
    """Return a sentence on the strongest dependence of a class on another region by lift."""
    targets, regions = results["targets"], results["regions"]
    name = next(iter(results["methods"]))
    edges = results["methods"][name]["edges"]
    if targets == regions and edges:
        best = max(edges, key=lambda e: e["strength"])
        region, target = regions[best["region"]], targets[best["target"]]
        times = f"{best['strength']:.1f} times its share of the volume"
        return f"“{target}” leans most on “{region}”: {times} by {name}"
    lifts = results["methods"][name]["lift"]["mean"][-1]
    known = [r for r, v in enumerate(lifts) if v is not None]
    if not known:
        return f"“{targets[-1]}” was never predicted"
    best = max(known, key=lambda r: lifts[r])
    times = f"{lifts[best]:.1f} times its share of the volume"
    return f"“{targets[-1]}” leans most on “{regions[best]}”: {times} by {name}"


def _method(name: str, of: Mapping[str, Any], results: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of one method."""
    targets, regions = results["targets"], results["regions"]
    masses = np.array(of["masses"], float)  # None becomes NaN
    nodes, arrows = graph(regions, of["edges"]) if targets == regions else ([], [])
    outliers = []
    for row in of["outliers"]:
        dice = [d[row["target"]] for d in results["dice"]]
        drawing = scatter(row["scores"], dice, results["scans"])
        outliers.append({**row, "name": targets[row["target"]], "scatter": drawing})
    square = targets == regions
    kinds = {"mass": "Mass", "lift": "Lift", "distance_lift": "Lift at equal distance"}
    matrices = [(t, kind, of[kind], _top(of[kind]["mean"], square)) for kind, t in kinds.items()]
    return {
        "name": name,
        "matrices": matrices,
        "nodes": nodes,
        "arrows": arrows,
        "tree": tree(of["clusters"], targets) if of["clusters"] else None,
        "cophenetic": (of["clusters"] or {}).get("cophenetic"),
        "boxes": [(t, boxes(masses[:, i, 1:], regions[1:])) for i, t in enumerate(targets) if i],
        "outliers": outliers,
        "completeness": max((c for c in of["completeness"] if c is not None), default=None),
    }


def _top(matrix: Sequence[Sequence[float | None]], square: bool) -> float:
    """Return the largest value beside the background and, of `square` matrices, the diagonal."""
    values = [
        v
        for t, row in enumerate(matrix)
        for r, v in enumerate(row)
        if r != 0 and not (square and r == t)
    ]
    return max((v for v in values if v is not None), default=1.0)


def _truth(name: str, of: Mapping[str, Any], results: Mapping[str, Any]) -> dict[str, Any]:
    """Return the lifts of the true dependences and of the control by a method."""
    targets, control = results["targets"], results["control"]

    def strengths(target: int, region: int) -> dict[str, Any]:
        kinds = ("lift", "distance_lift")
        return {kind: of[kind]["mean"][target][region] for kind in kinds}

    rows = [
        {
            **row,
            "target": targets[row["target"]],
            "source": targets[row["source"]],
            "of_source": strengths(row["target"], row["source"]),
            "of_control": strengths(row["target"], control),
        }
        for row in of["known"]
    ]
    return {"name": name, "rows": rows}


def quality_table(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return the qualities by method, and the method of the greatest mean faithfulness."""
    cells: dict[str, dict[str, Any]] = {}
    for row in results["quality"]:
        cells.setdefault(row["method"], {})[row["metric"]] = row
    faithful = {
        m: c["faithfulness"]["value"]
        for m, c in cells.items()
        if c.get("faithfulness", {}).get("value") is not None
    }
    best = max(faithful, key=faithful.__getitem__) if faithful else None
    return {"cells": cells, "best": best}


def _column_means(rows: Sequence[Sequence[float | None]]) -> list[float | None]:
    means = []
    for column in zip(*rows, strict=True):
        known = [v for v in column if v is not None]
        means.append(float(np.mean(known)) if known else None)
    return means


def _number(value: float | None, digits: int = 3) -> str:
    return "" if value is None or not np.isfinite(value) else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f} %"
