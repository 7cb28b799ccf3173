"""Open-world study: approaches over seeds, their scores, table and page."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from salix.studies.detectors import TimedLog
from salix.studies.openworld.approaches import APPROACHES
from salix.studies.openworld.data import OpenWorldSetting, open_world_set
from salix.studies.openworld.experiment import OpenWorldTrial
from salix.studies.openworld.results import print_results, summarise, write_results
from salix.studies.openworld.scoring import trial_scores
from salix.studies.openworld.training import OpenWorldTraining
from salix.studies.photographs import photographs
from salix.typing import InputError

DEFAULT_TRAINING = OpenWorldTraining()
DEFAULT_SETTING = OpenWorldSetting()


def run_open_world(
    out: Path,
    *,
    seeds: int = 5,
    offline: bool = False,
    approaches: Sequence[str] = (),
    setting: OpenWorldSetting = DEFAULT_SETTING,
    training: OpenWorldTraining | None = None,
    quick: bool = False,
) -> Path:
    """Train, score and print the table; returns the path of `results.json`.

    `seeds` networks for each of `approaches`, names of `APPROACHES` and by default all, each with
    labels and forgeries of its own seed. Scores are of the faces of people without training images.
    Stages and scores that are in `out` already are not computed again. With `quick` the training
    has a tenth of the steps: it shows that the study runs, and learns little.
    """
    if seeds < 1:
        raise InputError(f"{seeds} seeds: train at least one network for each approach, --seeds 1")
    for name in approaches:
        if name not in APPROACHES:
            known = ", ".join(map(repr, APPROACHES))
            raise InputError(f"no approach {name!r}: give {known}")
    training = training or DEFAULT_TRAINING
    if quick:
        training = shortened(training)
    log, faces = TimedLog(), photographs(offline)
    log(f"faces: {faces.origin}")
    scores = []
    for seed in range(seeds):
        data = open_world_set(faces, setting, seed=seed)
        for name in approaches or APPROACHES:
            approach = APPROACHES[name]
            trial = OpenWorldTrial(
                faces.origin, setting, approach.loss, training, seed, approach.iterations
            )
            log(f"{name}, seed {seed}")
            scores.append(trial_scores(out, name, trial, data, log))
    results = summarise(scores, faces.origin, setting, training, seeds)
    print_results(results)
    path = write_results(out, results)
    log(f"wrote {path}")
    return path


def shortened(training: OpenWorldTraining) -> OpenWorldTraining:
    """Return a training with a tenth of the steps of each stage."""
    return replace(
        training,
        supervised=training.supervised // 10,
        steps=max(1, training.steps // 10),
        iterative=max(1, training.iterative // 10),
    )
