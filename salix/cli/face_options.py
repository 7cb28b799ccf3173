"""Options of the commands that cut faces out of images by a table."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from salix.cli.options import Option
from salix.typing import InputError

if TYPE_CHECKING:
    from salix.data import Source


@dataclass(frozen=True)
class FaceOptions:
    """Faces that are cut out of the images before all else."""

    boxes: Annotated[
        Path | None,
        Option(
            metavar="FILE",
            help="table of faces (.csv, .parquet, .json) with the columns id and x0,y0,x1,y1, in "
            "pixels of the original image, or five landmarks: left_eye_x,left_eye_y, right_eye, "
            "nose, mouth_left, mouth_right; a row for each face, for example faces.csv",
        ),
    ] = None
    margin: Annotated[
        float | None,
        Option(
            help="margin on each side of a face of --boxes, as a fraction of it: 0.15 is the "
            "scale of 1.3 of FaceForensics++ and DeepfakeBench; 0 by default"
        ),
    ] = None
    square: Annotated[
        bool,
        tyro.conf.FlagCreatePairsOff,
        Option(help="extend the shorter side of a box of --boxes first"),
    ] = False
    align: Annotated[
        int | None,
        Option(
            metavar="SIDE",
            help="align faces by the five landmarks of --boxes to the positions of ArcFace and "
            "DeepfakeBench, in an image of so many pixels a side, for example 256",
        ),
    ] = None
    no_face: Annotated[
        str | None,
        Option(
            help="images without a face in --boxes: skip (the default), whole, the whole image, or "
            "score:0.5, a fixed probability of the second class"
        ),
    ] = None
    several: Annotated[
        str | None,
        Option(
            help="of several faces of an image in --boxes the largest (the default), the first, "
            "all, each as an image, or max, the one with the greatest probability of the second "
            "class"
        ),
    ] = None

    def cut(self, source: "Source") -> "Source":
        """Return the faces of a source, the source itself without --boxes; raises `InputError`."""
        from salix.data.face_crops import FaceCrops
        from salix.data.face_rule import FaceRule

        chosen = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "boxes"}
        chosen = {name: value for name, value in chosen.items() if value not in (None, False)}
        if self.boxes is None:
            if chosen:
                option = next(iter(chosen)).replace("_", "-")
                raise InputError(f"--{option} is of the faces of --boxes: give it too")
            return source
        try:
            rule = FaceRule(**chosen)
        except InputError as error:
            raise InputError(f"--{str(error).replace('no_face', 'no-face', 1)}") from None
        return FaceCrops(source, self.boxes, rule)
