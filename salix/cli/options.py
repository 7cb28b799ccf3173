"""Options shared by several commands."""

from typing import Annotated

import tyro

Option = tyro.conf.arg
Data = Annotated[
    tuple[str, ...],
    Option(
        help="DIR (a sub-folder for each class), FILE.csv (columns path, label, map, group), "
        "tfds:NAME:SPLIT or CLASS=DIR"
    ),
]
Classes = Annotated[tuple[str, ...], Option(help="class names of the model's outputs, in order")]
