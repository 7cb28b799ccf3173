"""Pages of studies: one HTML file each, from the template of a study and the frame of all."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import salix.report
from salix.atomic import atomic
from salix.report.templates import template_environment


def write_study_page(
    path: Path, folder: Path, *, filters: Mapping[str, Callable[..., str]], **values: Any
) -> Path:
    """Write the page of `page.html` in a study's folder, which extends `study.html` of this one.

    `values` are those of the template, `headline` among them; style and macros are of reports.
    """
    report = Path(salix.report.__file__).parent
    environment = template_environment(folder, Path(__file__).parent, report)
    environment.filters |= filters
    style = (report / "style.css").read_text()
    text = environment.get_template("page.html").render(style=style, **values)
    with atomic(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
    return path
