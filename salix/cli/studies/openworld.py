"""`salix study openworld`: forgeries attributed to their family, known or novel."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from salix.cli.options import Option


@dataclass(frozen=True)
class OpenWorldStudy:
    """Attribute forged faces to the family that made them; some families have no labels.

    Networks are trained on faces of five families with labels and of seven without, by
    cross-entropy, by contrastive pseudo-learning and by parts of it. The same faces are forged by
    every family, so that only its traces tell. An interrupted study continues where it was.

    Example: salix study openworld --seeds 5 --out salix-openworld
    Example: salix study openworld --offline --approaches CE CPL --seeds 1
    Example: salix study openworld --protocol 1 --data faces --seeds 1
    Example: salix study openworld --out salix-openworld --explain face.png
    """

    out: Annotated[Path, Option(help="directory for scores and the table")] = Path(
        "salix-openworld"
    )
    seeds: Annotated[int, Option(help="networks for each approach")] = 5
    offline: Annotated[
        bool, Option(help="use the faces that come with scikit-image, without network")
    ] = False
    quick: Annotated[
        bool, Option(help="train for a tenth of the steps: shows that it runs, learns little")
    ] = False
    approaches: Annotated[
        tuple[str, ...],
        Option(
            help="CE, 'CE + GLV', 'CE + CSP', CPL, 'CPL, weight detached', 'CPL, iterated', "
            "self-labelling, GCD-style; by default all of them"
        ),
    ] = ()

    protocol: Annotated[
        int, Option(help="protocol 1 or 2 of OW-DFA on faces in --data; 0 for the benchmark")
    ] = 0
    data: Annotated[str, Option(help="folder of a protocol's images, SOURCE/METHOD below it")] = ""
    explain: Annotated[
        str, Option(help="image to attribute by the finished study in --out, with its evidence")
    ] = ""

    def run(self) -> int:
        """Run the study, or attribute one image."""
        if self.explain:
            from salix.studies.openworld.run import attribute_new_image

            attribute_new_image(self.out, Path(self.explain))
            return 0
        from salix.studies.openworld.run import run_open_world, run_protocol
        from salix.typing import InputError

        if self.protocol and not self.data:
            raise InputError(f"--protocol {self.protocol} needs images: --data DIR")
        if self.data and not self.protocol:
            raise InputError(f"--data {self.data} is for a protocol: give --protocol 1 or 2")
        if self.protocol:
            run_protocol(
                self.out,
                Path(self.data),
                self.protocol,
                seeds=self.seeds,
                approaches=self.approaches,
            )
            return 0
        run_open_world(
            self.out,
            seeds=self.seeds,
            offline=self.offline,
            approaches=self.approaches,
            quick=self.quick,
        )
        return 0
