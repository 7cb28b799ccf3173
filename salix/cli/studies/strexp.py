"""`salix study strexp`: what a text recogniser looks at."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from salix.cli.options import Option


@dataclass(frozen=True)
class STRExpStudy:
    """Explain each character that a text recogniser reads, and compare attribution methods.

    Words are rendered, or are those on images of your own. Methods are compared by the selectivity
    of their segments with equal numbers of passes, and by whether the map of a character lies on
    it. An interrupted study continues where it was.

    Example: salix study strexp --words 20 --out salix-strexp
    Example: salix study strexp --recogniser nano-ocr --words 5 --conditions plain "light on dark"
    Example: salix study strexp --folder signs --out signs-read
    """

    out: Annotated[Path, Option(help="directory for measurements, tables and the page")] = Path(
        "salix-strexp"
    )
    recogniser: Annotated[
        Literal["legere", "nano-ocr", "attention"],
        Option(
            help="legere, small and fast; nano-ocr, thirty times as slow and more accurate; or a "
            "decoder of attention, trained in minutes above the convolutions of legere"
        ),
    ] = "legere"
    words: Annotated[int, Option(help="rendered words, each in every one of the conditions")] = 100
    conditions: Annotated[
        tuple[str, ...],
        Option(
            help="plain, noise, background, distorted, 'light on dark', captcha; by default the "
            "first 3"
        ),
    ] = ()
    folder: Annotated[
        str,
        Option(
            help="folder of images of words in place of rendered ones, with words.csv (columns "
            "file and word) where the true words are known"
        ),
    ] = ""
    explained: Annotated[
        Literal["prediction", "truth"], Option(help="word that is explained on each image")
    ] = "prediction"
    segments: Annotated[
        Literal["patches", "superpixels", "strokes"],
        Option(help="segments that are removed together"),
    ] = "patches"
    character_score: Annotated[
        Literal["substitution", "path"],
        Option(
            help="score of a character: its log-probability among all that could stand in its "
            "place, or in the frames of the word's alignment"
        ),
    ] = "substitution"
    methods: Annotated[
        tuple[str, ...],
        Option(help="methods in place of the study's, such as 'Gradient()'; Shapley always"),
    ] = ()
    quick: Annotated[
        bool, Option(help="four words, and no runs of n + 1 times the passes: shows that it runs")
    ] = False

    def run(self) -> int:
        """Run the study."""
        from salix.studies.strexp.run import WordStudy
        from salix.studies.strexp.study import run_strexp

        study = WordStudy(
            recogniser=self.recogniser,
            words=self.words,
            conditions=self.conditions or WordStudy.conditions,
            folder=self.folder,
            explained=self.explained,
            score=self.character_score,
            segments=self.segments,
        )
        run_strexp(self.out, study, methods=self.methods, quick=self.quick)
        return 0
