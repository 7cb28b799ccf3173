"""`salix convert`: conversion of a checkpoint to safetensors."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from salix.cli.options import Classes, Option
from salix.cli.preprocess_options import PreprocessOptions
from salix.cli.weight_options import WeightOptions
from salix.typing import InputError


@dataclass(frozen=True)
class Convert:
    """Convert a checkpoint to safetensors, with architecture, classes and preprocessing.

    Reads PyTorch, Keras, ONNX, TensorFlow.js, Orbax and safetensors; no code in it is executed.

    Example: salix convert --model meso4 --weights Meso4_DF.h5 --out meso4.safetensors
    """

    model: Annotated[str, Option(help="architecture, for example resnet50")]
    out: Annotated[Path, Option(help="file to write, .safetensors")]
    weights: Annotated[WeightOptions, tyro.conf.OmitArgPrefixes] = field(
        default_factory=WeightOptions
    )
    classes: Classes = ()
    preprocess: Annotated[PreprocessOptions, tyro.conf.OmitArgPrefixes] = field(
        default_factory=PreprocessOptions
    )

    def run(self) -> int:
        """Convert the checkpoint and print the path of the new file."""
        from salix.models import load, save

        if self.out.suffix != ".safetensors":
            raise InputError(f"{self.out} is not a .safetensors file: name one with --out")
        if self.weights.path is None:
            raise InputError("no checkpoint to convert: name it with --weights")
        model, params = load(
            self.model, self.weights.path, classes=self.classes or None, **self.weights.choice
        )
        save(
            self.model,
            self.out,
            params,
            classes=model.classes,
            chosen=model.chosen,
            initialised=() if model.weights is None else model.weights.initialised,
            preprocess=self.preprocess.apply(model.preprocess),
        )
        print(f"{self.out}: {self.model} with {len(model.classes)} classes")
        return 0
