"""Section: attribution methods by evaluation metrics, their ranks, and what metrics agree on."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from salix.analysis import Analysis, Leaderboard, MethodRanking
from salix.analysis.columns import DASH
from salix.analysis.frame import describe_columns
from salix.analysis.leaderboard import SAME, SAMPLE
from salix.analysis.method_ranking import DRAWS, FEW
from salix.analysis.significance import write_p
from salix.analysis.summary import plain_interval
from salix.report.export import record
from salix.report.leaderboard_figures import agreement_figure, rank_figure
from salix.report.section import Section, in_groups, read_template
from salix.stats import Interval


@dataclass(frozen=True)
class MethodCell:
    """One metric of one method, as text; `best` marks the method that is better than all others."""

    value: str
    limits: str
    rank: str
    n: str
    undefined: int
    best: bool


@dataclass(frozen=True)
class MethodRow:
    """One method: mean rank, cost and its cells."""

    method: str
    mean_rank: str
    limits: str
    first: str
    cost: str
    cells: tuple[MethodCell, ...]


def build(analysis: Analysis) -> Section | None:
    """Tabulate methods by metrics; None where no run has evaluated methods."""
    board = analysis.leaderboard
    if board is None:
        return None
    several = len(board.methods) > 1
    ranks = rank_figure(board) if several and any(r.directed for r in board.rankings) else None
    compared = len(board.methods) > 2 and len(board.rankings) > 1
    agreement = agreement_figure(board) if compared else None
    metric_passes = board.passes.get("metrics", {})
    return Section(
        "leaderboard",
        "Which attribution method explains best",
        read_template(__file__),
        {
            "board": board,
            "rows": [_row(board, i) for i in board.order],
            "images": in_groups(board.images, board.clusters),
            "ranks": ranks,
            "agreement": agreement,
            "alike": [_pair(board, a, b) for a, b in board.alike],
            "costs": [write_passes(metric_passes.get(r.column.key)) for r in board.rankings],
            "directed": sum(r.directed for r in board.rankings),
            "meanings": {n: c.meaning for n, c in describe_columns(analysis.frames).items()},
            "sampled": min(board.images, SAMPLE),
            "same": SAME,
            "few": FEW,
            "draws": DRAWS,
            "number": write_number,
            "write_p": write_p,
        },
        link="Methods",
        figures=tuple(figure for figure in (ranks, agreement) if figure is not None),
        records=leaderboard_records(board),
        data={"leaderboard": leaderboard_data(board)},
    )


def _row(board: Leaderboard, i: int) -> MethodRow:
    mean, passes = board.mean_ranks[i], board.passes.get("methods", {})
    return MethodRow(
        board.methods[i],
        f"{mean.value:.2f}" if np.isfinite(mean.value) else DASH,
        _limits(mean),
        _share(board.first[i]),
        write_passes(passes.get(board.methods[i])),
        tuple(_cell(r, i, board.enough) for r in board.rankings),
    )


def _cell(ranking: MethodRanking, i: int, enough: bool) -> MethodCell:
    value, column = ranking.values[i], ranking.column
    rank = ""
    if ranking.directed and np.isfinite(ranking.ranks[i]):
        rank = f"rank {ranking.ranks[i]:g}"
        low, high = ranking.rank_limits[:, i]
        rank += f" [{low:g}, {high:g}]" if enough and np.isfinite(low) else ""
    texts = (column.format(value.value), column.limits(value), rank, f"n = {value.n}")
    return MethodCell(*texts, value.undefined, ranking.best == i)


def write_passes(passes: dict[str, int] | None) -> str:
    """Write a cost in passes of the model, a dash where it is not stated."""
    if passes is None:
        return DASH
    counts = {name if n > 1 else name.removesuffix("s"): n for name, n in passes.items() if n}
    return ", ".join(f"{n} {name}" for name, n in counts.items()) or "none"


def write_number(value: float) -> str:
    """Write a coefficient, a dash for an undefined one."""
    return f"{value:.2f}".replace("-", "−") if np.isfinite(value) else DASH


def _limits(i: Interval) -> str:
    return f"[{i.low:.2f}, {i.high:.2f}]" if np.isfinite(i.low) else ""


def _share(share: float) -> str:
    return f"{100 * share:.0f}\u202f%" if np.isfinite(share) else DASH


def _pair(board: Leaderboard, a: int, b: int) -> str:
    names = [board.rankings[i].column.name for i in (a, b)]
    return f"{names[0]} and {names[1]} ({board.agreement[a][b].value:.2f})"


def leaderboard_records(board: Leaderboard) -> list[dict[str, Any]]:
    """Return a record for each mean, rank and agreement, with the fields of `export.record`.

    `kind` is "leaderboard"; `group` names the models, `metric` the column, for ranks with the
    ending "_rank", and `coordinate` the method, or the other metric of an agreement.
    """
    records, models = [], ", ".join(board.models)

    def add(metric: str, coordinate: str, interval: Interval) -> None:
        records.append(record("leaderboard", models, None, metric, coordinate, interval))

    for a, ranking in enumerate(board.rankings):
        key = ranking.column.key
        for i, method in enumerate(board.methods):
            add(key, method, ranking.values[i])
            if ranking.directed:
                low, high = ranking.rank_limits[:, i].tolist()
                rank = Interval(float(ranking.ranks[i]), low, high, board.images)
                add(f"{key}_rank", method, replace(rank, clusters=board.clusters))
        for b in range(a + 1, len(board.rankings)):
            add(f"{key}_agreement", board.rankings[b].column.key, board.agreement[a][b])
    for method, interval in zip(board.methods, board.mean_ranks, strict=True):
        add("mean_rank", method, interval)
    return records


def leaderboard_data(board: Leaderboard) -> dict[str, Any]:
    """Return the leaderboard as plain values: NaN is None."""
    metrics = [
        {
            "column": r.column.key,
            "title": r.column.name,
            "direction": {1: "higher", -1: "lower", 0: ""}[r.sign],
            "values": [plain_interval(i) for i in r.values],
            "ranks": _plain(r.ranks),
            "rank_low": _plain(r.rank_limits[0]),
            "rank_high": _plain(r.rank_limits[1]),
            "first": _plain(r.first),
            "best": None if r.best is None else board.methods[r.best],
            "p": _plain(np.array([r.p]))[0],
            "half_tau": _plain(np.array([r.half_tau]))[0],
            "concordance": _plain(np.array([r.concordance]))[0],
        }
        for r in board.rankings
    ]
    return {
        "methods": list(board.methods),
        "models": list(board.models),
        "images": board.images,
        "groups": board.clusters,
        "resampled": board.resampled,
        "metrics": metrics,
        "mean_rank": [plain_interval(i) for i in board.mean_ranks],
        "first": _plain(board.first),
        "agreement": [[plain_interval(i) for i in row] for row in board.agreement],
        "passes": dict(board.passes),
        "left_out": list(board.left_out),
    }


def _plain(values: np.ndarray) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values]
