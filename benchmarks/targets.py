"""Speed targets of Salix relative to other libraries, and whether the results reach them.

Ratios are taken within each round, so that both sides met the same load. A target names the peer
variants by patterns; of several the one with the lowest median time counts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

from rounds import Quartiles, quartiles, round_ratios

GroupRows = Mapping[str, Mapping[str, Any]]  # results of the variants of a group, by name
NETWORKS = ("resnet50", "densenet121")
# Passes of a task: the task of a single pass, and how many runs of it.
PASSES = {
    "gradcam": ("forward", 1),
    "smoothgrad": ("saliency", 16),
    "ig": ("saliency", 16),
    "deletion": ("forward", 16),
    "measures": ("forward", 25),
    "paper": ("forward", 23),
}
TORCH = ("torch *",)  # forms of PyTorch without another library


@dataclass(frozen=True)
class SpeedTarget:
    """Speedup of at least `minimum` over the fastest of `theirs`, patterns of variant names.

    `share` multiplies the ratio: the passes of our run over the passes of theirs.
    """

    text: str
    task: str
    minimum: float
    ours: str = "salix"
    theirs: tuple[str, ...] = TORCH
    precision: str = "float32"  # of theirs
    networks: tuple[str, ...] = NETWORKS
    share: float = 1.0


BATCHED = ("released, batched",)
CPU = (
    SpeedTarget("torch channels_last", "saliency", 1.15, theirs=("torch channels_last",)),
    SpeedTarget("the best torch form", "saliency", 1.0),
    SpeedTarget("the best torch loop", "ig", 1.2),
    SpeedTarget("Captum by default", "ig", 2.5, theirs=("captum default",)),
    SpeedTarget(
        "Quantus, per model pass", "deletion", 1.3, theirs=("quantus default",), share=1 / 3
    ),
    SpeedTarget("Quantus tuned to as many passes", "deletion", 1.3, theirs=("quantus tuned",)),
    SpeedTarget("Quantus by default, per image", "deletion", 4.0, theirs=("quantus default",)),
    SpeedTarget("torch compiled", "forward", 0.95, theirs=("torch compiled*",)),
    *(
        SpeedTarget(
            "the best torch form in bfloat16", task, 1.0, "salix, bfloat16_dots", TORCH, "bfloat16"
        )
        for task in ("forward", "saliency", "ig", "deletion")
    ),
    SpeedTarget("the release, loaded once and batched", "paper", 1.4, theirs=BATCHED),
    SpeedTarget("the same, Salix in bfloat16", "paper", 2.5, "salix, bfloat16_dots", BATCHED),
    SpeedTarget("the release", "paper", 20.0, theirs=("released",)),
)
GPU = (
    SpeedTarget(
        "Captum by default (tf32), Salix in bfloat16",
        "saliency",
        3.0,
        "salix, bfloat16",
        ("captum default, tf32",),
        "tf32",
    ),
    SpeedTarget(
        "torch compiled in bfloat16",
        "saliency",
        1.1,
        "salix, bfloat16",
        ("torch compiled*",),
        "bfloat16",
    ),
    SpeedTarget("Quantus", "deletion", 10.0, theirs=("quantus *",)),
    SpeedTarget("the release, loaded once and batched", "paper", 50.0, theirs=BATCHED),
)
TARGETS = {"cpu": CPU, "gpu": GPU}


@dataclass(frozen=True)
class TargetResult:
    """Speedup of one network and batch against the variant `against`; None if not measured."""

    target: SpeedTarget
    network: str
    batch: int
    against: str = ""
    speedup: Quartiles | None = None

    @property
    def status(self) -> str:
        """Reached, missed or not measured."""
        if self.speedup is None:
            return "not measured"
        return "reached" if self.speedup["median"] >= self.target.minimum else "missed"


def timed_rows(
    rows: GroupRows, patterns: Sequence[str] = ("*",), precision: str | None = None
) -> list[str]:
    """Names of the timed rows that match a pattern, in one precision or in all."""
    return [
        name
        for name, row in rows.items()
        if row.get("rounds")
        and any(fnmatch(name, pattern) for pattern in patterns)
        and precision in (None, row["precision"])
    ]


def median_wall(row: Mapping[str, Any]) -> float:
    return quartiles([r["wall"] for r in row["rounds"]])["median"]


def fastest(rows: GroupRows, names: Sequence[str]) -> str | None:
    return min(names, key=lambda name: median_wall(rows[name]), default=None)


def best_torch(rows: GroupRows, precision: str) -> str | None:
    """Name of the fastest form of PyTorch alone in a precision."""
    return fastest(rows, timed_rows(rows, TORCH, precision) if rows else [])


def speedup(rows: GroupRows, ours: str, theirs: str, share: float = 1.0) -> Quartiles:
    """Ratio of their time to ours per image: quartiles over rounds, times `share`."""
    ratio = round_ratios(rows[theirs]["rounds"], rows[ours]["rounds"], "wall")
    return {k: v if k == "n" else v * share for k, v in ratio.items()}


def check_targets(
    groups: Mapping[str, Mapping[str, Any]], targets: Sequence[SpeedTarget]
) -> Iterator[TargetResult]:
    """Yield a result for each target and network, for each batch size that was timed."""
    for target in targets:
        for network in target.networks:
            matching = [
                g
                for g in groups.values()
                if (g.get("network"), g.get("task")) == (network, target.task)
            ]
            for group in matching:
                rows = group.get("rows", {})  # none where the time limit was reached
                against = fastest(rows, timed_rows(rows, target.theirs, target.precision))
                if against and timed_rows(rows, (target.ours,)):
                    ratio = speedup(rows, target.ours, against, target.share)
                    yield TargetResult(target, network, group["batch"], against, ratio)
                else:
                    yield TargetResult(target, network, group["batch"])
            if not matching:
                yield TargetResult(target, network, 0)
