"""`salix demo`: faces in, small detectors and a report of them out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from salix.cli.options import Given


@dataclass(frozen=True)
class Demo:
    """Train small detectors of re-generated faces, see what they look at, and write a report.

    Example: salix demo --out salix-demo
    """

    out: Annotated[Path, Given(help="directory for the runs and report.html")] = Path("salix-demo")
    real: Annotated[Path | None, Given(help="folder of your own real faces")] = None
    fake: Annotated[Path | None, Given(help="folder of your own generated faces")] = None
    seeds: Annotated[int, Given(help="detectors trained with each loss")] = 3
    offline: Annotated[bool, Given(help="use only the faces inside scikit-image")] = False

    def run(self) -> int:
        """Run the demo."""
        from salix.studies.demo.run import run_demo

        run_demo(self.out, real=self.real, fake=self.fake, seeds=self.seeds, offline=self.offline)
        return 0
