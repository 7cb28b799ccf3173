"""`salix study agg2exp`: attributions of 3D segmentations added up by organ."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from salix.cli.options import Option


@dataclass(frozen=True)
class Agg2ExpStudy:
    """Add up the attributions of a 3D segmentation by organ: which organs does a class lean on?

    The segmenter is a U-Net trained on phantoms whose dependences are known, or deepbrain or
    deepbet on your volumes. An interrupted study continues where it was.

    Example: salix study agg2exp --scans 12 --methods Gradient "SmoothGrad(samples=5)"
    Example: salix study agg2exp --model deepbrain --volumes head.nii.gz --labels tissues.nii.gz
    """

    out: Annotated[Path, Option(help="directory for the network, tables, maps and the page")] = (
        Path("salix-agg2exp")
    )
    model: Annotated[
        Literal["phantoms", "deepbrain", "deepbet"],
        Option(
            help="a U-Net trained on phantoms in minutes, or a published segmenter of the brain in "
            "whole-head T1 volumes"
        ),
    ] = "phantoms"
    scans: Annotated[int, Option(help="phantoms to explain")] = 12
    volumes: Annotated[
        tuple[Path, ...], Option(help="whole heads in NIfTI files (needs salix[volumes])")
    ] = ()
    labels: Annotated[
        tuple[Path, ...],
        Option(help="NIfTI label maps as regions, one for each of --volumes"),
    ] = ()
    methods: Annotated[
        tuple[str, ...],
        Option(
            help="names such as Occlusion or texts such as 'SmoothGrad(samples=5)'; by default "
            "Gradient, SmoothGrad, IG and 'KernelSHAP organs'"
        ),
    ] = ()
    window: Annotated[
        int | None,
        Option(help="side of sliding windows in voxels; by default the whole volume"),
    ] = None
    merge: Annotated[
        tuple[str, ...],
        Option(
            help="classes or labels that count as one, such as 'anchors=anchor 1,anchor 2' or "
            "'grey=label 2,label 3'"
        ),
    ] = ()
    quick: Annotated[
        bool, Option(help="train for a tenth of the steps: shows that it runs, learns little")
    ] = False

    def run(self) -> int:
        """Run the study."""
        from salix.studies.agg2exp.run import run_agg2exp

        run_agg2exp(
            self.out,
            model=self.model,
            scans=self.volumes,
            labels=self.labels,
            methods=self.methods,
            count=self.scans,
            window=self.window,
            merges=self.merge,
            quick=self.quick,
        )
        return 0
