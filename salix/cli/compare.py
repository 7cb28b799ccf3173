"""`salix compare`: models compared by what they look at, region by region."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from salix.cli.options import Option
from salix.typing import InputError

SHOWN = 6  # headlines of pairs of models in the terminal; all are on the page


@dataclass(frozen=True)
class CompareModels:
    """Compare two or more models by the concepts that their attributions lie on.

    Reads runs of `salix sweep --measures regions` over the same images; needs no model and no
    accelerator. Writes a page and, beside it, its numbers as JSON and Parquet.
    Example: salix compare runs/a runs/b --out compare.html
    """

    runs: Annotated[
        tyro.conf.Positional[tuple[Path, ...]],
        Option(help="directories of runs, or a directory of runs"),
    ]
    out: Annotated[Path, Option(help="HTML file to write")] = Path("compare.html")
    embedding: Annotated[
        str,
        Option(
            help="how regions are found alike: descriptor (neutral: colour, texture, shape, "
            "place), features (of all models), or the name of one model"
        ),
    ] = "descriptor"
    concepts: Annotated[
        int | None, Option(help="number of concepts; by default the most stable one")
    ] = None
    scale: Annotated[
        Literal["share", "signed", "completeness", "rank"],
        Option(
            help="unit of attribution: share of |attribution|, signed share, share of the change "
            "of the score, or rank within the model"
        ),
    ] = "share"
    own_prediction: Annotated[
        bool, Option(help="let each model explain its own prediction, though these differ")
    ] = False
    metadata: Annotated[
        Path | None,
        Option(
            help="table (.csv, .parquet, .json) with the column id or path, and columns to slice by"
        ),
    ] = None
    images: Annotated[
        tuple[str, ...],
        Option(help="the swept images, as for salix sweep --data, for pictures on the page"),
    ] = ()
    embed: Annotated[bool, Option(help="put the pictures into the HTML file itself")] = False
    seed: Annotated[int, Option(help="seed of concepts, resamples and swaps")] = 0
    title: Annotated[str, Option(help="title of the page")] = (
        "What the models look at, region by region"
    )

    def run(self) -> int:
        """Compare the runs and write the page and its tables."""
        from salix import store
        from salix.compare import compare, headline, write_tables
        from salix.report.comparison import write_comparison

        start = time.monotonic()
        runs = store.read_runs(self.runs, unique=False)  # a copy has the name of its original
        if len(runs) < 2:
            raise InputError(
                f"{runs[0].path} is one run: name two or more, such as salix compare runs/a "
                "runs/b; salix report shows a single one"
            )
        comparison = compare(
            *runs,
            embedding=self.embedding,
            concepts=self.concepts,
            scale=self.scale,
            own_prediction=self.own_prediction,
            metadata=self.metadata,
            seed=self.seed,
            show=True,
        )
        print(f"writing {self.out} and its tables", file=sys.stderr)
        written = write_tables(comparison, self.out)
        page = write_comparison(
            comparison,
            self.out,
            title=self.title,
            images=self.images or None,
            embed=self.embed,
        )
        for note in comparison.notes:
            print(f"note: {note}", file=sys.stderr)
        sentences = dict.fromkeys(headline(comparison, *p).text for p in comparison.pairs)
        print(*list(sentences)[:SHOWN], sep="\n")
        files = ", ".join(str(path) for path in (page, *written))
        count, images = len(comparison.models), len(comparison.table.ids)
        seconds = time.monotonic() - start
        print(f"{files}: {count} models, {images} images, {seconds:.0f} s")
        return 0
