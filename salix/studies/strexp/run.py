"""STRExp study: words rendered or of a folder, maps by character, and their measurements."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from salix import spec
from salix.attribution import ARGUMENTS
from salix.attribution import METHODS as EVERY
from salix.data.assets import fetch
from salix.models.recognisers import RECOGNISERS, Recogniser, load_recogniser
from salix.studies.detectors import TimedLog
from salix.studies.strexp.decoder import DecoderSetting, trained_decoder
from salix.studies.strexp.folder import folder_words
from salix.studies.strexp.maps import CharacterScore
from salix.studies.strexp.measure import METHODS, measure_words
from salix.studies.strexp.reading import Explained, ReadImages, read_images
from salix.studies.strexp.segments import SEGMENTATIONS
from salix.studies.strexp.words import CONDITIONS, WordImage, draw_words, render_word
from salix.studies.trial_files import methods_digest, read_arrays, trial_digest, write_arrays
from salix.typing import InputError, Method, Params

VERSION = 1  # of measurements: raised where their numbers change
CHUNK = 10  # words of one program, and of one file
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
    """Words of a study and their measurements, arrays over words by name."""

    study: WordStudy
    read: ReadImages
    methods: Mapping[str, Method]
    arrays: Mapping[str, Any] = field(repr=False)


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
    """Read and measure the words of a study, ten at a time, each ten in a file of their own.

    A stopped study continues with the first ten without a file.
    """
    recogniser, params = study_recogniser(out, study.recogniser)
    images, unreadable = study_images(study)
    segment = SEGMENTATIONS[study.segments]
    read = read_images(recogniser, params, images, segment, explained=study.explained)
    log(f"{len(images)} images: {len(read.words)} words to explain, {len(read.skipped)} left out")
    chosen = choose_methods(methods)
    setting = trial_digest(VERSION, study) + methods_digest(VERSION, chosen)
    parts, start, measured = [], time.monotonic(), 0
    for first in range(0, len(read.words), CHUNK):
        digest = _digest(setting, read, first)
        path = out / "words" / f"{digest}-{first:05d}.npz"
        arrays = read_arrays(path)
        count = min(CHUNK, len(read.words) - first)
        if arrays is None:
            arrays = _measure_chunk(recogniser, params, read, first, study, chosen)
            write_arrays(path, arrays)
            measured += count
            rate = measured / (time.monotonic() - start)
            left = (len(read.words) - first - count) / rate / 60
            log(f"word {first + count} of {len(read.words)}: {rate:.2f}/s, {left:.1f} min left")
        parts.append(arrays)
    joined = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
    complete = replace(read, skipped=(*unreadable, *read.skipped))
    return StudyRows(study, complete, chosen, joined)


def _digest(setting: str, read: ReadImages, first: int) -> str:
    """Return a digest of the setting and of ten words: images of a folder may have changed."""
    rows = slice(first, first + CHUNK)
    digest = hashlib.sha256(setting.encode())
    for array in (*jax.tree.leaves(read.reads), read.extents):
        digest.update(np.ascontiguousarray(array[rows]).tobytes())
    return digest.hexdigest()[:12]


def _measure_chunk(
    recogniser: Recogniser,
    params: Params,
    read: ReadImages,
    first: int,
    study: WordStudy,
    methods: Mapping[str, Method],
) -> dict[str, Any]:
    """Return the measurements of ten words, fewer at the end, where the last word fills up."""
    rows = np.minimum(np.arange(first, first + CHUNK), len(read.words) - 1)
    count = min(CHUNK, len(read.words) - first)
    part = jax.tree.map(lambda leaf: leaf[rows], read.reads)
    measured = measure_words(
        recogniser,
        params,
        part,
        read.extents[rows],
        seed=study.seed + first,
        methods=methods,
        kind=study.score,
        runs=study.runs,
    )
    arrays = {
        "accuracy": measured.accuracy,
        "confidence": measured.confidence,
        "accuracy area": measured.accuracy_area,
        "confidence area": measured.confidence_area,
        "maps": measured.maps.astype(np.float32),
    }
    for method, values in measured.localisation.items():
        arrays |= {f"localisation|{method}|{name}": value for name, value in values.items()}
    return {name: np.asarray(array)[:count] for name, array in arrays.items()}
