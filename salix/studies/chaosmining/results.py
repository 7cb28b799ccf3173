"""Table of ChaosMining's scores with intervals over seeds, beside the published ones."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from salix.analysis.summary import plain_number
from salix.atomic import atomic
from salix.stats import Interval, mean_interval
from salix.studies.chaosmining.experiment import Trial
from salix.studies.chaosmining.formulas import FORMULAS
from salix.studies.chaosmining.published import PUBLISHED


@dataclass(frozen=True)
class ScoreRow:
    """One score of an experiment: its mean over formulas, with the interval over seeds.

    `published` and `difference` from it are NaN where there is no published value.
    """

    score: str
    mean: Interval
    published: float
    difference: float


def score_rows(
    trials: Sequence[Trial], scores: Sequence[Mapping[str, float]]
) -> tuple[ScoreRow, ...]:
    """Return a row for each score: the means over formulas of each seed, and their interval.

    Published values are those of all 15 formulas with the same conditions of data and training.
    """
    published = published_scores(trials)
    rows = []
    for name in scores[0]:
        values: dict[int, list[float]] = {}
        for trial, of in zip(trials, scores, strict=True):
            values.setdefault(trial.seed, []).append(of[name])
        mean = mean_interval([np.mean(v) for v in values.values()])
        reference = published.get(name, np.nan)
        rows.append(ScoreRow(name, mean, reference, mean.value - reference))
    return tuple(rows)


def published_scores(trials: Sequence[Trial]) -> Mapping[str, float]:
    """Return the published scores for the conditions of some trials, empty without any."""
    if {t.formula for t in trials} != set(FORMULAS.values()):
        return {}
    return PUBLISHED.get((trials[0].noise, trials[0].network), {})


def write_results(
    out: Path,
    trials: Sequence[Trial],
    scores: Sequence[Mapping[str, float]],
    rows: Sequence[ScoreRow],
    *,
    mended: Sequence[ScoreRow] = (),
) -> Path:
    """Write `scores.parquet`, a row for each network and score, and the table `results.json`.

    `mended` are the rows with formula 12 mended.
    """
    columns: dict[str, list[str | int | float]] = {k: [] for k in ("formula", "seed", "score")}
    columns |= {"value": []}
    for trial, of in zip(trials, scores, strict=True):
        for name, value in of.items():
            row = trial.formula.name, trial.seed, name, value
            for column, entry in zip(columns.values(), row, strict=True):
                column.append(entry)
    with atomic(out / "scores.parquet") as path:
        pq.write_table(pa.table(columns), path)
    setting = {"noise": asdict(trials[0].noise), "network": asdict(trials[0].network)}
    formulas = {t.formula.name: t.formula.text for t in trials}
    contents = {**setting, "formulas": formulas, "scores": [_entry(row) for row in rows]}
    if mended:
        contents["formula 12 mended"] = [_entry(row) for row in mended]
    with atomic(out / "results.json") as path:
        path.write_text(json.dumps(contents, indent=1))
    return out / "results.json"


def _entry(row: ScoreRow) -> dict[str, str | float | None]:
    return {
        "score": row.score,
        "mean": row.mean.value,
        "low": plain_number(row.mean.low),
        "high": plain_number(row.mean.high),
        "seeds": row.mean.n,
        "published": plain_number(row.published),
        "difference": plain_number(row.difference),
    }


def print_rows(rows: Sequence[ScoreRow]) -> None:
    """Print the table, with a column of differences where there are published values."""
    from rich.console import Console
    from rich.table import Table

    compared = any(np.isfinite(row.published) for row in rows)
    shown = Table("score", box=None, pad_edge=False)
    for title in ("mean", "95 % over seeds", *(("published", "difference") if compared else ())):
        shown.add_column(title, justify="right")
    for row in rows:
        limits = f"[{row.mean.low:.4f}, {row.mean.high:.4f}]" if row.mean.n > 1 else "1 seed"
        cells = [row.score, f"{row.mean.value:.4f}", limits.replace("[", r"\[")]
        if compared and np.isfinite(row.published):
            cells += [f"{row.published:.4f}", f"{row.difference:+.4f}"]
        shown.add_row(*cells)
    Console().print(shown)
