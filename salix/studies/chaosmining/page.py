"""Page of a ChaosMining study: tables beside the published ones, corrections and curves."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from salix.report.palette import COLOURS
from salix.studies.chaosmining.published import SWEEPS
from salix.studies.chaosmining.signals.tables import TITLES, signal_table
from salix.studies.pages import write_study_page

WIDTH, HEIGHT = 260, 150  # of a chart, in the units of its drawing
# As released, corrected, and the difference between them.
CORRECTIONS = (
    ("DL", "DeepLIFT", "DeepLIFT by its rescale rule, not input x gradient"),
    ("U SA released", "U SA", "saliency with its sign"),
    ("U IG", "U IG exact", "the integral, not a sum along the path"),
)


@dataclass(frozen=True)
class Line:
    """Curve of a chart: points in drawing units, and those of the published curve."""

    name: str
    colour: str
    points: str
    published: str
    last: float


def write_page(out: Path) -> Path:
    """Write `chaosmining.html` from the JSON and Parquet files of a study's directory.

    Formulas, images and sounds are sections of one page, each where it has results.
    """
    results = _read(out / "results.json")
    methods = method_names(results["scores"]) if results else []
    sweeps = [_read(out / f"sweep-{name}.json") for name in SWEEPS]
    signals = [_read(out / f"results-{kind}.json") for kind in TITLES]
    tables = [signal_table(of_kind) for of_kind in signals if of_kind]
    return write_study_page(
        out / "chaosmining.html",
        Path(__file__).parent,
        filters={"number": _number, "signed": _signed},
        headline=headline(results["scores"]) if results else signal_headline(tables),
        results=results,
        corrections=corrections(results) if results else (),
        methods=methods,
        formulas=_by_formula(out, methods) if results else {},
        signals=tables,
        sweeps=[_sweep(s, methods) for s in sweeps if s],
        selection=selection_lines(_read(out / "selection.json") or []),
        size=(WIDTH, HEIGHT),
    )


def method_names(scores: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the methods of a table, by their consistency scores."""
    ending = " consistency"
    return [s["score"].removesuffix(ending) for s in scores if s["score"].endswith(ending)]


def headline(scores: Sequence[Mapping[str, Any]]) -> str:
    """Return a sentence on the greatest difference from the published table, or on the best."""
    compared = [s for s in scores if s["difference"] is not None]
    if compared:
        worst = max(compared, key=lambda s: abs(s["difference"]))
        return (
            f"All {len(compared)} published scores are reproduced within "
            f"{abs(worst['difference']):.3f}; {worst['score']} is the furthest"
        )
    means = {s["score"]: s["mean"] for s in scores}
    best = max(method_names(scores), key=means.__getitem__)
    return f"{best} finds most of the relevant features: {means[best]:.3f} of them"


def signal_headline(tables: Sequence[Mapping[str, Any]]) -> str:
    """Return for each kind the method of the best mean over sets and networks."""
    parts = []
    for table in tables:
        means: dict[str, list[float]] = {}
        for line in table["lines"]:
            means.setdefault(line["method"], []).append(line["cells"][0]["mean"])
        best = max(means, key=lambda name: np.mean(means[name]))
        accuracy = np.mean([line["accuracy"] for line in table["lines"]])
        parts.append(
            f"{table['title']}: {best} has the best mean {table['metrics'][0]}, "
            f"{np.mean(means[best]):.3f}, of classifiers with mean accuracy {accuracy:.3f}"
        )
    return "; ".join(parts)


def corrections(results: Mapping[str, Any]) -> list[tuple[str, str, float, float]]:
    """Return rows of text, score, its value as released and its corrected value."""
    means = {s["score"]: s["mean"] for s in results["scores"]}
    rows = [
        (text, f"{old} → {new}", means[old], means[new])
        for old, new, text in CORRECTIONS
        if old in means and new in means
    ]
    mended = {s["score"]: s["mean"] for s in results.get("formula 12 mended", ())}
    names = ("Pred", *method_names(results["scores"])) if mended else ()
    return rows + [("formula 12 with its eighth feature", n, means[n], mended[n]) for n in names]


def selection_lines(cells: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the formulas, and each selector's cells by formula with their mean precision."""
    lines: dict[tuple[str, str], dict[str, Any]] = {}
    for cell in cells:
        lines.setdefault((cell["selector"], cell["ranked_on"]), {})[cell["formula"]] = cell
    means = {k: np.mean([c["precision"] for c in row.values()]) for k, row in lines.items()}
    formulas = list(dict.fromkeys(c["formula"] for c in cells))
    return {"formulas": formulas, "lines": lines, "means": means}


def _read(path: Path) -> Any:
    return json.loads(path.read_text()) if path.exists() else None


def _by_formula(out: Path, methods: Sequence[str]) -> Mapping[str, Mapping[str, float]]:
    """Return the mean over seeds of Pred and each method's precision, by formula."""
    values: dict[str, dict[str, list[float]]] = {}
    for row in pq.read_table(out / "scores.parquet").to_pylist():
        if row["score"] in ("Pred", *methods):
            of_formula = values.setdefault(row["formula"], {})
            of_formula.setdefault(row["score"], []).append(row["value"])
    return {f: {s: float(np.mean(v)) for s, v in of.items()} for f, of in values.items()}


def _sweep(sweep: Mapping[str, Any], methods: Sequence[str]) -> Mapping[str, Any]:
    """Return a sweep with its curves, and its methods from the best to the last at each value."""
    names = [m for m in methods if m in sweep["scores"]]
    lines = [_line(name, sweep["scores"][name], i) for i, name in enumerate(names)]
    ranks = []
    for i, value in enumerate(sweep["values"]):
        order = sorted(names, key=lambda n, i=i: -sweep["scores"][n]["mean"][i])
        ranks.append((value, [(n, sweep["scores"][n]["mean"][i]) for n in order]))
    title = sweep["sweep"].replace("_", " ")
    return {**sweep, "title": title, "lines": lines, "ranks": ranks, "ticks": _ticks(sweep)}


def _line(name: str, score: Mapping[str, Any], index: int) -> Line:
    last = _place(len(score["mean"]) - 1, score["mean"][-1], len(score["mean"]))[1]
    colour = COLOURS[index % len(COLOURS)]
    return Line(name, colour, _points(score["mean"]), _points(score["published"]), last)


def _points(values: Sequence[float | None]) -> str:
    places = [_place(i, v, len(values)) for i, v in enumerate(values) if v is not None]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _place(index: int, value: float, count: int) -> tuple[float, float]:
    """Return a point's place: values are at even distances, scores from 0 at the bottom to 1."""
    return WIDTH * index / max(count - 1, 1), HEIGHT * (1 - value)


def _ticks(sweep: Mapping[str, Any]) -> list[tuple[float, str]]:
    values = sweep["values"]
    places = [_place(i, 0.0, len(values))[0] for i in range(len(values))]
    return [
        (x, f"{v:g}" if not isinstance(v, str) else v) for x, v in zip(places, values, strict=True)
    ]


def _number(value: float | None, digits: int = 4) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.4f}".replace("-", "−")
