"""Options of the commands that read images of a user."""

import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from salix.cli.face_options import FaceOptions
from salix.cli.options import Data, Frames, LabelNames, Option, Root
from salix.typing import InputError

if TYPE_CHECKING:
    from salix.data import Source


@dataclass(frozen=True)
class DataOptions:
    """The images, their labels and their groups."""

    data: Data
    group_by: Annotated[
        str | None,
        Option(
            help="groups of dependent images (a video, an identity): a folder level, 1 for the "
            "first below the data folder, -1 for the image's own, or a regular expression with "
            "one capture group, such as '(id[0-9]+)_'; of layouts also video (the default), source "
            "or identity"
        ),
    ] = None
    labels: LabelNames = ()
    no_labels: Annotated[
        bool, tyro.conf.FlagCreatePairsOff, Option(help="leave the labels of the data out")
    ] = False
    frames: Frames = None
    root: Root = None
    content: Annotated[
        Literal["sampled", "full"],
        Option(help="content of the files by which a resumed run knows its images"),
    ] = "sampled"
    faces: Annotated[FaceOptions, tyro.conf.OmitArgPrefixes] = field(default_factory=FaceOptions)

    def source(self) -> "Source":
        """Open the source; says on stderr how many images have no group."""
        from salix.data import Unlabelled, open_source

        by = self.group_by
        if self.labels and self.no_labels:
            raise InputError("--labels and --no-labels: give one of them")
        source = open_source(
            self.data,
            group_by=int(by) if by and re.fullmatch(r"-?\d+", by) else by,
            labels=self.labels,
            frames=self.frames,
            root=self.root,
        )
        without = sum(group is None for group in source.groups)
        if by is not None and without:
            print(
                f"{without} of {len(source.ids)} images have no group by {by}: each is taken as "
                "independent of all others",
                file=sys.stderr,
            )
        source = Unlabelled(source) if self.no_labels else source
        return self.faces.cut(source, full_content=self.content == "full")
