"""Guard against loss of speed before a release: python benchmarks guard [--peers PYTHON].

Compares ratios of run times, never times: a method over its passes, and with `--peers` Salix over
PyTorch. Every round runs all variants once; a ratio is the median over rounds, lower is better.
Exit status 1 if a ratio exceeds the last accepted one by more than the tolerance. `--accept` writes
the measured ratios as the accepted ones.
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

from groups import TaskGroup, worker_command
from inputs import WorkerFiles
from machine import HERE, describe_machine, package_versions
from rounds import Quartiles, round_ratios
from targets import PASSES
from variants import Variant
from workers import TIMEOUT, run_rounds, start_workers, stop_workers

RatioRow = tuple[str, float | None, float | None, str]  # name, accepted, measured, status


@dataclass(frozen=True)
class TimeRatio:
    """Time of one run over that of `passes` runs of another."""

    numerator: str
    denominator: str
    passes: int = 1

    @property
    def name(self) -> str:
        """Key of the ratio in the results."""
        count = f"{self.passes} " if self.passes > 1 else ""
        return f"{self.numerator} / {count}{self.denominator}"


SALIX = Variant("salix", "salix", "float32", "float32")
TORCH = Variant("torch channels_last", "torch_calls", "float32", "float32")
# By name: the task and the variant that runs it.
RUNS = {
    **{t: (t, SALIX) for t in ("forward", "saliency", "gradcam", "ig", "deletion", "measures")},
    "torch forward": ("forward", TORCH),
    "torch saliency": ("saliency", TORCH),
}
RATIOS = (
    TimeRatio("saliency", "forward"),
    *(TimeRatio(task, *PASSES[task]) for task in ("gradcam", "ig", "deletion", "measures")),
    TimeRatio("forward", "torch forward"),
    TimeRatio("saliency", "torch saliency"),
)


def measured_ratios(rows: Mapping[str, Mapping[str, Any]], clock: str) -> dict[str, Quartiles]:
    """Quartiles of every ratio whose numerator and denominator both ran."""
    results = {}
    for ratio in RATIOS:
        above, below = (
            rows.get(name, {}).get("rounds") for name in (ratio.numerator, ratio.denominator)
        )
        if above and below:
            values = round_ratios(above, below, clock)
            results[ratio.name] = {
                k: v if k == "n" else v / ratio.passes for k, v in values.items()
            }
    return results


def compare_ratios(
    measured: Mapping[str, Quartiles], accepted: Mapping[str, Quartiles], tolerance: float
) -> list[RatioRow]:
    """Compare medians; the status is new, not measured, better, unchanged or worse."""
    rows = []
    for name in [*measured, *(name for name in accepted if name not in measured)]:
        new, old = (r[name]["median"] if name in r else None for r in (measured, accepted))
        if new is None:
            status = "not measured"
        elif old is None:
            status = "new"
        elif new > old * (1 + tolerance):
            status = "worse"
        else:
            status = "better" if new < old / (1 + tolerance) else "unchanged"
        rows.append((name, old, new, status))
    return rows


def format_table(rows: list[RatioRow]) -> str:
    lines = [f"{'ratio':32} {'accepted':>9} {'measured':>9}  status"]
    for name, old, new, status in rows:
        numbers = " ".join(f"{'' if v is None else format(v, '.3f'):>9}" for v in (old, new))
        lines.append(f"{name:32} {numbers}  {status}")
    return "\n".join(lines)


def measure(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    network, batch, size = options.network, options.batch, options.size
    with tempfile.TemporaryDirectory() as folder:
        paths = WorkerFiles(Path(folder), options.peers).paths(network, batch, size)
        commands = {
            title: worker_command(TaskGroup(network, task, batch, size), variant, paths, options)
            for title, (task, variant) in RUNS.items()
            if variant is SALIX or options.peers
        }
        workers, rows = start_workers(commands, TIMEOUT)
        run_rounds(workers, rows, options.rounds, timeout=TIMEOUT)
        stop_workers(workers)
    for title, row in rows.items():
        if "left out" in row:
            print(f"left out: {title}: {row['left out']}", file=sys.stderr)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", help="a Python that has PyTorch")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--network", default="resnet50")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, help="side of the images; the network's own by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--by", choices=("wall", "cpu"), default="wall", help="clock of the ratios")
    parser.add_argument("--tolerance", type=float, default=0.1)
    parser.add_argument("--accept", action="store_true")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "guard.json")
    options = parser.parse_args()
    os.environ["JAX_PLATFORMS"] = "cpu"  # this process only prepares inputs
    load = os.getloadavg()
    measured = measured_ratios(measure(options), options.by)
    # Accepted ratios are stored by device, network, batch, size and clock.
    key = f"{options.device} {options.network} {options.batch} {options.size or ''} {options.by}"
    accepted = json.loads(options.results.read_text()) if options.results.exists() else {}
    ratios = accepted.get(key, {}).get("ratios", {})
    rows = compare_ratios(measured, ratios, options.tolerance)
    print(format_table(rows))
    if options.accept:
        about = describe_machine() | {
            "load": [load, os.getloadavg()],
            "packages": package_versions(sys.executable, ("jax", "flax", "salix"))
            | (package_versions(options.peers, ("torch",)) if options.peers else {}),
        }
        accepted[key] = {"about": about, "ratios": measured}
        options.results.write_text(json.dumps(accepted, indent=1) + "\n")
        return 0
    return int(any(status == "worse" for *_, status in rows))


if __name__ == "__main__":
    sys.exit(main())
