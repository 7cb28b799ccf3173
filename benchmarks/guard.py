"""Guard the speed of Salix before a release: python benchmarks/guard.py [--peers PYTHON].

Ratios of times of one run, never times: what a method takes of its passes, and with `--peers` what
it takes of PyTorch. All variants are asked in turn, round after round; a ratio is the median of
those within a round, lower is better. Ends with 1 where a ratio is above the last accepted one by
more than the tolerance. `--accept` writes the ratios that were found as those accepted.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groups import Group, order
from preparation import Files
from rounds import Spread, ratios
from surroundings import HERE, machine, versions
from targets import PASSES
from variants import Variant
from workers import PATIENCE, ask, end, start


@dataclass(frozen=True)
class Ratio:
    """Time of a variant over that of `passes` runs of another."""

    of: str
    over: str
    passes: int = 1

    @property
    def name(self) -> str:
        return (
            f"{self.of} / {self.passes} {self.over}"
            if self.passes > 1
            else f"{self.of} / {self.over}"
        )


SALIX = Variant("salix", "salix", "float32", "float32")
TORCH = Variant("torch channels_last", "torch_forms", "float32", "float32")
# By name: the task, and the variant that runs it.
RUNS = {
    **{t: (t, SALIX) for t in ("forward", "saliency", "gradcam", "ig", "deletion", "measures")},
    "torch forward": ("forward", TORCH),
    "torch saliency": ("saliency", TORCH),
}
RATIOS = (
    Ratio("saliency", "forward"),
    *(Ratio(task, *PASSES[task]) for task in ("gradcam", "ig", "deletion", "measures")),
    Ratio("forward", "torch forward"),
    Ratio("saliency", "torch saliency"),
)


def ratios_of(rows: Mapping[str, Mapping[str, Any]], by: str) -> dict[str, Spread]:
    """Return the spread of every ratio both of whose sides ran."""
    found = {}
    for ratio in RATIOS:
        of, over = (rows.get(name, {}).get("rounds") for name in (ratio.of, ratio.over))
        if of and over:
            one = ratios(of, over, by)
            found[ratio.name] = {k: v if k == "n" else v / ratio.passes for k, v in one.items()}
    return found


def compare(
    found: Mapping[str, Spread], accepted: Mapping[str, Spread], tolerance: float
) -> list[tuple[str, float | None, float | None, str]]:
    """Return name, accepted and found ratio of all, and a word: "worse" is for the maintainer."""
    rows = []
    for name in [*found, *(name for name in accepted if name not in found)]:
        new, old = (side[name]["median"] if name in side else None for side in (found, accepted))
        if new is None:
            word = "not measured"
        elif old is None:
            word = "new"
        elif new > old * (1 + tolerance):
            word = "worse"
        else:
            word = "better" if new < old / (1 + tolerance) else "kept"
        rows.append((name, old, new, word))
    return rows


def table(rows: list[tuple[str, float | None, float | None, str]]) -> str:
    lines = [f"{'ratio':32} {'accepted':>9} {'found':>9}  verdict"]
    for name, old, new, word in rows:
        numbers = " ".join(f"{'' if v is None else format(v, '.3f'):>9}" for v in (old, new))
        lines.append(f"{name:32} {numbers}  {word}")
    return "\n".join(lines)


def measure(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    network, batch, size = options.network, options.batch, options.size
    with tempfile.TemporaryDirectory() as folder:
        files = Files(Path(folder), options.peers).of(network, batch, size)
        orders = {
            title: order(Group(network, task, batch, size), row, files, options)
            for title, (task, row) in RUNS.items()
            if row is SALIX or options.peers
        }
        workers, rows = start(orders, PATIENCE)
        ask(workers, rows, options.rounds, seconds=PATIENCE)
        end(workers)
    for title, held in rows.items():
        if "left out" in held:
            print(f"left out: {title}: {held['left out']}", file=sys.stderr)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", help="a Python that has PyTorch")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--network", default="resnet50")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, help="of images; by default the network's own")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--by", choices=("wall", "cpu"), default="wall", help="which seconds")
    parser.add_argument("--tolerance", type=float, default=0.1)
    parser.add_argument("--accept", action="store_true")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "guard.json")
    options = parser.parse_args()
    os.environ["JAX_PLATFORMS"] = "cpu"  # of this process, which only prepares
    before = os.getloadavg()
    found = ratios_of(measure(options), options.by)
    # Ratios hang on the network, the batch, the device and the kind of seconds: each has its own.
    key = f"{options.device} {options.network} {options.batch} {options.size or ''} {options.by}"
    held = json.loads(options.results.read_text()) if options.results.exists() else {}
    rows = compare(found, held.get(key, {}).get("ratios", {}), options.tolerance)
    print(table(rows))
    if options.accept:
        about = machine() | {
            "load": [before, os.getloadavg()],
            "packages": versions(sys.executable, ("jax", "flax", "salix"))
            | (versions(options.peers, ("torch",)) if options.peers else {}),
        }
        held[key] = {"about": about, "ratios": found}
        options.results.write_text(json.dumps(held, indent=1) + "\n")
        return 0
    return int(any(word == "worse" for *_, word in rows))


if __name__ == "__main__":
    sys.exit(main())
