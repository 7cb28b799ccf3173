"""`salix bench`: throughput of a model's workloads and the ceilings of the device."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from salix.cli.options import Option


@dataclass(frozen=True)
class Bench:
    """Measure the throughput of a model on this device, and the device's own ceilings.

    Example: salix bench --model resnet50 --workloads forward saliency ig --batch-size 8
    --out bench.json
    """

    model: Annotated[str, Option(help="architecture, for example resnet50")]
    weights: Annotated[
        Path | None, Option(help="checkpoint; random weights by default, equally fast")
    ] = None
    workloads: Annotated[
        tuple[str, ...],
        Option(
            help="forward, cam, gradcam, saliency, smoothgrad, ig, deletion, measures, paper; "
            "all by default"
        ),
    ] = ()
    precision: Annotated[
        tuple[str, ...],
        Option(help="float32, tf32, bfloat16, bfloat16_dots", aliases=["--precisions"]),
    ] = ("float32",)
    batch_size: Annotated[
        tuple[int, ...], Option(help="images in a batch", aliases=["--batch-sizes"])
    ] = (8,)
    rounds: Annotated[
        int, Option(help="timed runs of each workload, interleaved with the others")
    ] = 5
    out: Annotated[Path | None, Option(help="file for the results, .json")] = None

    def run(self) -> int:
        """Measure, print the table and write the results."""
        from salix.bench import WORKLOADS, bench, check, roofline, save, show
        from salix.models import load

        cases = {
            "workloads": self.workloads or tuple(WORKLOADS),
            "precisions": self.precision,
            "batch_sizes": self.batch_size,
            "rounds": self.rounds,
        }
        check(**cases)
        model, params = load(self.model, self.weights)
        ceilings = roofline(precisions=self.precision)
        rows = bench(model, params, **cases, progress=True, ceilings=ceilings)
        show(rows, ceilings)
        if self.out is not None:
            save(self.out, rows, ceilings)
            print(f"{self.out}: {len(rows)} rows")
        return 0
