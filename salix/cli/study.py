"""`salix study`: studies on known data."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from salix.cli.studies.agg2exp import Agg2ExpStudy
from salix.cli.studies.chaosmining import ChaosMiningStudy
from salix.cli.studies.frontal import FrontalFacesStudy
from salix.cli.studies.instruction import InstructionTuningStudy
from salix.cli.studies.openworld import OpenWorldStudy
from salix.cli.studies.shift import ShiftStudy
from salix.cli.studies.strexp import STRExpStudy

KnownStudy = (
    Annotated[ShiftStudy, tyro.conf.subcommand("shift")]
    | Annotated[ChaosMiningStudy, tyro.conf.subcommand("chaosmining")]
    | Annotated[OpenWorldStudy, tyro.conf.subcommand("openworld")]
    | Annotated[Agg2ExpStudy, tyro.conf.subcommand("agg2exp")]
    | Annotated[FrontalFacesStudy, tyro.conf.subcommand("frontal")]
    | Annotated[STRExpStudy, tyro.conf.subcommand("strexp")]
    | Annotated[InstructionTuningStudy, tyro.conf.subcommand("instruction")]
)


@dataclass(frozen=True)
class Study:
    """Run a study on known data.

    Example: salix study shift --out salix-shift
    Example: salix study chaosmining --seeds 5 --out salix-chaosmining
    Example: salix study openworld --seeds 5 --out salix-openworld
    Example: salix study agg2exp --scans 12 --out salix-agg2exp
    Example: salix study frontal --out salix-frontal
    Example: salix study strexp --words 20 --out salix-strexp
    Example: salix study instruction --out salix-instruction
    """

    study: tyro.conf.OmitSubcommandPrefixes[tyro.conf.OmitArgPrefixes[KnownStudy]]

    def run(self) -> int:
        """Run the study."""
        return self.study.run()
