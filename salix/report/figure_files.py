"""Figures of the page as files for papers: SVG and PDF."""

from collections.abc import Sequence
from pathlib import Path

from salix import plot
from salix.report.figure_drawing import draw_figure
from salix.report.section import Section
from salix.typing import InputError

SUFFIXES = (".svg", ".pdf")


def check_folder(folder: Path) -> None:
    """Raise `InputError` for a folder of figures that is a file, or without matplotlib."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: name a folder for the figures")
    plot.check_matplotlib()


def write_figures(sections: Sequence[Section], folder: Path) -> list[Path]:
    """Write each figure of some sections to `folder` as SVG and PDF, and return the files.

    The numbers are those of the page. Tables, and the pictures of single images, are no figures:
    `salix.report.map_grid.draw_runs` draws a grid of images. Raises `InputError` where
    `check_folder` does.
    """
    check_folder(folder)
    files = []
    for section in sections:
        figures = {figure.id: draw_figure(figure) for figure in section.figures}
        figures |= {name: draw() for name, draw in section.drawings.items()}
        for name, figure in figures.items():
            for suffix in SUFFIXES:
                files.append(folder / f"{name}{suffix}")
                plot.save(figure, files[-1])
    return files
