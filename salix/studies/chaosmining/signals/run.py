"""ChaosMining study on images or sounds: training, attributions, scores and their table."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from salix import spec
from salix.attribution import ARGUMENTS
from salix.attribution import METHODS as EVERY
from salix.studies.chaosmining.page import write_page
from salix.studies.chaosmining.signals.data import CONDITIONS, SignalSetting
from salix.studies.chaosmining.signals.kinds import KINDS
from salix.studies.chaosmining.signals.results import print_signals, signal_rows, write_signals
from salix.studies.chaosmining.signals.training import TrainingSetting
from salix.studies.chaosmining.signals.trials import SignalTrial, trial_scores
from salix.studies.detectors import TimedLog
from salix.typing import InputError

DEFAULT_TRAINING = TrainingSetting()


def run_signals(
    out: Path,
    kind: str,
    *,
    seeds: int = 1,
    examples: int = 3000,
    conditions: Sequence[str] = (),
    networks: Sequence[str] = (),
    methods: Sequence[str] = (),
    foregrounds: Path | None = None,
    training: TrainingSetting = DEFAULT_TRAINING,
    quick: bool = False,
) -> Path:
    """Train, attribute, score and print the table; returns the path of `results-<kind>.json`.

    `kind` is "vision" or "audio"; `conditions` and `networks` are those of the kind, by default all
    of them, with `seeds` classifiers each. `methods` are texts such as `GradCAM()` beside those of
    the release. `foregrounds` is a folder of pictures or of WAV files, one folder for each class,
    instead of the digits or tones. Classifiers and scores that are in `out` already are not
    computed again. With `quick` the training has one epoch, too few to learn.
    """
    if seeds < 1:
        raise InputError(f"{seeds} seeds: train at least one network of each set, --seeds 1")
    parts = KINDS[kind]
    chosen = tuple(networks) or tuple(parts.networks)
    for name in chosen:
        if name not in parts.networks:
            known = ", ".join(parts.networks)
            raise InputError(f"--networks {name!r} is no network of --kind {kind}: give {known}")
    training = replace(training, epochs=1) if quick else training
    scored = {**parts.methods, **{text: spec.parse(text, EVERY, ARGUMENTS) for text in methods}}
    log, trials, scores = TimedLog(), [], []
    own = None if foregrounds is None else parts.read(foregrounds)
    if own:
        log(f"foregrounds: {len(own.classes)} of {', '.join(own.names)}")
        for name, reason in own.skipped:
            log(f"left out {name}: {reason}")
    source = own.digest if own else ""
    settings = [SignalSetting(c, examples, source) for c in tuple(conditions) or CONDITIONS]
    for setting in settings:
        for seed in range(seeds):
            data = parts.data(setting, own, seed=seed)
            for network in chosen:
                trial = SignalTrial(kind, network, setting, training, seed)
                log(f"{setting.condition}, {network}, seed {seed}: training and scoring")
                trials.append(trial)
                scores.append(trial_scores(out, trial, data, scored))
    rows = signal_rows(trials, scores)
    names, metrics = tuple(scored), tuple(parts.metrics)
    print_signals(rows, names, metrics, seeds=seeds)
    path = write_signals(out, trials, scores, rows, methods=names, metrics=metrics)
    log(f"wrote {path} and {write_page(out)}")
    return path
