"""`salix study chaosmining`: attribution methods among features of noise."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from salix.cli.options import Option
from salix.typing import InputError

# Options of formulas, and of images and sounds.
SYMBOLIC = ("formulas", "noise_features", "rows", "label_noise", "sweeps", "selection")
SIGNALS = ("examples", "conditions", "networks", "foregrounds")


@dataclass(frozen=True)
class ChaosMiningStudy:
    """Score attribution methods by the features that they find among features of noise.

    Networks are trained on formulas of a few features, and the scores stand beside the published
    table. With --kind vision or audio, classifiers of a foreground at a known place of a
    background. An interrupted study continues where it was.

    Example: salix study chaosmining --seeds 5 --out salix-chaosmining
    Example: salix study chaosmining --formulas 0-5 "sin(a) * b" --noise-features 50
    Example: salix study chaosmining --sweeps noise_features label_noise --selection
    Example: salix study chaosmining --kind vision --conditions RBFP SBRP --networks CNN
    Example: salix study chaosmining --kind audio --foregrounds words
    """

    out: Annotated[Path, Option(help="directory for networks, scores, tables and the page")] = Path(
        "salix-chaosmining"
    )
    seeds: Annotated[
        int | None,
        Option(
            help="networks of each formula, by default 5; or classifiers of each condition with "
            "--kind vision or audio, by default 1"
        ),
    ] = None
    quick: Annotated[
        bool, Option(help="train for a tenth of the steps: shows that it runs, learns little")
    ] = False
    kind: Annotated[
        Literal["symbolic", "vision", "audio"],
        Option(
            help="symbolic for formulas, vision for digits in images, audio for tones in one of "
            "ten channels"
        ),
    ] = "symbolic"
    methods: Annotated[
        tuple[str, ...],
        Option(
            help="more methods to score, such as 'ExpectedGradients(references=0)' or "
            "'ShapleySampling(Patches(side=1))'"
        ),
    ] = ()
    formulas: Annotated[
        tuple[str, ...],
        Option(
            help="numbers 0 to 14, ranges such as 0-5, 12-mended, or formulas of the variables a "
            "to z such as 'sin(a) * b^2'; by default all 15"
        ),
    ] = ()
    noise_features: Annotated[int, Option(help="features of noise beside the relevant ones")] = 100
    rows: Annotated[int, Option(help="rows of each formula, a fifth for tests")] = 10_000
    label_noise: Annotated[float, Option(help="standard deviation of the noise of targets")] = 0.01
    sweeps: Annotated[
        tuple[str, ...],
        Option(
            help="conditions to sweep over their published values: noise_features, rows, depth, "
            "width, learning_rate, dropout, label_noise, optimiser"
        ),
    ] = ()
    selection: Annotated[
        bool,
        Option(
            help="also compare selectors of features, RFEwNA among them, with 150 features of noise"
        ),
    ] = False
    examples: Annotated[
        int, Option(help="vision and audio: training examples of each condition")
    ] = 3000
    conditions: Annotated[
        tuple[str, ...],
        Option(
            help="vision and audio: random (RB) or structured (SB) background and fixed (FP) or "
            "random (RP) position: RBFP, RBRP, SBFP, SBRP; by default all"
        ),
    ] = ()
    networks: Annotated[
        tuple[str, ...],
        Option(help="vision and audio: networks such as CNN; by default all"),
    ] = ()
    foregrounds: Annotated[
        Path | None,
        Option(
            help="vision and audio: a folder of pictures or WAV files, one folder for each of 2 to "
            "10 classes, instead of the digits or tones"
        ),
    ] = None

    def run(self) -> int:
        """Run the study."""
        if self.kind != "symbolic":
            self._run_signals()
            return 0
        from salix.studies.chaosmining.data import NoiseSetting
        from salix.studies.chaosmining.run import run_chaosmining

        self._refuse(SIGNALS, "of --kind vision and audio")
        run_chaosmining(
            self.out,
            seeds=5 if self.seeds is None else self.seeds,
            formulas=self.formulas,
            noise=NoiseSetting(self.noise_features, self.rows, self.label_noise),
            methods=self.methods,
            sweeps=self.sweeps,
            selection=self.selection,
            quick=self.quick,
        )
        return 0

    def _run_signals(self) -> None:
        from salix.studies.chaosmining.signals.run import run_signals

        self._refuse(SYMBOLIC, f"of --kind symbolic, not of {self.kind}")
        run_signals(
            self.out,
            self.kind,
            seeds=1 if self.seeds is None else self.seeds,
            examples=self.examples,
            conditions=self.conditions,
            networks=self.networks,
            methods=self.methods,
            foregrounds=self.foregrounds,
            quick=self.quick,
        )

    def _refuse(self, options: tuple[str, ...], owner: str) -> None:
        """Raise `InputError` for an option that is not the default and belongs to another kind."""
        for option in options:
            if getattr(self, option) != getattr(ChaosMiningStudy, option):
                raise InputError(f"--{option.replace('_', '-')} is an option {owner}: leave it out")
