"""`salix bench`: a model in, a table of times out."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from salix.cli.options import Given


@dataclass(frozen=True)
class Bench:
    """Time what Salix does with a model here, beside the most that this device can do.

    Example: salix bench --model resnet50 --workloads forward saliency ig --batch-size 8
    --out bench.json
    """

    model: Annotated[str, Given(help="architecture, for example resnet50")]
    weights: Annotated[Path | None, Given(help="checkpoint; random weights take as long")] = None
    workloads: Annotated[
        list[str],
        Given(
            help="forward, cam, gradcam, saliency, smoothgrad, ig, deletion, measures, paper: all"
        ),
    ] = field(default_factory=list)
    precision: Annotated[
        list[str], Given(help="float32, tf32, bfloat16, bfloat16_dots", aliases=["--precisions"])
    ] = field(default_factory=lambda: ["float32"])
    batch_size: Annotated[list[int], Given(help="images in one run", aliases=["--batch-sizes"])] = (
        field(default_factory=lambda: [8])
    )
    rounds: Annotated[int, Given(help="runs of each that are timed, in turn with the others")] = 5
    out: Annotated[Path | None, Given(help="file for the numbers, .json")] = None

    def run(self) -> int:
        """Time, print the table, and write it."""
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
