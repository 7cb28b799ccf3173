"""Options shared by several commands."""

from typing import Annotated

import tyro

Given = tyro.conf.arg
Data = Annotated[
    list[str],
    Given(
        help="DIR (a sub-folder for each class), FILE.csv (columns path, label, map), "
        "tfds:NAME:SPLIT or CLASS=DIR"
    ),
]
Classes = Annotated[list[str], Given(help="class names of the model's outputs, in order")]
