"""Options of the pixels that a model was trained on."""

import sys
from dataclasses import dataclass, fields, replace
from typing import Annotated, Literal

from salix.cli.options import Option
from salix.preprocess import Fit, Interpolation, Preprocess
from salix.typing import InputError


@dataclass(frozen=True)
class PreprocessOptions:
    """Size, normalisation and channels of a model's images, instead of the weight file's."""

    size: Annotated[
        tuple[int, ...], Option(help="pixels of the model's images: one side, or height and width")
    ] = ()
    mean: Annotated[
        tuple[float, ...],
        Option(help="mean of pixel values in [0, 1]: one number, or one for each channel"),
    ] = ()
    std: Annotated[
        tuple[float, ...],
        Option(help="standard deviation of pixel values in [0, 1], as --mean"),
    ] = ()
    fit: Annotated[
        Fit | None, Option(help="stretch to the size, or keep the aspect and crop the centre")
    ] = None
    resize: Annotated[
        int | None,
        Option(help="shortest side before the centre is cropped, for example 256 for --size 224"),
    ] = None
    interpolation: Annotated[Interpolation | None, Option(help="filter of the resizing")] = None
    channels: Annotated[Literal[1, 3] | None, Option(help="3 for RGB, 1 for grey")] = None

    def apply(self, preprocess: Preprocess) -> Preprocess:
        """Return a model's preprocessing with these options, and report what they replace.

        Raises `InputError`, naming the option, for a value that makes no sense.
        """
        chosen = {f.name: getattr(self, f.name) for f in fields(self)}
        chosen = {name: value for name, value in chosen.items() if value not in ((), None)}
        if not chosen:
            return preprocess
        if self.resize is not None and self.fit is None:
            chosen["fit"] = "crop"
        if self.fit == "stretch" and self.resize is None:
            chosen["resize"] = None
        try:
            result = replace(preprocess, **chosen)
        except InputError as error:
            raise InputError(f"--{error}") from None
        changes = [
            f"--{name} {_text(getattr(result, name))} replaces {_text(getattr(preprocess, name))}"
            for name in chosen
            if getattr(result, name) != getattr(preprocess, name)
        ]
        if changes:
            print(f"preprocessing: {', '.join(changes)}", file=sys.stderr)
        return result


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
