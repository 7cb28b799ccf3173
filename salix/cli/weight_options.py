"""Options of the commands that read a weight file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from salix.cli.options import Option
from salix.typing import InputError


@dataclass(frozen=True)
class WeightOptions:
    """A weight file, and which of its networks is read where it contains several."""

    path: Annotated[
        Path | None,
        Option(
            name="weights",
            help="checkpoint, a file or a folder of PyTorch, Keras, ONNX, "
            "TensorFlow.js, Orbax or safetensors; random weights without",
        ),
    ] = None
    prefix: Annotated[
        str | None,
        Option(help="prefix of the network in a file with several, for example encoder_q"),
    ] = None
    ema: Annotated[
        bool, Option(help="read the average of the weights, not the weights themselves")
    ] = False
    raw: Annotated[
        bool, Option(help="read the weights themselves, not their average over training")
    ] = False

    head: Annotated[
        Path | None,
        Option(
            name="head-weights",
            help="file of the last layer alone, published for the trunk in --weights, for example "
            "fc_weights.pth of UniversalFakeDetect",
        ),
    ] = None

    ignore: Annotated[
        tuple[str, ...],
        Option(
            metavar="PATTERN …",
            help="arrays of --weights that are left out, by patterns of their names, for example "
            "'neck.*': salix inspect lists the names",
        ),
    ] = ()
    allow_missing: Annotated[
        tuple[str, ...],
        Option(
            metavar="PATTERN …",
            help="parameters that --weights may lack, by patterns of the model's names, for "
            "example 'fc.*'; they keep initial values, which the manifest and the page say",
        ),
    ] = ()

    @property
    def choice(self) -> dict[str, Any]:
        """Return the keyword arguments of `salix.models.load` beside the file."""
        options = {"--prefix": self.prefix is not None, "--ema": self.ema, "--raw": self.raw}
        if sum(options.values()) > 1:
            both = " and ".join(name for name, used in options.items() if used)
            raise InputError(f"{both} exclude each other: give one of them")
        if any(options.values()) and self.path is None:
            raise InputError("--prefix, --ema and --raw choose a network of --weights: give it too")
        if self.head is not None and self.path is None:
            raise InputError(
                "--head-weights is the last layer of the network in --weights: give it"
            )
        if (self.ignore or self.allow_missing) and self.path is None:
            raise InputError("--ignore and --allow-missing are about arrays of --weights: give it")
        return {
            "prefix": self.prefix,
            "ema": self.ema if self.ema or self.raw else None,
            "head": self.head,
            "ignore": self.ignore,
            "allow_missing": self.allow_missing,
        }
