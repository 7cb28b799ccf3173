"""`salix figure`: a grid of images and maps from runs, for a paper."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from salix.cli.options import Data, Option


@dataclass(frozen=True)
class DrawFigure:
    """Draw images with their maps from runs: a column for each method of each run.

    A run of several methods (salix sweep --attribution A B) has a column for each, another run one;
    all runs are of the same images. One colour scale is printed.
    Example: salix figure runs/a runs/b --methods GradCAM Gradient --data photos --out figure.pdf
    """

    runs: Annotated[tyro.conf.Positional[tuple[Path, ...]], Option(help="directories of runs")]
    out: Annotated[Path, Option(help="file to write: .pdf, .svg or .png (300 dots an inch)")]
    images: Annotated[
        tuple[str, ...],
        Option(help="ids of the images, or a number of images that the seed draws"),
    ] = ("4",)
    methods: Annotated[
        tuple[str, ...],
        Option(help="methods to draw, as GradCAM or 'GradCAM(relu=False)'; by default all"),
    ] = ()
    seed: Annotated[int, Option(help="seed of the drawn images")] = 0
    data: Annotated[
        Data | None,
        Option(
            help="the swept images, as for salix sweep --data; by default the small pictures that "
            "runs store of a few"
        ),
    ] = None
    smooth: Annotated[bool, Option(help="draw maps smoothly instead of pixel by pixel")] = False
    opacity: Annotated[float, Option(help="share of the map in a picture, 0 to 1")] = 0.6

    def run(self) -> int:
        """Draw the figure and write it."""
        from salix import plot, store
        from salix.report.map_grid import draw_runs

        plot.check_file(self.out)
        runs = store.read_runs(self.runs, unique=False)
        number = len(self.images) == 1 and self.images[0].isdecimal()
        figure = draw_runs(
            runs,
            images=int(self.images[0]) if number else list(self.images),
            methods=self.methods,
            seed=self.seed,
            data=self.data,
            smooth=self.smooth,
            opacity=self.opacity,
        )
        plot.save(figure, self.out)
        print(f"{self.out}: {figure.get_supxlabel()}")
        return 0
