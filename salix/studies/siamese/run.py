"""Study of many items: sums of each cached once, rows of all pairs, and a page."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from salix.engine.problem_run import run_problem
from salix.progress import Progress
from salix.studies.siamese.attribution import IntegratedSide, PairAttribution
from salix.studies.siamese.controls import run_controls
from salix.studies.siamese.page import write_page
from salix.studies.siamese.pairs import ExplainedPair, similarity
from salix.studies.siamese.problem import PairExamples, SimilarityProblem, stack_items
from salix.studies.siamese.sentences import Item, SentenceEncoder
from salix.studies.trial_files import read_arrays, write_arrays, write_json
from salix.typing import InputError

VERSION = 1  # of sums: raised where their numbers change
TERMS = ("score", "a_reference", "reference_b", "references", "sum", "residual")
DRAWN = 10  # pairs on the page, where none are named


def run_similar(
    out: Path,
    method: PairAttribution,
    encoder: Any,
    names: Sequence[str],
    *,
    pairs: Sequence[tuple[str, str]] = (),
    seed: int = 0,
) -> Path:
    """Write rows of all pairs of items, and a page of some; returns the path of the page.

    `encoder` integrates an item by its name: `SentenceEncoder`, or one of faces. The sums of each
    item are cached in `out`, so that n items take n integrations for n² pairs, and an interrupted
    study continues. `pairs` are those to draw, by default the ten most similar ones; of sentences
    with their controls, drawn by `seed`.
    """
    names = tuple(dict.fromkeys(names))
    if len(names) < 2:
        raise InputError("one item has no pair: give two or more")
    items = integrate_items(out / "items", method, encoder, names)
    run = run_problem(
        SimilarityProblem(method),
        stack_items(items),
        PairExamples(names),
        out=out / "pairs",
        batch_size=256,
        unit="pairs",
    )
    rows = run.read()
    by_name = {item.name: item for item in items}
    chosen = tuple(pairs) or most_similar(names, rows["score"])
    similarities = [similarity(method, by_name[a], by_name[b]) for a, b in chosen]
    controls = ()
    if isinstance(encoder, SentenceEncoder):
        controls = tuple(run_controls(method, encoder, chosen, seed=seed))
    results = {
        "attribution": repr(method),
        "encoder": encoder.name,
        "pairs": [s.row() | {"strongest": s.strongest(10)} for s in similarities],
        "controls": [asdict(control) for control in controls],
        "items": [_item_row(item) for item in items],
    }
    write_json(out / "results.json", results)
    pictures = {name: encoder.picture(name) for name in names}
    return write_page(out, results, similarities, summarise_rows(rows, len(names)), pictures)


def summarise_rows(rows: Mapping[str, np.ndarray], count: int) -> dict[str, Any]:
    """Return the means of the columns over pairs of different items, and the scores [n n]."""
    different = ~np.eye(count, dtype=bool).ravel()
    columns = {name: rows[name][different] for name in rows if name.startswith("pairs_")}
    columns |= {name: rows[name][different] for name in TERMS}
    means = {name: float(np.mean(values)) for name, values in columns.items()}
    largest = float(np.abs(columns["residual"]).max())
    return {"means": means, "largest": largest, "scores": rows["score"].reshape(count, count)}


def integrate_items(
    folder: Path, method: PairAttribution, encoder: Any, names: Sequence[str]
) -> list[Item]:
    """Return the sums of items, from the files of an earlier run where there are any."""
    items: list[Item] = []
    with Progress("sums", len(names), show=True, unit="items") as progress:
        for name in names:
            path = folder / f"{_digest(method, encoder, name)}.npz"
            item = _read_item(path, name)
            if item is None:
                item = encoder.integrate(method, name)
                _write_item(path, item)
                progress.advance(1)
            else:
                progress.skip(1)
            items.append(item)
    return items


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
        lines = path.read_text(encoding="utf-8").splitlines()
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


def _digest(method: PairAttribution, encoder: Any, name: str) -> str:
    """Return a digest of everything that decides an item's sums."""
    sides = asdict(method) | {"normalise": None, "shifted": None}  # of pairs alone
    text = json.dumps([VERSION, sides, encoder.digest, encoder.content(name)])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _write_item(path: Path, item: Item) -> None:
    side = {name: np.asarray(value) for name, value in vars(item.side).items()}
    texts = {"groups": np.asarray(item.groups), "word_names": np.asarray(item.word_names)}
    write_arrays(path, side | texts | {"words": item.words})


def _read_item(path: Path, name: str) -> Item | None:
    arrays = read_arrays(path)
    try:
        if arrays is None:
            return None
        groups, names = (tuple(map(str, arrays.pop(n))) for n in ("groups", "word_names"))
        words = arrays.pop("words")
        return Item(name, groups, words, names, IntegratedSide(**arrays))
    except (KeyError, TypeError):
        return None


def _item_row(item: Item) -> dict[str, Any]:
    side = item.side
    return {"name": item.name, "steps": int(side.steps), "residual": float(side.residual)}


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
    strongest = pair.strongest(count)
    width = max(len(a) for a, _, _ in strongest)
    return lines + [f"  {value:+.4f}  {a:>{width}}  {b}" for a, b, value in strongest]
