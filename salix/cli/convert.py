"""`salix convert`: a checkpoint in, safetensors out."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from salix.cli.options import Classes, Given
from salix.typing import InputError


@dataclass(frozen=True)
class Convert:
    """Turn a checkpoint of PyTorch, Keras or ONNX into safetensors that say what they are.

    Example: salix convert --model meso4 --weights Meso4_DF.h5 --out meso4.safetensors
    """

    model: Annotated[str, Given(help="architecture, for example resnet50")]
    weights: Annotated[Path, Given(help="checkpoint to read; nothing in it is executed")]
    out: Annotated[Path, Given(help="file to write, .safetensors")]
    classes: Classes = field(default_factory=list)

    def run(self) -> int:
        """Convert, and say what was written."""
        from salix.models import load, save

        if self.out.suffix != ".safetensors":
            raise InputError(f"{self.out} is not a .safetensors file: name one with --out")
        model, params = load(self.model, self.weights, classes=self.classes or None)
        save(self.model, self.out, params, classes=model.classes)
        print(f"{self.out}: {self.model} with {len(model.classes)} classes")
        return 0
