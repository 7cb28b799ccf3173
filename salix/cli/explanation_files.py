"""Files of `salix explain`: names for each image, pictures, figures and arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np

from salix.cli.options import Option
from salix.typing import InputError

PICTURES = (".png", ".jpg", ".jpeg", ".webp")  # of one method: blended pixels of the model's size
SUFFIXES = {
    False: (*PICTURES, ".pdf", ".svg", ".npy", ".npz"),
    True: (".png", ".pdf", ".svg", ".npz"),
}


@dataclass(frozen=True)
class MapStyle:
    """Options of pictures and figures: clipping, smoothing and opacity."""

    percentile: Annotated[
        float, Option(help="percentile at which the colours of a figure are clipped; 100: nowhere")
    ] = 99.0
    smooth: Annotated[bool, Option(help="draw maps smoothly instead of pixel by pixel")] = False
    opacity: Annotated[float, Option(help="share of the map in the picture, 0 to 1")] = 0.5


def output_files(
    images: Sequence[Path], out: Sequence[Path], *, several: bool
) -> list[tuple[Path, ...]]:
    """Return the files to write for each image.

    `several` methods need a figure or an archive of arrays. Raises `InputError` for a suffix that
    does not fit, and where a file would overwrite an image or another file.
    """
    if not images:
        raise InputError("no image given: name files, salix explain face.png …")
    known = SUFFIXES[several]
    folders = [path for path in out if path.is_dir() or not path.suffix]
    if (folders and len(out) > 1) or (len(images) > 1 and not folders):
        names = " ".join(map(str, out))
        raise InputError(f"--out {names}: give one folder, or files for one image")
    if folders:
        outputs = [(folders[0] / f"{file.stem}-map.png",) for file in images]
    else:
        outputs = [tuple(out)]
    for path in (path for paths in outputs for path in paths):
        if path.suffix.lower() not in known:
            count = "several methods" if several else "one method"
            raise InputError(f"--out {path}: give a folder, or for {count} {', '.join(known)}")
    written = [path for paths in outputs for path in paths]
    inputs = {file.resolve() for file in images}
    for path in written:
        if written.count(path) > 1 or path.resolve() in inputs:
            raise InputError(f"{path} would overwrite an image or another map: name another --out")
    return outputs


@dataclass(frozen=True)
class ExplanationWriter:
    """Writer of the maps of one image; `several` methods share the colour `scale`."""

    several: bool
    scale: str = "map"
    style: MapStyle = field(default_factory=MapStyle)

    def check(self, files: Sequence[Path]) -> None:
        """Raise `InputError` where a file is a figure and matplotlib is not installed."""
        from salix import plot

        kinds = {file.suffix.lower() for file in files} - {".npy", ".npz"}
        if kinds & {".pdf", ".svg"} or (kinds and self.several):
            plot.check_matplotlib()

    def write(
        self, file: Path, name: str, pixels: np.ndarray, maps: Mapping[str, np.ndarray]
    ) -> None:
        """Write the maps of an image, by the text of their method, as the suffix of `file` says."""
        file.parent.mkdir(parents=True, exist_ok=True)
        suffix = file.suffix.lower()
        if suffix == ".npy":
            np.save(file, next(iter(maps.values())))
        elif suffix == ".npz":
            with file.open("wb") as stream:
                np.savez_compressed(stream, **maps)  # pyright: ignore[reportArgumentType]
        elif suffix in PICTURES and not self.several:
            self._blend(file, pixels, next(iter(maps.values())))
        else:
            self._draw(file, name, pixels, maps)

    def _blend(self, file: Path, pixels: np.ndarray, map: np.ndarray) -> None:
        from PIL import Image

        from salix.plot import blend

        Image.fromarray(blend(pixels, map, opacity=self.style.opacity)).save(file)

    def _draw(
        self, file: Path, name: str, pixels: np.ndarray, maps: Mapping[str, np.ndarray]
    ) -> None:
        from salix import plot

        style = {
            "percentile": self.style.percentile,
            "smooth": self.style.smooth,
            "opacity": self.style.opacity,
        }
        if self.several:
            figure = plot.grid(
                [pixels],
                [list(maps.values())],
                titles=list(maps),
                rows=[name],
                scale=self.scale,
                **style,
            )
        else:
            ((method, map),) = maps.items()
            figure = plot.overlay(pixels, map, title=f"{name}: {method}", **style)
        plot.save(figure, file)
