"""Options shared by several commands."""

from typing import Annotated

import tyro

Option = tyro.conf.arg
Data = Annotated[
    tuple[str, ...],
    Option(
        help="DIR (a sub-folder for each class), an image, a table (.csv, .tsv, .parquet, .jsonl, "
        ".json with columns path, label, map, group), tar shards (a .tar, a folder of them, "
        "'shard-{000..012}.tar'), the address of one of these (s3://bucket/faces), a directory of "
        "salix pack, ArrayRecord files (a.array_record, array_record:FILE), tfds:NAME:SPLIT or "
        "CLASS=DIR; several, also of one class: real=a real=b fake=c"
    ),
]
Classes = Annotated[tuple[str, ...], Option(help="class names of the model's outputs, in order")]
