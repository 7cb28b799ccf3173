"""`salix study`: studies that train, sweep and compare small models on known data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional

from salix.cli.options import Option
from salix.typing import InputError

# Options of the study chaosmining alone.
CHAOSMINING = (
    "formulas",
    "noise_features",
    "rows",
    "label_noise",
    "methods",
    "sweeps",
    "selection",
)


@dataclass(frozen=True)
class Study:
    """Run a study on known data.

    shift: train detectors of one architecture on two generators of faces and compare them by
    regions. One generator makes smooth eyes, the other coarse mouths: these should rank first.

    chaosmining: train networks on formulas of a few features among features of noise, and score
    attribution methods by the features that they find, beside the published table. An interrupted
    study continues where it was.

    Example: salix study shift --out salix-shift
    Example: salix study chaosmining --seeds 5 --out salix-chaosmining
    Example: salix study chaosmining --formulas 0-5 "sin(a) * b" --noise-features 50
    Example: salix study chaosmining --sweeps noise_features label_noise --selection
    """

    study: Positional[Literal["shift", "chaosmining"]]
    out: Annotated[
        Path | None,
        Option(help="directory for models, tables and results; by default salix-shift, …"),
    ] = None
    seeds: Annotated[
        int,
        Option(help="detectors of each generator, a minute each; or networks of each formula"),
    ] = 5
    offline: Annotated[
        bool, Option(help="shift: use the faces that come with scikit-image, without network")
    ] = False
    quick: Annotated[
        bool, Option(help="train for a tenth of the steps: shows that it runs, learns little")
    ] = False
    formulas: Annotated[
        tuple[str, ...],
        Option(
            help="chaosmining: numbers 0 to 14, ranges such as 0-5, 12-mended, or formulas of the "
            "variables a to z such as 'sin(a) * b^2'; by default all 15"
        ),
    ] = ()
    noise_features: Annotated[
        int, Option(help="chaosmining: features of noise beside the relevant ones")
    ] = 100
    rows: Annotated[int, Option(help="chaosmining: rows of each formula, a fifth for tests")] = (
        10_000
    )
    label_noise: Annotated[
        float, Option(help="chaosmining: standard deviation of the noise of targets")
    ] = 0.01
    methods: Annotated[
        tuple[str, ...],
        Option(
            help="chaosmining: more methods to score, such as 'ExpectedGradients(references=0)' or "
            "'ShapleySampling(Patches(side=1))'"
        ),
    ] = ()
    sweeps: Annotated[
        tuple[str, ...],
        Option(
            help="chaosmining: conditions to sweep over their published values: noise_features, "
            "rows, depth, width, learning_rate, dropout, label_noise, optimiser"
        ),
    ] = ()
    selection: Annotated[
        bool,
        Option(
            help="chaosmining: also compare selectors of features, RFEwNA among them, with 150 "
            "features of noise"
        ),
    ] = False

    def run(self) -> int:
        """Run the study."""
        out = self.out or Path(f"salix-{self.study}")
        if self.study == "shift":
            from salix.studies.shift.run import run_shift

            for option in CHAOSMINING:
                if getattr(self, option) != getattr(Study, option):
                    raise InputError(
                        f"--{option.replace('_', '-')} is an option of the study chaosmining, not "
                        "of shift: leave it out"
                    )
            run_shift(out, seeds=self.seeds, offline=self.offline, quick=self.quick)
            return 0
        from salix.studies.chaosmining.data import NoiseSetting
        from salix.studies.chaosmining.run import run_chaosmining

        if self.offline:
            raise InputError("--offline is an option of the study shift: chaosmining needs no data")
        run_chaosmining(
            out,
            seeds=self.seeds,
            formulas=self.formulas,
            noise=NoiseSetting(self.noise_features, self.rows, self.label_noise),
            methods=self.methods,
            sweeps=self.sweeps,
            selection=self.selection,
            quick=self.quick,
        )
        return 0
