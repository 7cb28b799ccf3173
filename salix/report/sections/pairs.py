"""Section: similarities of pairs of items, their attributions, and the classes of words."""

from typing import Any

import numpy as np

from salix.analysis import Analysis
from salix.analysis.pair_similarity import COUNTS, SHARE, TERMS, PairSimilarities, pair_similarities
from salix.analysis.summary import plain_interval
from salix.report.export import record
from salix.report.pair_heat import heat
from salix.report.section import Section, read_template

DRAWN = 6  # pairs of a run
LARGE = 0.01  # residual that asks for more steps


def build(analysis: Analysis) -> Section | None:
    """Tabulate the similarities of runs of pairs, and draw some; None where there are none."""
    runs = pair_similarities(analysis.frames)
    if not runs:
        return None
    return Section(
        "pairs",
        "Why are they similar?",
        read_template(__file__),
        {
            "terms": TERMS,
            "counts": COUNTS,
            "runs": [(run, _classes(run), [_drawn(p) for p in run.drawn[:DRAWN]]) for run in runs],
            "by_class": any(_classes(run) for run in runs),
            "large": LARGE,
        },
        link="Pairs",
        records=[
            record("pair", run.group, run.run, key, "different items", interval)
            for run in runs
            for key, interval in run.means.items()
        ],
        data={"pairs": [_plain(run) for run in runs]},
    )


def _classes(run: PairSimilarities) -> list[dict[str, Any]]:
    """Return the share of each class, that of the words, and their ratio."""
    rows = []
    for key, share in run.means.items():
        if key.startswith(SHARE):
            name = key.removeprefix(SHARE).replace("_", " ")
            words = run.words.get(name, float("nan"))
            ratio = share.value / words if words > 0 else float("nan")
            rows.append({"name": name, "share": share, "words": words, "ratio": ratio})
    return rows


def _drawn(pair: Any) -> dict[str, Any]:
    cells = heat(np.asarray(pair["matrix"]), pair["rows"], pair["columns"])
    return {**pair, "heat": cells}


def _plain(run: PairSimilarities) -> dict[str, Any]:
    head = {"run": run.run, "group": run.group, "items": run.items, "pairs": run.pairs}
    means = {key: plain_interval(i) for key, i in run.means.items()}
    return head | {"largest_residual": run.residual, "means": means, "words": dict(run.words)}
