"""Study of frontal faces: training, syntheses, measures by yaw, ablation, salience and page."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from salix.hyperparameters import check_fields, integer
from salix.models.tpgan import check_size
from salix.studies.detectors import TimedLog
from salix.studies.frontal.data import (
    FrontalSet,
    olivetti_pairs,
    turned_photographs,
)
from salix.studies.frontal.folder import folder_pairs
from salix.studies.frontal.losses import LOSSES, FrontalLoss
from salix.studies.frontal.meshes import MeshDetector
from salix.studies.frontal.page import write_page
from salix.studies.frontal.recogniser import FaceRecogniser
from salix.studies.frontal.results import evaluate_frontal, print_tables, write_results
from salix.studies.frontal.training import Frontaliser, FrontalTraining, train_frontal
from salix.studies.trial_files import read_arrays, read_json, trial_digest, write_arrays, write_json
from salix.typing import InputError

VERSION = 1  # of data, training and measures: raised where their numbers change
SAMPLES = 6  # test subjects whose syntheses are stored after each epoch
# Conditions of the ablation, each without one part
WITHOUT: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "identity": {"identity": 0.0},
        "adversarial": {"adversarial": 0.0},
        "symmetry": {"symmetry": 0.0},
        "total variation": {"variation": 0.0},
        "classes": {"classes": 0.0},
        "local pathways": {"local": 0.0},  # the only other program to compile
    }
)


@dataclass(frozen=True)
class FrontalStudy:
    """Data and size of a study: "turned" photographs, "olivetti", or a folder.

    `subjects` are for training and `test` for tests.
    """

    data: str = "turned"
    side: int = 64
    subjects: int = 120
    test: int = 40
    seed: int = 0

    def __post_init__(self) -> None:
        check_fields(self, subjects=integer(1), test=integer(1), seed=integer(0))

    @cached_property
    def digest(self) -> str:
        """A hash of everything that determines the data."""
        return trial_digest(VERSION, self)


@dataclass(frozen=True)
class FrontalTrial:
    """One training on the data of a study."""

    study: FrontalStudy
    training: FrontalTraining
    recogniser: int  # side of its images

    @cached_property
    def digest(self) -> str:
        """A hash of everything that determines the trained networks."""
        return trial_digest(VERSION, self)


def run_frontal(
    out: Path,
    *,
    study: FrontalStudy,
    training: FrontalTraining,
    ablation: FrontalStudy | None = None,
    ablation_epochs: int = 1,
    recogniser_side: int = 128,
    weights: Path | None = None,
) -> Path:
    """Train, measure and write `results.json` and the page `frontal.html`; returns the page.

    `ablation` is the study in which every part is left out in turn, None for no ablation;
    `weights` a file of faceres, fetched where it is None. What is in `out` already is not computed
    again. Raises `InputError` for data without pairs and for weights of another recogniser.
    """
    for size in (study, *((ablation,) if ablation else ())):
        check_size(training.width, size.side)  # before any work
    log = TimedLog()
    recogniser = FaceRecogniser.load(side=recogniser_side, weights=weights)
    data = load_set(out, study, log)
    trial = FrontalTrial(study, training, recogniser_side)
    results: dict[str, Any] = {"study": asdict(study), "training": asdict(training)}
    frontaliser, history = _train(out, trial, data, recogniser, log)
    results["history"], results["ablation"] = history, {}
    results["skipped"] = dict(data.skipped)
    results["main"] = evaluate_frontal(data, recogniser, frontaliser, salience=True, log=log)
    write_results(out, results)
    if ablation:
        small, side = load_set(out, ablation, log), ablation.side
        short = replace(training, epochs=ablation_epochs)
        conditions = {"complete": short, **{f"without {n}": _without(short, n) for n in WITHOUT}}
        for name, setting in conditions.items():
            log(f"{name}, {side} pixels")
            of_condition = FrontalTrial(ablation, setting, recogniser_side)
            path = out / "ablation" / f"{of_condition.digest}.json"
            if (tables := read_json(path)) is None:
                frontaliser, _ = _train(out, of_condition, small, recogniser, log)
                tables = evaluate_frontal(small, recogniser, frontaliser, salience=False, log=log)
                write_json(path, tables)
            results["ablation"][name] = tables
            write_results(out, results)
    print_tables(results)
    path = write_page(out, data, results, out / "trained" / trial.digest / "samples")
    log(f"wrote {path}")
    return path


def _without(training: FrontalTraining, part: str) -> FrontalTraining:
    """Return a training without one part."""
    loss = replace(training.loss, **WITHOUT[part])
    return replace(training, loss=loss, local=part != "local pathways")


def _train(
    out: Path,
    trial: FrontalTrial,
    data: FrontalSet,
    recogniser: FaceRecogniser,
    log: TimedLog,
) -> tuple[Frontaliser, Sequence[Mapping[str, Any]]]:
    """Return the trained generator and its history; stores samples after each epoch."""
    folder = out / "trained" / trial.digest
    rows, numbers = np.flatnonzero(data.test), np.arange(SAMPLES)
    # Neighbours are one subject at several angles: one more each time gives all angles
    shown = rows[np.unique(numbers * (len(rows) // SAMPLES) + numbers % SAMPLES) % len(rows)]

    def store(epoch: int, frontaliser: Frontaliser) -> None:
        images = np.rint(frontaliser(data.pictures[shown]) * 255).astype(np.uint8)
        path = folder / "samples" / f"epoch-{epoch:04d}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_arrays(path, {"pictures": data.pictures[shown], "images": images})

    frontaliser, result = train_frontal(
        data,
        recogniser,
        trial.training,
        out=folder / "state",
        on_epoch=store,
        progress=True,
        log=log,
    )
    return frontaliser, result.history


def load_set(out: Path, study: FrontalStudy, log: TimedLog) -> FrontalSet:
    """Return the examples of a study, stored in `out` when they are first made."""
    path = out / "faces" / f"{study.digest}.npz"
    about = read_json(path.with_suffix(".json"))
    if about is not None and (arrays := read_arrays(path)) is not None:
        tuples: dict[str, Any] = {name: tuple(about[name]) for name in ("group", "ids", "subjects")}
        skipped = MappingProxyType(about["skipped"])
        return FrontalSet(**arrays, **tuples, skipped=skipped, origin=about["origin"])
    detector = MeshDetector()
    options = {"side": study.side, "test": study.test, "detector": detector, "seed": study.seed}
    if study.data == "turned":
        data = turned_photographs(subjects=study.subjects, **options)
    elif study.data == "olivetti":
        data = olivetti_pairs(**options)
    elif Path(study.data).is_dir():
        data = folder_pairs(Path(study.data), **options)
    else:
        raise InputError(
            f"--data {study.data} is no folder: give turned, olivetti, or a folder with one folder "
            "for each subject"
        )
    log(f"{data.origin}: {len(data.ids)} pairs of {len(data.subjects)}, {len(data.skipped)} out")
    values = {f.name: getattr(data, f.name) for f in fields(data)}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_arrays(path, {n: v for n, v in values.items() if isinstance(v, np.ndarray)})
    texts = {n: list(values[n]) for n in ("group", "ids", "subjects")}
    write_json(
        path.with_suffix(".json"),
        {**texts, "skipped": dict(data.skipped), "origin": data.origin},
    )
    return data


def loss_of(name: str, adversarial: str | None) -> FrontalLoss:
    """Return a preset of the loss, perhaps with another adversarial form."""
    if name not in LOSSES:
        raise InputError(f"no loss {name!r}: give {' or '.join(LOSSES)}")
    loss = LOSSES[name]
    return loss if adversarial is None else replace(loss, kind=adversarial)
