"""`salix sweep`: a model and a data set in, a run out."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from salix.cli.options import Data, Given
from salix.precision import Precision


@dataclass(frozen=True)
class Sweep:
    """Explain every image of a data set with one model; run it again to go on after a stop.

    Example: salix sweep --model meso4 --weights Meso4_DF.h5 --data real=photos fake=portraits
    --out runs/meso4
    """

    model: Annotated[str, Given(help="architecture, for example meso4")]
    data: Data
    out: Annotated[Path, Given(help="directory of the run: made, or gone on with")]
    weights: Annotated[Path | None, Given(help="checkpoint: .safetensors, .h5, .pth")] = None
    attribution: Annotated[
        str, Given(help="method, for example 'IntegratedGradients(steps=64)'")
    ] = "GradCAM()"
    score: Annotated[str, Given(help="what is explained: logit(), probability(1), margin() …")] = (
        "logit()"
    )
    precision: Annotated[
        Precision,
        Given(help="of the model's products: less is faster where the device has units for it"),
    ] = "float32"
    measures: Annotated[
        list[str], Given(help="paper, standard, or measures such as 'Noise(kind=\"jpeg\")'")
    ] = field(default_factory=list)
    batch_size: Annotated[int, Given(help="images explained at once")] = 32
    seed: Annotated[int, Given(help="seed of random methods")] = 0
    name: Annotated[str | None, Given(help="name in reports; the directory's by default")] = None
    group: Annotated[str | None, Given(help="name shared by runs that differ by seed")] = None
    labels: Annotated[bool, Given(help="use folder names or the CSV's labels as classes")] = True

    def run(self) -> int:
        """Run the sweep and print where its rows are."""
        from salix import spec
        from salix.attribution import METHODS
        from salix.data import Unlabelled, open_source
        from salix.engine import sweep
        from salix.measures import ARGUMENTS, MEASURES
        from salix.measures.presets import PRESETS
        from salix.models import load
        from salix.scores import SCORES

        source = open_source(self.data)
        model, params = load(self.model, self.weights)
        if self.weights is None:
            print(f"{self.model} has random weights: give --weights", file=sys.stderr)
        measures = [
            measure
            for text in self.measures
            for measure in PRESETS.get(text) or (spec.parse(text, MEASURES, ARGUMENTS),)
        ]
        run = sweep(
            model,
            params,
            source if self.labels else Unlabelled(source),
            spec.parse(self.attribution, METHODS),
            measures,
            out=self.out,
            score=spec.parse(self.score, SCORES),
            precision=self.precision,
            batch_size=self.batch_size,
            seed=self.seed,
            name=self.name or self.out.name,
            group=self.group,
            progress=True,
        )
        skipped = len(run.skipped)
        print(f"{run.path}: {len(run.table) - skipped} images explained, {skipped} skipped")
        for row in run.skipped[:5]:
            print(f"  skipped {row['id']}: {row['skipped']}")
        if skipped > 5:
            print(f"  … and {skipped - 5} more, with their reasons in the report")
        print(f"next: salix report {run.path} --out report.html")
        return 0
