"""Options shared by several commands."""

from pathlib import Path
from typing import Annotated

import tyro

Option = tyro.conf.arg
Data = Annotated[
    tuple[str, ...],
    Option(
        help="DIR (a sub-folder for each class), an image, a table (.csv, .tsv, .parquet, .jsonl, "
        ".json with columns path, label, map, group), tar shards (a .tar, a folder of them, "
        "'shard-{000..012}.tar'), the address of one of these (s3://bucket/faces), a directory of "
        "salix pack, ArrayRecord files (a.array_record, array_record:FILE), tfds:NAME:SPLIT, a "
        "data set by its layout (deepfakebench:FILE.json#test, "
        "ffpp:DIR#c23, celebdf:DIR#test, dfdc:DIR, genimage:DIR, videos:DIR, "
        "'folder:DIR/{label}/{group}/*.png') or CLASS=DIR; several, also of one class: real=a "
        "real=b fake=c"
    ),
]
LabelNames = Annotated[
    tuple[str, ...],
    Option(
        metavar="CLASS=NAME[,NAME] …",
        help="classes of the names in the data, for example real=youtube,actors fake='*'; by "
        "default folder names and the table's labels are classes",
    ),
]
Frames = Annotated[
    str | None,
    Option(
        help="frames of each video: 32 (evenly), 2fps, at:0,30,60 or random:32:SEED; by default 32 "
        "of a video file, all of a folder of frames"
    ),
]
Root = Annotated[
    Path | None,
    Option(help="folder of the files that a list such as deepfakebench:FILE.json names"),
]
Classes = Annotated[tuple[str, ...], Option(help="class names of the model's outputs, in order")]
