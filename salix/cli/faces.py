"""`salix faces`: table of the faces in the images of a data set, as `--boxes` reads it."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from salix.cli.data_options import DataOptions
from salix.cli.face_options import parse_detector
from salix.cli.options import Data, Frames, Option, Root


@dataclass(frozen=True)
class DetectFaces:
    """Detect upright frontal faces, and write the table that --boxes of other commands reads.

    A row for each face, id,x0,y0,x1,y1 in pixels; an image without a face has a row without
    numbers. Rows can be corrected, added and removed by hand. After a stop, the same command goes
    on. Example: salix faces frames --out faces.csv, then:
    salix sweep --model xception --data frames --boxes faces.csv --margin 0.15 --out runs/xception
    """

    data: tyro.conf.Positional[Data]
    out: Annotated[Path, Option(help="table to write, .csv or .parquet, for example faces.csv")]
    detector: Annotated[
        str,
        Option(
            help="for example 'FaceDetector(smallest=0.05)': width of the smallest face, as a "
            "fraction of the image's longer side; a smaller one takes more time"
        ),
    ] = "FaceDetector()"
    frames: Frames = None
    root: Root = None
    workers: Annotated[
        int | None, Option(help="threads that decode and detect; one for each core")
    ] = None
    content: Annotated[
        Literal["sampled", "full"],
        Option(help="content of the files by which the same command knows its images again"),
    ] = "sampled"

    def run(self) -> int:
        """Write the table and print its counts; returns 1 where no image could be read."""
        import numpy as np

        from salix.data import detect_faces
        from salix.data.face_table import check_suffix, write_faces

        check_suffix(self.out)
        detector = parse_detector(self.detector, "--detector")
        source = DataOptions(self.data, frames=self.frames, root=self.root).source()
        faces = detect_faces(
            source,
            detector,
            workers=self.workers,
            full_content=self.content == "full",
            progress=True,
        )
        write_faces(faces, source.ids, self.out)
        counts = np.bincount(faces.images, minlength=len(source.ids))
        unread = len(faces.unreadable)
        print(
            f"{self.out}: {(counts > 0).sum()} of {len(counts)} images have a face, "
            f"{(counts > 1).sum()} of them several"
            + (f"; {unread} cannot be read" if unread else "")
        )
        if unread == len(counts):
            print("salix: no image could be read: salix sweep records the reasons", file=sys.stderr)
            return 1
        print(f"next: salix sweep --model MODEL --data … --boxes {self.out} --margin 0.15 --out …")
        return 0
