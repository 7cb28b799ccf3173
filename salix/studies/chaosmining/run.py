"""ChaosMining study: training on formulas among noise, attributions, scores and their table."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from salix import spec
from salix.atomic import atomic
from salix.attribution import ARGUMENTS
from salix.attribution import METHODS as EVERY
from salix.studies.chaosmining.data import NoiseSetting
from salix.studies.chaosmining.experiment import (
    DEFAULT_NETWORK,
    DEFAULT_NOISE,
    Trial,
    read_network,
    train_trials,
)
from salix.studies.chaosmining.formulas import choose_formulas
from salix.studies.chaosmining.network import NetworkSetting
from salix.studies.chaosmining.results import print_rows, score_rows, write_results
from salix.studies.chaosmining.scoring import METHODS, score_network
from salix.studies.detectors import TimedLog
from salix.typing import InputError, Method

CHUNK = 5  # networks of one program
VERSION = 1  # of scores: raised where their numbers change


def run_chaosmining(
    out: Path,
    *,
    seeds: int = 5,
    formulas: Sequence[str] = (),
    noise: NoiseSetting = DEFAULT_NOISE,
    network: NetworkSetting = DEFAULT_NETWORK,
    methods: Sequence[str] = (),
    quick: bool = False,
) -> Path:
    """Train, attribute, score and print the table; returns the path of `results.json`.

    `seeds` networks for each formula, each with data of its own. `methods` are texts such as
    `ExpectedGradients(references=0)` beside those of the release. Networks and scores that are in
    `out` already are not computed again. With `quick` the training has a tenth of the epochs, too
    few for the published numbers.
    """
    if seeds < 1:
        raise InputError(f"{seeds} seeds: train at least one network of each formula, --seeds 1")
    chosen = choose_formulas(tuple(formulas))
    scored = {**METHODS, **{text: spec.parse(text, EVERY, ARGUMENTS) for text in methods}}
    if quick:
        network = replace(network, epochs=max(1, network.epochs // 10))
    trials = [Trial(f, seed, noise, network) for seed in range(seeds) for f in chosen]
    log = TimedLog()
    for trial in trials:
        trial.data()  # unusable formulas are refused before any training
    train_trials(trials, out / "networks", chunk=min(CHUNK, len(trials)), log=log)
    features = noise.noise_features + max(len(f.variables) for f in chosen)
    scores = []
    for i, trial in enumerate(trials):
        log(f"scoring network {i + 1} of {len(trials)}: formula {trial.formula.name}")
        scores.append(_scores(out, trial, scored, features))
    rows = score_rows(trials, scores)
    print_rows(rows)
    path = write_results(out, trials, scores, rows)
    log(f"wrote {path}")
    return path


def _scores(
    out: Path, trial: Trial, methods: Mapping[str, Method], features: int
) -> dict[str, float]:
    """Return the scores of a trained network, from their file where there is one."""
    text = json.dumps([VERSION, {name: repr(method) for name, method in methods.items()}])
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    path = out / "scores" / f"{trial.digest}-{digest}.json"
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        pass
    params = read_network(out / "networks", trial)
    if params is None:
        raise InputError(f"{out / 'networks'} lost a network meanwhile: run the study again")
    data, seed = trial.data(), trial.seed
    scores = score_network(params, data, methods=methods, features=features, seed=seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as file:
        file.write_text(json.dumps(scores))
    return scores
