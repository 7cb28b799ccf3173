"""STRExp study: words rendered or of a folder, maps by character, and their measurements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from salix import spec
from salix.attribution import ARGUMENTS
from salix.attribution import METHODS as EVERY
from salix.data.assets import fetch
from salix.engine.problem_run import run_problem
from salix.models.recognisers import RECOGNISERS, Recogniser, load_recogniser
from salix.studies.detectors import TimedLog
from salix.studies.strexp.decoder import DecoderSetting, trained_decoder
from salix.studies.strexp.folder import folder_words
from salix.studies.strexp.maps import CharacterScore
from salix.studies.strexp.measure import LOCALISED, METHODS
from salix.studies.strexp.problem import WordExamples, WordProblem
from salix.studies.strexp.reading import Explained, ReadImages, read_images
from salix.studies.strexp.segments import SEGMENTATIONS
from salix.studies.strexp.words import CONDITIONS, WordImage, draw_words, render_word
from salix.typing import InputError, Method, Params

BATCH = 8  # words of one program: at most as many are computed again after a stop
ATTENTION = "attention"  # the recogniser that is trained here
STRETCHED = ("nano-ocr",)  # recognisers of words that fill the image


@dataclass(frozen=True)
class WordStudy:
    """Settings of a study: recogniser, words, what is explained, its scores and its segments."""

    recogniser: str = "legere"
    words: int = 100
    conditions: tuple[str, ...] = ("plain", "noise", "background")
    folder: str = ""
    explained: Explained = "prediction"
    score: CharacterScore = "substitution"
    segments: str = "patches"
    runs: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for option, value, known in (
            ("recogniser", self.recogniser, (*RECOGNISERS, ATTENTION)),
            ("explained", self.explained, ("prediction", "truth")),
            ("character-score", self.score, ("substitution", "path")),
            ("segments", self.segments, tuple(SEGMENTATIONS)),
            *(("conditions", c, tuple(CONDITIONS)) for c in self.conditions),
        ):
            if value not in known:
                raise InputError(f"--{option} {value!r}: give one of {', '.join(known)}")
        if self.words < 1:
            raise InputError(f"--words {self.words}: give the number of words, 1 or more")


@dataclass(frozen=True, eq=False)
class StudyRows:
    """Words of a study and their measurements, arrays over words by the columns of the run."""

    study: WordStudy
    read: ReadImages
    methods: Mapping[str, Method]
    arrays: Mapping[str, Any] = field(repr=False)

    def localisation(self, method: str, value: str) -> Any:
        """Return one of `LOCALISED` of each character's map by a method, [words n]."""
        return self.arrays["localisation"][
            :, list(self.methods).index(method), LOCALISED.index(value)
        ]

    def maps(self, index: int) -> Any:
        """Return the maps of a word and its characters by the last method, [n + 1 h w]."""
        return self.arrays["segment_means"][index][:, self.read.reads.labels[index]]


def study_images(study: WordStudy) -> tuple[tuple[WordImage, ...], tuple[tuple[str, str], ...]]:
    """Return the images of a study, and the files that are not readable with the reason."""
    stretched = study.recogniser in STRETCHED
    if study.folder:
        return folder_words(Path(study.folder), stretched=stretched)
    words = draw_words(study.words, seed=study.seed)
    pairs = [(word, condition) for word in words for condition in study.conditions]
    render = [render_word(w, c, stretched=stretched, seed=study.seed) for w, c in pairs]
    return tuple(render), ()


def study_recogniser(out: Path, name: str) -> tuple[Recogniser, Params]:
    """Return a recogniser with published weights, or the attention decoder trained in `out`."""
    if name == ATTENTION:
        return trained_decoder(out, fetch("legere"), DecoderSetting())
    return load_recogniser(name, fetch(name))


def choose_methods(texts: Sequence[str]) -> Mapping[str, Method]:
    """Return the methods of the study, or those of texts such as `Gradient()` with Shapley last."""
    if not texts:
        return METHODS
    chosen = {text: spec.parse(text, EVERY, ARGUMENTS) for text in texts}
    return {**chosen, "Shapley": METHODS["Shapley"]}


def measure_study(
    out: Path, study: WordStudy, *, methods: Sequence[str] = (), log: TimedLog
) -> StudyRows:
    """Read the words of a study and measure them as rows of the run `words` in `out`.

    A stopped study continues with the first words without a row. Raises `InputError` for an `out`
    with rows of other words or of other settings.
    """
    recogniser, params = study_recogniser(out, study.recogniser)
    images, unreadable = study_images(study)
    segment = SEGMENTATIONS[study.segments]
    read = read_images(recogniser, params, images, segment, explained=study.explained)
    read = replace(read, skipped=(*unreadable, *read.skipped))
    log(f"{len(read.words)} words to explain, {len(read.skipped)} left out")
    chosen, examples = choose_methods(methods), WordExamples(read)
    run = run_problem(
        WordProblem(recogniser, chosen, examples.shapes, study.score, study.runs),
        params,
        examples,
        out=out / "words",
        batch_size=BATCH,
        seed=study.seed,
        progress=True,
        unit="words",
    )
    return StudyRows(study, read, chosen, run.read())
