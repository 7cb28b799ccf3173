"""`salix pack`: resized 8-bit images of a data set, which a sweep reads at memory speed."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from salix.cli.data_options import DataOptions
from salix.cli.face_options import FaceOptions
from salix.cli.options import Data, Frames, LabelNames, Option, Root
from salix.preprocess import Fit, Interpolation
from salix.typing import InputError

SHOWN = 5  # most unreadable images that are listed in the terminal


@dataclass(frozen=True)
class Pack:
    """Write the images of a data set once, resized for a model, for sweeps that read them fast.

    Ids, classes, groups and reference masks are packed too; with --boxes or --faces, faces are
    packed as they are cut. A sweep of the packed data has the same rows as one of the files with
    the same options. After a stop, the same command goes on; damaged files are written again.
    Example: salix pack real=photos fake=portraits --size 224 --out packed, then:
    salix sweep --model resnet50 --data packed --out runs/resnet50
    """

    data: tyro.conf.Positional[Data]
    out: Annotated[Path, Option(help="directory of the packed data: a new one, or one to go on")]
    size: Annotated[
        tuple[int, ...], Option(help="pixels of the images: one side, or height and width")
    ] = (224,)
    fit: Annotated[
        Fit | None, Option(help="stretch to the size, or keep the aspect and crop the centre")
    ] = None
    resize: Annotated[
        int | None,
        Option(help="shortest side before the centre is cropped, for example 256 for --size 224"),
    ] = None
    interpolation: Annotated[Interpolation, Option(help="filter of the resizing")] = "bilinear"
    channels: Annotated[Literal[1, 3], Option(help="3 for RGB, 1 for grey")] = 3
    group_by: Annotated[
        str | None, Option(help="groups of dependent images, as --group-by of salix sweep")
    ] = None
    labels: LabelNames = ()
    frames: Frames = None
    root: Root = None
    faces: Annotated[FaceOptions, tyro.conf.OmitArgPrefixes] = field(default_factory=FaceOptions)
    workers: Annotated[
        int | None, Option(help="threads or processes that decode images; one for each core")
    ] = None
    loader: Annotated[
        Literal["threads", "processes"],
        Option(help="processes decode faster where many threads wait for each other: 8 and more"),
    ] = "threads"
    content: Annotated[
        Literal["sampled", "full"],
        Option(help="content of the files by which the same command knows its images again"),
    ] = "sampled"

    def run(self) -> int:
        """Pack the images and print their number and size; returns 1 where none could be read."""
        from salix.data import pack
        from salix.data.notes import printable
        from salix.preprocess import Preprocess

        fit = self.fit or ("stretch" if self.resize is None else "crop")
        try:
            to = Preprocess(
                self.size if len(self.size) != 1 else self.size * 2,  # pyright: ignore[reportArgumentType]
                self.channels,
                fit=fit,
                resize=self.resize,
                interpolation=self.interpolation,
            )
        except InputError as error:
            raise InputError(f"--{error}") from None
        source = DataOptions(
            self.data,
            self.group_by,
            labels=self.labels,
            frames=self.frames,
            root=self.root,
            content=self.content,
            faces=self.faces,
        ).source()
        packed = pack(
            source,
            to,
            self.out,
            workers=self.workers,
            loader=self.loader,
            full_content=self.content == "full",
            progress=True,
        )
        unread = list(packed.skipped())
        count, size = packed.ends[-1], sum(shard.bytes for shard in packed.shards)
        print(f"{self.out}: {count - len(unread)} images packed, {size / 1e6:.1f} MB", end="")
        print(f", {len(unread)} unreadable" if unread else "")
        for id, reason in unread[:SHOWN]:
            print(printable(f"  unreadable {id}: {reason}"))
        if len(unread) > SHOWN:
            print(f"  … and {len(unread) - SHOWN} more, skipped with the reason by a sweep")
        if len(unread) == count:
            print("salix: no image could be read: see the reasons above", file=sys.stderr)
            return 1
        print(f"next: salix sweep --data {self.out} --model MODEL --out runs/MODEL")
        return 0
