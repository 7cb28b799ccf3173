"""Similarities of pairs over the data, of runs of `salix similar`, and their drawn pairs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from salix.analysis.frame import Frame
from salix.stats import Interval, cluster_codes, mean_interval

TERMS = ("score", "a_reference", "reference_b", "references", "sum")
COUNTS = ("pairs_50", "pairs_80", "pairs_95")
SHARE = "share_"  # of the attributions, before the name of a class of words
DRAWN = "drawn_pairs.json"  # in the directory of a run
_NEEDED = ("a", "b", "residual", *TERMS, *COUNTS)


@dataclass(frozen=True, eq=False)
class PairSimilarities:
    """Numbers of one run over its pairs of different items, and its drawn pairs.

    `means` are those of the terms, of the counts of pairs, and of the shares of classes of words,
    by their columns, with intervals clustered by the first item of a pair. `residual` is the
    largest |residual|. `words` is the share of words of each class; `drawn` has the drawn pairs,
    empty for a run without them.
    """

    run: str
    group: str
    items: int
    pairs: int
    means: Mapping[str, Interval]
    residual: float
    words: Mapping[str, float]
    drawn: Sequence[Mapping[str, Any]]


def pair_similarities(frames: Sequence[Frame]) -> list[PairSimilarities]:
    """Return the numbers of each run of pairs of items, in the order of the runs."""
    return [_of_run(f) for f in frames if all(name in f.run.columns for name in _NEEDED) and len(f)]


def _of_run(frame: Frame) -> PairSimilarities:
    run = frame.run
    shares = [name for name in run.columns if name.startswith(SHARE)]
    rows = run.read([*_NEEDED, *shares])
    different = rows["a"] != rows["b"]
    clusters = cluster_codes(rows["a"], len(different))
    codes = None if clusters is None else clusters[different]
    extra = _read_drawn(run.path / DRAWN)
    return PairSimilarities(
        run.name,
        run.group,
        len({*rows["a"], *rows["b"]}),
        int(different.sum()),
        {n: mean_interval(rows[n][different], clusters=codes) for n in (*TERMS, *COUNTS, *shares)},
        float(np.abs(rows["residual"]).max()),
        {row["class"]: row["words"] for row in extra.get("classes", ())},
        extra.get("pairs", ()),
    )


def _read_drawn(path: Path) -> dict[str, Any]:
    """Return the drawn pairs of a run, nothing of a missing or damaged file."""
    try:
        content = json.loads(path.read_bytes())
        for pair in content["pairs"]:
            shape = np.asarray(pair["matrix"], np.float64).shape
            if shape != (len(pair["rows"]), len(pair["columns"])):
                return {}
        return content
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
