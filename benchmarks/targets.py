"""What the throughput of Salix must reach beside other libraries, and whether it did.

A ratio is taken within each round, so that both sides met the same load; of a single library the
variant named, of "best" ones whichever had the lowest median of the same run.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

from rounds import Spread, ratios, spread

Rows = Mapping[str, Mapping[str, Any]]
NETWORKS = ("resnet50", "densenet121")
# What a task's passes are: so many runs of another task.
PASSES = {
    "gradcam": ("forward", 1),
    "smoothgrad": ("saliency", 16),
    "ig": ("saliency", 16),
    "deletion": ("forward", 16),
    "measures": ("forward", 25),
    "paper": ("forward", 23),
}
TORCH = ("torch *",)  # the forms of PyTorch by itself


@dataclass(frozen=True)
class Target:
    """At least `least` times as fast as the best of `theirs`, patterns of names in a precision.

    `share` multiplies the ratio: what a run of Salix takes of the passes of theirs.
    """

    text: str
    task: str
    least: float
    ours: str = "salix"
    theirs: tuple[str, ...] = TORCH
    precision: str = "float32"  # of theirs
    networks: tuple[str, ...] = NETWORKS
    share: float = 1.0


CPU = (
    Target("torch channels_last", "saliency", 1.15, theirs=("torch channels_last",)),
    Target("the best torch form", "saliency", 1.0),
    Target("the best torch loop", "ig", 1.2),
    Target("Captum as it comes", "ig", 2.5, theirs=("captum default",)),
    Target("Quantus, per model pass", "deletion", 1.3, theirs=("quantus default",), share=1 / 3),
    Target("Quantus tuned, of as many passes", "deletion", 1.3, theirs=("quantus tuned",)),
    Target("Quantus per image, as it comes", "deletion", 4.0, theirs=("quantus default",)),
    Target("torch compiled", "forward", 0.95, theirs=("torch compiled*",)),
    *(
        Target(
            "the best torch form in bfloat16", task, 1.0, "salix, bfloat16_dots", TORCH, "bfloat16"
        )
        for task in ("forward", "saliency", "ig", "deletion")
    ),
    Target("as released, model kept and batched", "paper", 1.4, theirs=("released, batched",)),
    Target(
        "the same, Salix in bfloat16",
        "paper",
        2.5,
        "salix, bfloat16_dots",
        ("released, batched",),
    ),
    Target("as released", "paper", 20.0, theirs=("released",)),
)
GPU = (
    Target(
        "Captum as it comes (tf32), Salix in bfloat16",
        "saliency",
        3.0,
        "salix, bfloat16",
        ("captum default, tf32",),
        "tf32",
    ),
    Target(
        "torch compiled in bfloat16",
        "saliency",
        1.1,
        "salix, bfloat16",
        ("torch compiled*",),
        "bfloat16",
    ),
    Target("Quantus", "deletion", 10.0, theirs=("quantus *",)),
    Target("as released, model kept and batched", "paper", 50.0, theirs=("released, batched",)),
)
TARGETS = {"cpu": CPU, "gpu": GPU}


@dataclass(frozen=True)
class Verdict:
    target: Target
    network: str
    batch: int
    against: str = ""
    found: Spread | None = None

    @property
    def word(self) -> str:
        if self.found is None:
            return "not measured"
        return "reached" if self.found["median"] >= self.target.least else "missed"


def ran(rows: Rows, patterns: Sequence[str] = ("*",), precision: str | None = None) -> list[str]:
    """Return the rows that were timed, whose names fit a pattern, in a precision."""
    return [
        name
        for name, held in rows.items()
        if held.get("rounds")
        and any(fnmatch(name, pattern) for pattern in patterns)
        and precision in (None, held["precision"])
    ]


def wall(held: Mapping[str, Any]) -> float:
    return spread([r["wall"] for r in held["rounds"]])["median"]


def fastest(rows: Rows, names: Sequence[str]) -> str | None:
    return min(names, key=lambda name: wall(rows[name]), default=None)


def best_torch(rows: Rows, precision: str) -> str | None:
    """Return the fastest form of PyTorch by itself in a precision."""
    return fastest(rows, ran(rows, TORCH, precision) if rows else [])


def faster(rows: Rows, ours: str, theirs: str, share: float = 1.0) -> Spread:
    """Return how many times as fast a row is as another, per image: the spread over rounds."""
    both = ratios(rows[theirs]["rounds"], rows[ours]["rounds"], "wall")
    return {k: v if k == "n" else v * share for k, v in both.items()}


def judge(groups: Mapping[str, Mapping[str, Any]], targets: Sequence[Target]) -> Iterator[Verdict]:
    """Yield a verdict for each target and network, of each batch that was timed."""
    for target in targets:
        for network in target.networks:
            matching = [
                g
                for g in groups.values()
                if (g.get("network"), g.get("task")) == (network, target.task)
            ]
            for group in matching:
                rows = group.get("rows", {})  # none where the time ran out
                against = fastest(rows, ran(rows, target.theirs, target.precision))
                if against and ran(rows, (target.ours,)):
                    found = faster(rows, target.ours, against, target.share)
                    yield Verdict(target, network, group["batch"], against, found)
                else:
                    yield Verdict(target, network, group["batch"])
            if not matching:
                yield Verdict(target, network, 0)
