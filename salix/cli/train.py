"""`salix train`: training of a detector from labelled images, with one or several seeds."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from salix.cli.face_options import FaceOptions
from salix.cli.operation_options import OperationOptions
from salix.cli.options import Classes, Data, Frames, LabelNames, Option, Root
from salix.cli.preprocess_options import PreprocessOptions
from salix.cli.process_options import ProcessOptions
from salix.cli.weight_options import WeightOptions
from salix.measurement import progress_stream


@dataclass(frozen=True)
class Train:
    """Train a detector with one or several seeds; run the same command again to resume.

    Example: salix train --arch resnet50 --weights resnet50.pth --data real=photos fake=portraits
    --reference-masks heatmaps --recipe cyborg --seeds 10 --out trained
    """

    arch: Annotated[str, Option(help="architecture, for example resnet50", aliases=["--model"])]
    data: Data
    out: Annotated[Path, Option(help="directory of the training: created, or resumed")]
    validation: Annotated[
        tuple[str, ...],
        Option(
            help="validation data, as --data; --labels, --frames and --root count for those of "
            "both that take them"
        ),
    ] = ()
    labels: LabelNames = ()
    frames: Frames = None
    root: Root = None
    faces: Annotated[FaceOptions, tyro.conf.OmitArgPrefixes] = field(default_factory=FaceOptions)
    reference_masks: Annotated[
        Path | None, Option(help="folder of grey reference masks, each named by its image's id")
    ] = None
    weights: Annotated[WeightOptions, tyro.conf.OmitArgPrefixes] = field(
        default_factory=WeightOptions
    )
    preprocess: Annotated[PreprocessOptions, tyro.conf.OmitArgPrefixes] = field(
        default_factory=PreprocessOptions
    )
    classes: Classes = ()
    recipe: Annotated[
        str,
        Option(help="cyborg, cross_entropy, adamw, or 'Recipe(CYBORG(0.5), SGD(), epochs=20)'"),
    ] = "adamw"
    loss: Annotated[
        str | None, Option(help="loss instead of the recipe's, for example 'ModelFocus(0.5)'")
    ] = None
    validation_share: Annotated[
        float | None,
        Option(help="share of each class that is the validation data, without --validation"),
    ] = None
    seeds: Annotated[int, Option(help="number of networks, each with its own seed")] = 1
    first_seed: Annotated[int, Option(help="seed of the first network")] = 0
    together: Annotated[
        bool | None,
        Option(
            help="train all seeds in one program; by default on accelerators, for small networks"
        ),
    ] = None

    operation: Annotated[OperationOptions, tyro.conf.OmitArgPrefixes] = field(
        default_factory=OperationOptions
    )
    several: Annotated[ProcessOptions, tyro.conf.OmitArgPrefixes] = field(
        default_factory=ProcessOptions
    )

    def run(self) -> int:
        """Train, and save the weights of the best and of the last epoch of each seed."""
        self.several.join()
        from dataclasses import replace

        from salix import spec
        from salix.cli.train_data import open_training
        from salix.models import save
        from salix.train import LOSSES, train
        from salix.train.exchange import is_first
        from salix.train.initialise import initialiser
        from salix.train.recipe import PRESETS, RECIPES
        from salix.train.reference_masks import WithReferenceMasks

        recipe = PRESETS.get(self.recipe) or spec.parse(self.recipe, RECIPES)
        if self.loss is not None:
            recipe = replace(recipe, loss=spec.parse(self.loss, LOSSES))
        if self.validation_share is not None:
            recipe = replace(recipe, validation=self.validation_share)
        source, validation = open_training(self)
        build, about = initialiser(
            self.arch, self.weights.path, classes=self.classes or None, **self.weights.choice
        )
        about["preprocess"] = self.preprocess.apply(about["preprocess"])
        if self.reference_masks is not None:
            source = WithReferenceMasks(source, self.reference_masks)
        operation = self.operation if is_first() else OperationOptions()
        with operation.opened("train", self.out.name) as reports:
            trained = train(
                build,
                source,
                recipe,
                seeds=range(self.first_seed, self.first_seed + self.seeds),
                validation=validation,
                out=self.out,
                together=self.together,
                title=self.out.name,
                progress=reports.show,
                log=lambda line: print(line, file=progress_stream()),
                callback=reports.callback,
                profile=operation.profile,
                **about,
            )
        if not is_first():
            return 0
        best = self.out
        for result in trained:
            for kind, params in (("best", result.params), ("last", result.last_params)):
                file = self.out / f"{self.arch}-{result.seed}-{kind}.safetensors"
                save(
                    self.arch,
                    file,
                    params,
                    classes=about["classes"],
                    preprocess=about["preprocess"],
                )
            best = self.out / f"{self.arch}-{result.seed}-best.safetensors"
            print(f"{best}: seed {result.seed}, epoch {result.best_epoch + 1} of {recipe.epochs}")
        print(f"next: salix sweep --model {self.arch} --weights {best} --data … --out …")
        return 0
