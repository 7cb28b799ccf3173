"""Options that several commands have in common, each with its help."""

from typing import Annotated

import tyro

Given = tyro.conf.arg
Data = Annotated[
    list[str],
    Given(
        help="DIR (sub-folders are classes), FILE.csv (path, label, map), "
        "tfds:NAME:SPLIT or CLASS=DIR"
    ),
]
Classes = Annotated[list[str], Given(help="names of the outputs, in order")]
