"""`salix study`: studies on known data."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from salix.cli.studies.chaosmining import ChaosMiningStudy
from salix.cli.studies.shift import ShiftStudy

KnownStudy = (
    Annotated[ShiftStudy, tyro.conf.subcommand("shift")]
    | Annotated[ChaosMiningStudy, tyro.conf.subcommand("chaosmining")]
)


@dataclass(frozen=True)
class Study:
    """Run a study on known data.

    Example: salix study shift --out salix-shift
    Example: salix study chaosmining --seeds 5 --out salix-chaosmining
    """

    study: tyro.conf.OmitSubcommandPrefixes[tyro.conf.OmitArgPrefixes[KnownStudy]]

    def run(self) -> int:
        """Run the study."""
        return self.study.run()
