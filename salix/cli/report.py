"""`salix report`: an HTML page that compares runs."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from salix.cli.face_options import FaceOptions
from salix.cli.options import Data, Frames, LabelNames, Option, Root
from salix.typing import InputError

if TYPE_CHECKING:
    from salix.data import Source


@dataclass(frozen=True)
class Report:
    """Compare runs in one HTML page that needs no network.

    Example: salix report runs/* --out report.html
    """

    runs: Annotated[tyro.conf.Positional[tuple[Path, ...]], Option(help="directories of runs")]
    out: Annotated[Path, Option(help="HTML file to write")] = Path("report.html")
    title: Annotated[str, Option(help="title of the page")] = "What these models look at"
    in_set: Annotated[
        tuple[str, ...],
        Option(help="in-distribution subsets (folders), with which the others are compared"),
    ] = ()
    primary: Annotated[
        str | None,
        Option(
            help="the one number that the headline is about, such as auc or relevance_mass: name "
            "it before you look, and its test is not corrected for the other numbers"
        ),
    ] = None
    data: Annotated[
        Data | None,
        Option(
            help="the swept images, as for salix sweep --data, for the pictures of the chosen "
            "examples and the spectra of the images; by default the small pictures that runs store "
            "of a few"
        ),
    ] = None
    labels: LabelNames = ()
    frames: Frames = None
    root: Root = None
    faces: Annotated[FaceOptions, tyro.conf.OmitArgPrefixes] = field(default_factory=FaceOptions)
    face_parts: Annotated[
        str | None,
        Option(
            metavar="FaceParts",
            help="show the shares of maps on the parts of the face also for images that were not "
            "cut by --boxes: by it you say that all are upright, centred crops of faces; FaceParts "
            "for the positions of ArcFace, or 'FaceParts(eyes=0.4, mouth=0.75, distance=0.3)', "
            "shares of the height, and of the width between the pupils",
        ),
    ] = None
    generators: Annotated[
        Literal["subset", "class", "group"],
        Option(
            help="what names the generator of an image, for parts of the face and spectra: subset "
            "(the first folder of its id) and its class, the class alone, or the group"
        ),
    ] = "subset"
    figures: Annotated[
        Path | None,
        Option(
            metavar="DIR",
            help="folder to write every figure of the page to, as SVG and PDF, for example figures",
        ),
    ] = None

    def run(self) -> int:
        """Write the report."""
        from salix import report, spec, store
        from salix.analysis import analyse
        from salix.analysis.face_parts import FaceParts
        from salix.report.sections import sections_with

        layout = self.face_parts and spec.parse(self.face_parts, {"FaceParts": FaceParts})
        source = self._source()
        runs = store.read_runs(self.runs)
        analysis = analyse(runs, in_set=self.in_set or None, primary=self.primary)
        sections = sections_with(source, layout=layout or None, generators=self.generators)
        page = report.write_page(
            analysis, self.out, title=self.title, sections=sections, figures=self.figures
        )
        if analysis.grouped_rows:
            print(f"warning: {analysis.grouped_rows.text}", file=sys.stderr)
        print(f"{page}: {len(runs)} runs")
        return 0

    def _source(self) -> "Source | None":
        """Open the swept images; None without --data, which the other options of them need."""
        from salix.data import open_source

        if self.data is None:
            options = {"labels": self.labels, "frames": self.frames, "root": self.root}
            if unused := [name for name, value in options.items() if value]:
                raise InputError(f"--{unused[0]} is of the images of --data: give it too")
            if self.faces != FaceOptions():
                raise InputError("--boxes is of the images of --data: give it too")
            return None
        source = open_source(self.data, labels=self.labels, frames=self.frames, root=self.root)
        return self.faces.cut(source)
