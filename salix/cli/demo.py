"""`salix demo`: training and comparison of small face-forgery detectors."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from salix.cli.options import Option


@dataclass(frozen=True)
class Demo:
    """Train small face-forgery detectors with two losses and compare their salience in a report.

    Example: salix demo --out salix-demo
    """

    out: Annotated[Path, Option(help="directory for the models, the runs and report.html")] = Path(
        "salix-demo"
    )
    real: Annotated[Path | None, Option(help="folder of real faces, instead of Olivetti's")] = None
    fake: Annotated[Path | None, Option(help="folder of generated faces, with --real")] = None
    seeds: Annotated[int, Option(help="detectors trained with each loss")] = 3
    offline: Annotated[
        bool, Option(help="use the faces that come with scikit-image, without network")
    ] = False

    def run(self) -> int:
        """Run the demo."""
        from salix.studies.demo.run import run_demo

        run_demo(self.out, real=self.real, fake=self.fake, seeds=self.seeds, offline=self.offline)
        return 0
