"""`salix bench`: throughput of a model's workloads, with the ceilings of the device."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from salix.cli.options import Given


@dataclass(frozen=True)
class Bench:
    """Measure the throughput of a model on this device, and the device's own ceilings.

    Example: salix bench --model resnet50 --workloads forward saliency ig --batch-size 8
    --out bench.json
    """

    model: Annotated[str, Given(help="architecture, for example resnet50")]
    weights: Annotated[
        Path | None, Given(help="checkpoint; random weights by default, equally fast")
    ] = None
    workloads: Annotated[
        list[str],
        Given(
            help="forward, cam, gradcam, saliency, smoothgrad, ig, deletion, measures, paper: all"
        ),
    ] = field(default_factory=list)
    precision: Annotated[
        list[str], Given(help="float32, tf32, bfloat16, bfloat16_dots", aliases=["--precisions"])
    ] = field(default_factory=lambda: ["float32"])
    batch_size: Annotated[list[int], Given(help="images in a batch", aliases=["--batch-sizes"])] = (
        field(default_factory=lambda: [8])
    )
    rounds: Annotated[
        int, Given(help="timed runs of each workload, interleaved with the others")
    ] = 5
    out: Annotated[Path | None, Given(help="file for the results, .json")] = None

    def run(self) -> int:
        """Measure, print the table, and write it."""
        from salix.bench import WORKLOADS, bench, check, roofline, save, show
        from salix.models import load

        workloads = self.workloads or list(WORKLOADS)
        check(workloads, self.precision, self.batch_size, self.rounds)
        model, params = load(self.model, self.weights)
        ceilings = roofline(self.precision)
        rows = bench(
            model,
            params,
            workloads,
            self.precision,
            self.batch_size,
            self.rounds,
            progress=True,
            ceilings=ceilings,
        )
        show(rows, ceilings)
        if self.out is not None:
            save(self.out, rows, ceilings)
            print(f"{self.out}: {len(rows)} rows")
        return 0
