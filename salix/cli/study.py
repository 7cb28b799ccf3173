"""`salix study`: studies that train, sweep and compare small models on known data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional

from salix.cli.options import Option
from salix.typing import InputError

# Options of the study chaosmining alone: of formulas, of images and sounds, and of both.
SYMBOLIC = ("formulas", "noise_features", "rows", "label_noise", "sweeps", "selection")
SIGNALS = ("examples", "conditions", "networks")
CHAOSMINING = ("kind", *SYMBOLIC, *SIGNALS)
AGG2EXP = ("model", "scans", "volumes", "labels", "window")


@dataclass(frozen=True)
class Study:
    """Run a study on known data.

    shift: train detectors of one architecture on two generators of faces and compare them by
    regions. One generator makes smooth eyes, the other coarse mouths: these should rank first.

    chaosmining: train networks on formulas of a few features among features of noise, and score
    attribution methods by the features that they find, beside the published table. With --kind
    vision or audio, classifiers of a foreground at a known place of a background. An interrupted
    study continues where it was.

    agg2exp: add up the attributions of a 3D segmentation by organ: which organs does each class
    lean on? A U-Net trained on phantoms whose dependences are known, or deepbrain on your volumes.

    Example: salix study shift --out salix-shift
    Example: salix study chaosmining --seeds 5 --out salix-chaosmining
    Example: salix study chaosmining --formulas 0-5 "sin(a) * b" --noise-features 50
    Example: salix study chaosmining --sweeps noise_features label_noise --selection
    Example: salix study chaosmining --kind vision --conditions RBFP SBRP --networks CNN
    Example: salix study agg2exp --scans 12 --methods Gradient "SmoothGrad(samples=5)"
    Example: salix study agg2exp --model deepbrain --volumes head.nii.gz --labels tissues.nii.gz
    """

    study: Positional[Literal["shift", "chaosmining", "agg2exp"]]
    out: Annotated[
        Path | None,
        Option(help="directory for models, tables and results; by default salix-shift, …"),
    ] = None
    seeds: Annotated[
        int | None,
        Option(
            help="detectors of each generator, a minute each; or networks of each formula; by "
            "default 5, and 1 classifier of each condition with --kind vision or audio"
        ),
    ] = None
    offline: Annotated[
        bool, Option(help="shift: use the faces that come with scikit-image, without network")
    ] = False
    quick: Annotated[
        bool, Option(help="train for a tenth of the steps: shows that it runs, learns little")
    ] = False
    kind: Annotated[
        Literal["symbolic", "vision", "audio"],
        Option(
            help="chaosmining: symbolic for formulas, vision for digits in images, audio for tones "
            "in one of ten channels"
        ),
    ] = "symbolic"
    examples: Annotated[
        int,
        Option(help="chaosmining, vision and audio: training examples of each condition"),
    ] = 3000
    conditions: Annotated[
        tuple[str, ...],
        Option(
            help="chaosmining, vision and audio: random (RB) or structured (SB) background "
            "and fixed (FP) or random (RP) position: RBFP, RBRP, SBFP, SBRP; by default all"
        ),
    ] = ()
    networks: Annotated[
        tuple[str, ...],
        Option(help="chaosmining, vision and audio: networks such as CNN; by default all"),
    ] = ()
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
            "'ShapleySampling(Patches(side=1))'; agg2exp: the methods, names such as Occlusion or "
            "texts such as 'SmoothGrad(samples=5)', by default Gradient, SmoothGrad, IG and "
            "'KernelSHAP organs'"
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

    model: Annotated[
        Literal["phantoms", "deepbrain"],
        Option(
            help="agg2exp: a U-Net trained on phantoms in minutes, or deepbrain's segmenter of the "
            "brain in whole-head T1 volumes"
        ),
    ] = "phantoms"
    scans: Annotated[int, Option(help="agg2exp: phantoms to explain")] = 12
    volumes: Annotated[
        tuple[Path, ...],
        Option(help="agg2exp: NIfTI files to explain by deepbrain (needs salix[volumes])"),
    ] = ()
    labels: Annotated[
        tuple[Path, ...],
        Option(help="agg2exp: NIfTI label maps as regions, one for each of --volumes"),
    ] = ()
    window: Annotated[
        int | None,
        Option(help="agg2exp: side of sliding windows in voxels; by default the whole volume"),
    ] = None

    def run(self) -> int:
        """Run the study."""
        out = self.out or Path(f"salix-{self.study}")
        seeds = 5 if self.seeds is None else self.seeds
        if self.study == "shift":
            from salix.studies.shift.run import run_shift

            self._refuse(("methods", *CHAOSMINING), "of the study chaosmining, not of shift")
            self._refuse(AGG2EXP, "of the study agg2exp, not of shift")
            run_shift(out, seeds=seeds, offline=self.offline, quick=self.quick)
            return 0
        if self.offline:
            raise InputError(
                f"--offline is an option of the study shift: {self.study} needs no data"
            )
        if self.study == "agg2exp":
            self._run_agg2exp(out)
            return 0
        self._refuse(AGG2EXP, "of the study agg2exp, not of chaosmining")
        if self.kind != "symbolic":
            self._run_signals(out)
            return 0
        from salix.studies.chaosmining.data import NoiseSetting
        from salix.studies.chaosmining.run import run_chaosmining

        self._refuse(SIGNALS, "of --kind vision and audio")
        run_chaosmining(
            out,
            seeds=seeds,
            formulas=self.formulas,
            noise=NoiseSetting(self.noise_features, self.rows, self.label_noise),
            methods=self.methods,
            sweeps=self.sweeps,
            selection=self.selection,
            quick=self.quick,
        )
        return 0

    def _run_signals(self, out: Path) -> None:
        from salix.studies.chaosmining.signals.run import run_signals

        self._refuse(SYMBOLIC, f"of --kind symbolic, not of {self.kind}")
        run_signals(
            out,
            self.kind,
            seeds=1 if self.seeds is None else self.seeds,
            examples=self.examples,
            conditions=self.conditions,
            networks=self.networks,
            methods=self.methods,
            quick=self.quick,
        )

    def _run_agg2exp(self, out: Path) -> None:
        from salix.studies.agg2exp.run import run_agg2exp

        self._refuse(CHAOSMINING, "of the study chaosmining, not of agg2exp")
        self._refuse(("seeds",), "of the other studies: agg2exp has --scans")
        run_agg2exp(
            out,
            model=self.model,
            scans=self.volumes,
            labels=self.labels,
            methods=self.methods,
            count=self.scans,
            window=self.window,
            quick=self.quick,
        )

    def _refuse(self, options: tuple[str, ...], owner: str) -> None:
        """Raise `InputError` for an option that is not the default and belongs to another study."""
        for option in options:
            if getattr(self, option) != getattr(Study, option):
                raise InputError(f"--{option.replace('_', '-')} is an option {owner}: leave it out")
