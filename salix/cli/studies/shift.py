"""`salix study shift`: detectors trained on two generators, compared by regions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from salix.cli.options import Option


@dataclass(frozen=True)
class ShiftStudy:
    """Train detectors of one architecture on two generators of faces and compare them by regions.

    One generator makes smooth eyes, the other coarse mouths: these should rank first.

    Example: salix study shift --out salix-shift
    """

    out: Annotated[Path, Option(help="directory for models, tables and results")] = Path(
        "salix-shift"
    )
    seeds: Annotated[int, Option(help="detectors of each generator, a minute each")] = 5
    offline: Annotated[
        bool, Option(help="use the faces that come with scikit-image, without network")
    ] = False
    quick: Annotated[
        bool, Option(help="train for a tenth of the steps: shows that it runs, learns little")
    ] = False

    def run(self) -> int:
        """Run the study."""
        from salix.studies.shift.run import run_shift

        run_shift(self.out, seeds=self.seeds, offline=self.offline, quick=self.quick)
        return 0
