"""ChaosMining study: training on formulas among noise, attributions, scores and their tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from salix import spec
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
from salix.studies.chaosmining.formulas import FORMULAS, MENDED, Formula, choose_formulas
from salix.studies.chaosmining.network import NetworkSetting
from salix.studies.chaosmining.page import write_page
from salix.studies.chaosmining.results import print_rows, score_rows, write_results
from salix.studies.chaosmining.scoring import METHODS, score_network
from salix.studies.chaosmining.selection import NAMES, NOISE_FEATURES, run_selection
from salix.studies.chaosmining.selection_table import (
    print_selection,
    selection_cells,
    write_selection,
)
from salix.studies.chaosmining.sweeps import (
    ConditionSweep,
    print_sweep,
    sweep_conditions,
    write_sweep,
)
from salix.studies.detectors import TimedLog
from salix.studies.trial_files import methods_digest, read_json, write_json
from salix.typing import InputError, Method

CHUNK = 5  # networks of one program
VERSION = 1  # of scores: raised where their numbers change
Scores = list[dict[str, float]]


@dataclass(frozen=True)
class ChaosMining:
    """Parts of a study that all conditions share."""

    out: Path
    formulas: tuple[Formula, ...]
    seeds: int
    methods: Mapping[str, Method]
    log: TimedLog

    def trials(self, noise: NoiseSetting, network: NetworkSetting) -> list[Trial]:
        """Return the trials of some conditions, seed by seed."""
        return [Trial(f, s, noise, network) for s in range(self.seeds) for f in self.formulas]

    def scores(self, trials: Sequence[Trial]) -> Scores:
        """Train the networks of trials and return their scores."""
        for trial in trials:
            trial.data()  # unusable formulas are refused before any training
        chunk = min(CHUNK, len(trials))
        train_trials(trials, self.out / "networks", chunk=chunk, log=self.log)
        features = trials[0].noise.noise_features + max(len(f.variables) for f in self.formulas)
        scores = []
        for i, trial in enumerate(trials):
            self.log(f"scoring network {i + 1} of {len(trials)}: formula {trial.formula.name}")
            scores.append(_scores(self.out, trial, self.methods, features))
        return scores


def run_chaosmining(
    out: Path,
    *,
    seeds: int = 5,
    formulas: Sequence[str] = (),
    noise: NoiseSetting = DEFAULT_NOISE,
    network: NetworkSetting = DEFAULT_NETWORK,
    methods: Sequence[str] = (),
    sweeps: Sequence[str] = (),
    selection: bool = False,
    quick: bool = False,
) -> Path:
    """Train, attribute, score and print the table; returns the path of `results.json`.

    `seeds` networks for each formula, each with data of its own. `methods` are texts such as
    `ExpectedGradients(references=0.0)` beside those of the release. `sweeps` are conditions whose
    published values are run too; with `selection` feature selectors are compared among 150
    features of noise. Networks and scores that are in `out` already are not computed again. With
    `quick` the training has a tenth of the epochs, too few for the published numbers.
    """
    if seeds < 1:
        raise InputError(f"{seeds} seeds: train at least one network of each formula, --seeds 1")
    chosen = choose_formulas(tuple(formulas))
    scored = {**METHODS, **{text: spec.parse(text, EVERY, ARGUMENTS) for text in methods}}
    if quick:
        network = replace(network, epochs=max(1, network.epochs // 10))
    conditions = {name: sweep_conditions(name, noise, network) for name in sweeps}
    study = ChaosMining(out, chosen, seeds, scored, TimedLog())
    path = _run_condition(study, noise, network, mended=not formulas)
    for name, settings in conditions.items():
        rows = []
        for value, pair in settings.items():
            study.log(f"sweep of {name}: {value}")
            trials = study.trials(*pair)
            rows.append(score_rows(trials, study.scores(trials)))
        sweep = ConditionSweep(name, tuple(settings), tuple(rows))
        print_sweep(sweep)
        write_sweep(out, sweep)
    if selection:
        many = replace(noise, noise_features=NOISE_FEATURES)
        subjects = chosen if formulas else tuple(FORMULAS[name] for name in NAMES)
        trials = replace(study, formulas=subjects).trials(many, network)
        cells = selection_cells(run_selection(out, trials, study.log))
        print_selection(cells)
        write_selection(out, cells)
    study.log(f"wrote {path} and {write_page(out)}")
    return path


def _run_condition(
    study: ChaosMining, noise: NoiseSetting, network: NetworkSetting, *, mended: bool
) -> Path:
    """Score one condition, print and write its table; with `mended`, formula 12 both ways."""
    trials = study.trials(noise, network)
    scores = study.scores(trials)
    rows = score_rows(trials, scores)
    corrected = ()
    if mended:
        others = replace(study, formulas=(MENDED,)).trials(noise, network)
        of_seed = dict(zip((t.seed for t in others), study.scores(others), strict=True))
        is_faulty = [t.formula is FORMULAS["12"] for t in trials]
        changed = [
            of_seed[t.seed] if faulty else s
            for t, s, faulty in zip(trials, scores, is_faulty, strict=True)
        ]
        corrected = score_rows(trials, changed)
    print_rows(rows)
    return write_results(study.out, trials, scores, rows, mended=corrected)


def _scores(
    out: Path, trial: Trial, methods: Mapping[str, Method], features: int
) -> dict[str, float]:
    """Return the scores of a trained network, from their file where there is one."""
    digest = methods_digest(VERSION, methods)
    path = out / "scores" / f"{trial.digest}-{digest}.json"
    if (known := read_json(path)) is not None:
        return known
    params = read_network(out / "networks", trial)
    if params is None:
        raise InputError(f"{out / 'networks'} lost a network meanwhile: run the study again")
    data, seed = trial.data(), trial.seed
    scores = score_network(params, data, methods=methods, features=features, seed=seed)
    write_json(path, scores)
    return scores
