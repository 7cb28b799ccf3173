"""Study of many items: sums of each cached once, rows of all pairs, and a page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from salix.analysis.pair_similarity import DRAWN as DRAWN_PAIRS
from salix.data.notes import printable
from salix.engine.problem_run import run_problem
from salix.studies.siamese.attribution import PairAttribution
from salix.studies.siamese.controls import ControlledEncoder, run_controls
from salix.studies.siamese.items import Item, integrate_items
from salix.studies.siamese.page import LARGE, write_page
from salix.studies.siamese.pairs import ExplainedPair, similarity
from salix.studies.siamese.problem import (
    PairExamples,
    SimilarityProblem,
    share_column,
    stack_items,
)
from salix.studies.siamese.word_classes import CLASSES, class_counts, word_classes
from salix.studies.trial_files import write_json
from salix.typing import InputError

TERMS = ("score", "a_reference", "reference_b", "references", "sum", "residual")
DRAWN = 10  # pairs on the page, where none are named


def run_similar(
    out: Path,
    method: PairAttribution,
    encoder: ControlledEncoder,
    names: Sequence[str],
    *,
    pairs: Sequence[tuple[str, str]] = (),
    classes: bool = False,
    seed: int = 0,
) -> Path:
    """Write rows of all pairs of items, and a page of some; returns the path of the page.

    `encoder` integrates an item by its name: `SentenceEncoder`, or one of faces. The sums of each
    item are cached in `out`, so that n items take n integrations for n² pairs, and an interrupted
    study continues. `pairs` are those to draw, by default the ten most similar ones,
    with their controls, drawn by `seed`. Pairs of an unusable item are skipped, with the reason.
    With `classes` the rows and the page have the shares of the attributions by part of speech, of
    English sentences. Raises `InputError` for fewer than two usable items, for unusable settings,
    and for an `out` that is a file or of another run.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: give --out a directory")
    if len(set(names)) < 2:
        raise InputError(f"items are {list(names)[:2]}: give two that differ")
    names = tuple(dict.fromkeys(names))
    items, reasons = integrate_items(out / "items", method, encoder, names)
    if len(items) < 2:
        raise InputError(
            f"{len(items)} of {len(names)} items can be used: give two or more; "
            + "; ".join(list(reasons.values())[:3])
        )
    words = classify_words(items.values()) if classes else None
    run = run_problem(
        SimilarityProblem(method, classes),
        stack_items([items.get(name) for name in names], words),
        PairExamples(names, reasons),
        out=out / "pairs",
        batch_size=256,
        unit="pairs",
    )
    usable = tuple(items)
    rows = run.read()  # without those that are skipped
    drawn = tuple(pair for pair in pairs if set(pair) <= set(items))
    chosen = drawn or most_similar(usable, rows["score"])
    similarities = [similarity(method, items[a], items[b]) for a, b in chosen]
    controls = run_controls(method, encoder, chosen, seed=seed)
    results = {
        "attribution": repr(method),
        "encoder": encoder.name,
        "pairs": [s.row() | {"strongest": s.strongest(10)} for s in similarities],
        "controls": [asdict(control) for control in controls],
        "items": [item.row() for item in items.values()],
        "classes": class_shares(rows, words) if words else [],
        "skipped": [{"name": printable(n), "reason": printable(r)} for n, r in reasons.items()],
    }
    write_json(out / "results.json", results)
    drawn_pairs = [s.row() | s.drawing() for s in similarities]
    write_json(out / "pairs" / DRAWN_PAIRS, {"pairs": drawn_pairs, "classes": results["classes"]})
    pictures = {name: encoder.picture(name) for name in usable}
    return write_page(out, results, similarities, summarise_rows(rows, len(usable)), pictures)


def classify_words(items: Iterable[Item]) -> dict[str, np.ndarray]:
    """Return the classes of the words of sentences, by their text; see `word_classes`."""
    items = tuple(items)
    if any(item.spans is None for item in items):
        raise InputError("classes of words are of sentences: leave out --classes")
    return {i.name: word_classes(i.name, np.asarray(i.spans)) for i in items}


def class_shares(
    rows: Mapping[str, np.ndarray], words: Mapping[str, np.ndarray]
) -> list[dict[str, Any]]:
    """Return the mean share of |A| of each class, of different items, and its share of words."""
    different = rows["a"] != rows["b"]
    counts = [class_counts(classes) / len(classes) for classes in words.values()]
    return [
        {"class": name, "share": float(np.mean(rows[share_column(name)][different])), "words": own}
        for name, own in zip(CLASSES, np.mean(counts, 0).tolist(), strict=True)
    ]


def summarise_rows(rows: Mapping[str, np.ndarray], count: int) -> dict[str, Any]:
    """Return the means of the columns over pairs of different items, and the scores [n n]."""
    different = ~np.eye(count, dtype=bool).ravel()
    columns = {name: rows[name][different] for name in rows if name.startswith("pairs_")}
    columns |= {name: rows[name][different] for name in TERMS}
    means = {name: float(np.mean(values)) for name, values in columns.items()}
    largest = float(np.abs(columns["residual"]).max())
    return {"means": means, "largest": largest, "scores": rows["score"].reshape(count, count)}


def most_similar(names: Sequence[str], scores: np.ndarray) -> tuple[tuple[str, str], ...]:
    """Return the pairs of different items of greatest score, each once."""
    count = len(names)
    unordered = sorted(
        combinations(range(count), 2), key=lambda pair: -scores[pair[0] * count + pair[1]]
    )
    return tuple((names[i], names[j]) for i, j in unordered[:DRAWN])


def read_pairs(path: Path) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the items of a text file and the pairs among them.

    A line is an item, or a pair divided by a tab. Raises `InputError`, with the line, for a file
    that cannot be read, more than two items on a line, and fewer than two in all.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # a text may have other breaks
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise InputError(f"{path}: cannot be read ({reason})") from None
    names, pairs = [], []
    for number, line in enumerate(lines, 1):
        parts = [part.strip() for part in line.split("\t")]
        if not line.strip():
            continue
        if len(parts) > 2 or not all(parts):
            raise InputError(
                f"{path}, line {number}: {line[:40]!r} is not one item, nor two divided by a tab"
            )
        names += parts
        pairs += [(parts[0], parts[1])] if len(parts) == 2 else []
    if len(set(names)) < 2:
        raise InputError(f"{path}: has fewer than two items")
    return names, pairs


def describe_pair(pair: ExplainedPair, count: int = 8) -> list[str]:
    """Return lines on a pair: score, terms of the identity, and its strongest word pairs."""
    row = pair.row()
    terms = (
        f"{row['score']:+.4f} - f(a, r) {row['a_reference']:+.4f} - f(r, b) "
        f"{row['reference_b']:+.4f} + f(r, r) {row['references']:+.4f}"
    )
    lines = [
        f"similarity {row['score']:.4f}",
        f"sum of attributions {row['sum']:+.4f} = {terms}, residual {row['residual']:.1e}",
        f"{row['pairs_50']}, {row['pairs_80']} and {row['pairs_95']} of {row['pairs']} word pairs "
        "have 50, 80 and 95 % of it",
    ]
    if abs(row["residual"]) > LARGE:
        lines.append("the residual is large: give more --steps, or --rule midpoint at layer 0")
    strongest = pair.strongest(count)
    width = max(len(a) for a, _, _ in strongest)
    return lines + [f"  {value:+.4f}  {a:>{width}}  {b}" for a, b, value in strongest]
