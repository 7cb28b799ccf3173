"""`salix study frontal`: frontal images of faces at an angle, and the identity in them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from salix.cli.options import Option


@dataclass(frozen=True)
class FrontalFacesStudy:
    """Train TP-GAN on faces at an angle and judge its frontal images.

    Pairs are photographs turned on a mesh by a known angle, so that the frontal truth is exact, or
    Olivetti's, or those of a folder. Distances to the truth, recognition by yaw before and after,
    what the recogniser looks at, and whether detectors take the images for fakes; with --ablation
    also without each part of the loss and of the network. An interrupted study continues where it
    was.

    Example: salix study frontal --out salix-frontal
    Example: salix study frontal --subjects 60 --epochs 2 --ablation
    Example: salix study frontal --data multipie/ --side 128 --width 64 --loss released
    """

    out: Annotated[Path, Option(help="directory for faces, networks, results and the page")] = Path(
        "salix-frontal"
    )
    data: Annotated[
        str,
        Option(
            help="turned for turned photographs, olivetti, or a folder with one folder of images "
            "for each subject, as of Multi-PIE"
        ),
    ] = "turned"
    subjects: Annotated[int, Option(help="subjects for training, with --data turned")] = 120
    test: Annotated[int, Option(help="subjects for tests")] = 40
    side: Annotated[int, Option(help="pixels a side of images, a multiple of 32")] = 64
    width: Annotated[
        int, Option(help="channels of the first convolution, a multiple of 8; 64 as published")
    ] = 8
    epochs: Annotated[int, Option(help="passes over the training pairs")] = 4
    batch: Annotated[int, Option(help="pairs of a step; 10 as published")] = 8
    learning_rate: Annotated[float, Option(help="of Adam; 1e-4 as published")] = 1e-3
    generator_steps: Annotated[
        int, Option(help="steps of the generator for one of the discriminator; 2 as released")
    ] = 1
    loss: Annotated[
        Literal["published", "released"], Option(help="weights and forms of the loss")
    ] = "published"
    adversarial: Annotated[
        Literal["minimax", "smoothed", "hinge"] | None,
        Option(help="another adversarial form than that of the loss"),
    ] = None
    recogniser_side: Annotated[
        int, Option(help="pixels a side of the recogniser's images, a multiple of 32")
    ] = 128
    recogniser: Annotated[
        Path | None, Option(help="weights of faceres, by default fetched at first use")
    ] = None
    ablation: Annotated[bool, Option(help="also train without each part")] = False
    ablation_side: Annotated[int, Option(help="pixels a side of images in the ablation")] = 64
    ablation_epochs: Annotated[int, Option(help="passes over the pairs in the ablation")] = 1
    seed: Annotated[int, Option(help="of the split, of first weights and of the order")] = 0

    def run(self) -> int:
        """Run the study."""
        from dataclasses import replace

        from salix.studies.frontal.run import FrontalStudy, loss_of, run_frontal
        from salix.studies.frontal.training import FrontalTraining

        study = FrontalStudy(self.data, self.side, self.subjects, self.test, self.seed)
        training = FrontalTraining(
            self.width,
            loss=loss_of(self.loss, self.adversarial),
            epochs=self.epochs,
            batch=self.batch,
            learning_rate=self.learning_rate,
            generator_steps=self.generator_steps,
            seed=self.seed,
        )
        run_frontal(
            self.out,
            study=study,
            training=training,
            ablation=replace(study, side=self.ablation_side) if self.ablation else None,
            ablation_epochs=self.ablation_epochs,
            recogniser_side=self.recogniser_side,
            weights=self.recogniser,
        )
        return 0
