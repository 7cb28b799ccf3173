"""`salix study`: studies that train, sweep and compare small models on known data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional

from salix.cli.options import Option


@dataclass(frozen=True)
class Study:
    """Run a study on known data.

    shift: train detectors of one architecture on two generators of faces and compare them by
    regions. One generator makes smooth eyes, the other coarse mouths: these should rank first.

    Example: salix study shift --out salix-shift
    """

    study: Positional[Literal["shift"]]
    out: Annotated[Path, Option(help="directory for models, runs, tables and compare.html")] = Path(
        "salix-shift"
    )
    seeds: Annotated[
        int, Option(help="detectors trained on each generator; about a minute each")
    ] = 5
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
