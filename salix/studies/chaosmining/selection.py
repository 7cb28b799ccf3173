"""Selection of features among noise: RFEwNA as released and on unseen rows, beside rivals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from salix.studies.chaosmining.data import SymbolicSet
from salix.studies.chaosmining.elimination import (
    EliminationRound,
    EliminationRule,
    EliminationTask,
    eliminate,
)
from salix.studies.chaosmining.experiment import Trial
from salix.studies.chaosmining.network import NetworkSetting
from salix.studies.chaosmining.rankings import (
    classical_estimators,
    classical_selection,
    permutation_ranking,
    shap_ranking,
    top_mask,
)
from salix.studies.chaosmining.scoring import METHODS
from salix.studies.trial_files import read_json, write_json
from salix.typing import Method

NOISE_FEATURES = 150
NAMES = ("10", "11", "12", "13", "14")  # formulas of the published table
STEP = 0.5
VALIDATION_SHARE = 0.2  # of the training rows
VERSION = 1  # of selections: raised where their numbers change


@dataclass(frozen=True)
class SelectionRow:
    """Features that a selector keeps for one formula and seed, as many as are relevant.

    `ranked_on` names the rows that rank and validate. `precision` is the share of relevant features
    among those, `error` the mean absolute error on test rows of a model of these features.
    """

    formula: str
    seed: int
    selector: str
    ranked_on: str
    precision: float
    error: float


def run_selection(
    out: Path, trials: Sequence[Trial], log: Callable[[str], None]
) -> tuple[SelectionRow, ...]:
    """Select features for each trial; finished trials are read from `out`/selection."""
    rows: list[SelectionRow] = []
    for i, trial in enumerate(trials):
        path = out / "selection" / f"{trial.digest}-{VERSION}.json"
        try:
            rows += [SelectionRow(**row) for row in read_json(path)]
            continue
        except TypeError:  # no file, or one of other fields
            pass
        log(f"selecting features {i + 1} of {len(trials)}: formula {trial.formula.name}")
        chosen = select_features(trial)
        write_json(path, [asdict(row) for row in chosen])
        rows += chosen
    return tuple(rows)


def select_features(trial: Trial, *, methods: Mapping[str, Method] = METHODS) -> list[SelectionRow]:
    """Return the rows of all selectors for one formula and seed."""
    data, setting, seed = trial.data(), trial.network, trial.seed
    rows: list[SelectionRow] = []

    def add(selector: str, ranked_on: str, support: Any, error: float) -> None:
        precision = float((np.flatnonzero(support) < data.relevant).mean())
        rows.append(SelectionRow(trial.formula.name, seed, selector, ranked_on, precision, error))

    for name, estimator in classical_estimators(seed).items():
        selection = classical_selection(estimator, data.x, data.y, data.relevant)
        error = float(np.abs(selection.predict(data.test_x) - data.test_y).mean())
        add(name, "training rows", selection.support_, error)
    released = data.x, data.y, data.test_x, data.test_y
    for name, rounds in _eliminations(released, data, methods, setting, seed).items():
        add(f"NN + {name}", "test rows", _support(data, rounds[-1].features), rounds[-1].error)
    cut = len(data.x) - max(1, int(len(data.x) * VALIDATION_SHARE))
    unseen = data.x[:cut], data.y[:cut], data.x[cut:], data.y[cut:]
    eliminations = _eliminations(unseen, data, methods, setting, seed)
    supports = {f"NN + {n}": _support(data, r[-1].features) for n, r in eliminations.items()}
    first = next(iter(eliminations.values()))[0].params  # reads all features
    importance = permutation_ranking(first, unseen[2], unseen[3], seed=seed)
    supports["NN, permutation"] = top_mask(importance, data.relevant)
    supports["NN, SHAP"] = top_mask(shap_ranking(first, unseen[2], seed=seed), data.relevant)
    errors: dict[bytes, float] = {}
    for name, support in supports.items():
        if support.tobytes() not in errors:
            errors[support.tobytes()] = _test_error(data, support, setting, seed)
        add(name, "validation rows", support, errors[support.tobytes()])
    return rows


def _eliminations(
    rows: Any,
    data: SymbolicSet,
    methods: Mapping[str, Method],
    setting: NetworkSetting,
    seed: int,
) -> dict[str, tuple[EliminationRound, ...]]:
    rule = EliminationRule(STEP, data.relevant)
    x, y, validation_x, validation_y = rows
    tasks = [
        EliminationTask(x, y, validation_x, validation_y, method, rule, seed)
        for method in methods.values()
    ]
    return dict(zip(methods, eliminate(tasks, setting), strict=True))


def _support(data: SymbolicSet, features: Any) -> Any:
    mask = np.zeros(data.x.shape[1], bool)
    mask[features] = True
    return mask


def _test_error(data: SymbolicSet, support: Any, setting: NetworkSetting, seed: int) -> float:
    """Return the test error of a network of some features, trained on all training rows."""
    rule = EliminationRule(count=int(support.sum()))
    x, test_x = data.x[:, support], data.test_x[:, support]
    task = EliminationTask(x, data.y, test_x, data.test_y, METHODS["SA"], rule, seed)
    ((only,),) = eliminate([task], setting)
    return only.error
