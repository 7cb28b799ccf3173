"""`salix demo`: trains small face-forgery detectors and writes a report of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from salix.cli.options import Given


@dataclass(frozen=True)
class Demo:
    """Train small face-forgery detectors with two losses and compare their salience in a report.

    Example: salix demo --out salix-demo
    """

    out: Annotated[Path, Given(help="directory for the models, the runs and report.html")] = Path(
        "salix-demo"
    )
    real: Annotated[Path | None, Given(help="folder of real faces, instead of Olivetti's")] = None
    fake: Annotated[Path | None, Given(help="folder of generated faces, with --real")] = None
    seeds: Annotated[int, Given(help="detectors trained with each loss")] = 3
    offline: Annotated[
        bool, Given(help="use the faces that come with scikit-image, without network")
    ] = False

    def run(self) -> int:
        """Run the demo."""
        from salix.studies.demo.run import run_demo

        run_demo(self.out, real=self.real, fake=self.fake, seeds=self.seeds, offline=self.offline)
        return 0
