"""Options of the commands that cut faces out of images, by a table or a detector."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from salix.cli.options import Option
from salix.typing import InputError

if TYPE_CHECKING:
    from salix.data import FaceDetector, Source


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
    faces: Annotated[
        str | None,
        Option(
            metavar="detect",
            help="instead of --boxes, detect upright frontal faces: detect, or for example "
            "'FaceDetector(smallest=0.05)', a fraction of the image's longer side; cached, see "
            "salix faces",
        ),
    ] = None
    margin: Annotated[
        float | None,
        Option(
            help="margin on each side of a face, as a fraction of its box: 0.15 is the scale of "
            "1.3 of FaceForensics++ and DeepfakeBench; 0 by default"
        ),
    ] = None
    square: Annotated[
        bool,
        tyro.conf.FlagCreatePairsOff,
        Option(help="extend the shorter side of a face's box first"),
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
            help="images without a face: skip (the default), whole, the whole image, or "
            "score:0.5, a fixed probability of the second class"
        ),
    ] = None
    several: Annotated[
        str | None,
        Option(
            help="of several faces of an image the largest (the default), the first of --boxes, "
            "all, each as an image, or max, the one with the greatest probability of the second "
            "class"
        ),
    ] = None

    def cut(self, source: "Source", *, full_content: bool = False) -> "Source":
        """Return the faces of a source, the source itself without --boxes and --faces.

        Faces that are not in the cache are detected, with progress. Raises `InputError`.
        """
        from salix.data import FaceCrops, FaceRule, detect_faces

        own = ("boxes", "faces")
        chosen = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in own}
        chosen = {name: value for name, value in chosen.items() if value not in (None, False)}
        if self.boxes is None and self.faces is None:
            if chosen:
                option = next(iter(chosen)).replace("_", "-")
                raise InputError(
                    f"--{option} is of the faces of --boxes or --faces: give one of them too"
                )
            return source
        if self.boxes is not None and self.faces is not None:
            raise InputError("--boxes and --faces: give one of them")
        if self.faces is not None and self.align is not None:
            raise InputError(
                "--align needs five landmarks, and the detector of --faces has boxes only: give "
                "--boxes with landmarks, or --square"
            )
        try:
            rule = FaceRule(**chosen)
        except InputError as error:
            raise InputError(f"--{str(error).replace('no_face', 'no-face', 1)}") from None
        if self.boxes is not None:
            return FaceCrops(source, self.boxes, rule)
        detector = parse_detector(self.faces or "", "--faces")
        faces = detect_faces(source, detector, full_content=full_content, progress=True)
        return FaceCrops(source, faces, rule)


def parse_detector(text: str, option: str) -> "FaceDetector":
    """Return the detector that an option names: detect, or one with its hyper-parameters."""
    from salix import spec
    from salix.data import FaceDetector

    try:
        return spec.parse(text, {"detect": FaceDetector, "FaceDetector": FaceDetector})
    except InputError as error:
        raise InputError(f"{option}: {error}") from None
