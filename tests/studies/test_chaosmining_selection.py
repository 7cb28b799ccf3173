"""Elimination of features, the selector of scikit-learn, sweeps and the page of ChaosMining."""

import json
from itertools import pairwise

import numpy as np
import pytest

from salix.cli import main
from salix.studies.chaosmining import elimination
from salix.studies.chaosmining.data import NoiseSetting
from salix.studies.chaosmining.elimination import EliminationRule, EliminationTask, eliminate
from salix.studies.chaosmining.experiment import Trial
from salix.studies.chaosmining.formulas import FORMULAS
from salix.studies.chaosmining.network import NetworkSetting
from salix.studies.chaosmining.page import write_page
from salix.studies.chaosmining.published import PUBLISHED, SWEEPS
from salix.studies.chaosmining.rankings import top_mask
from salix.studies.chaosmining.results import score_rows, write_results
from salix.studies.chaosmining.scoring import METHODS
from salix.studies.chaosmining.selection import SelectionRow, select_features
from salix.studies.chaosmining.selection_table import (
    print_selection,
    selection_cells,
    write_selection,
)
from salix.studies.chaosmining.selector import RFEwNA
from salix.studies.chaosmining.sweeps import (
    ConditionSweep,
    concordant_pairs,
    print_sweep,
    sweep_conditions,
    write_sweep,
)
from salix.typing import InputError

ROWS = np.zeros((6, 10), np.float32)


def task(rule):
    return EliminationTask(ROWS, ROWS[:, 0], ROWS, ROWS[:, 0], METHODS["SA"], rule)


def test_a_round_drops_a_share_and_ends_at_the_count():
    assert [EliminationRule(0.5, 3).dropped(n) for n in (10, 5, 4, 3)] == [5, 2, 1, 0]
    assert [EliminationRule(0.2).dropped(n) for n in (10, 5, 4)] == [2, 1, 0]
    with pytest.raises(InputError, match="step is 1"):
        EliminationRule(1.0)
    with pytest.raises(InputError, match="11 relevant features of 10 columns"):
        task(EliminationRule(0.5, 11))


@pytest.mark.parametrize(
    ("rule", "errors", "sizes"),
    [
        (EliminationRule(0.5, 3), [1.0, 2.0, 3.0, 4.0], [10, 5, 3]),
        (EliminationRule(0.2), [3.0, 2.0, 2.0, 2.5], [10, 8, 7]),  # the error grows
        (EliminationRule(0.2), [5.0, 4.0, 3.0, 2.0, 1.0, 0.0], [10, 8, 7, 6, 5, 4]),
    ],
)
def test_elimination_keeps_features_of_high_importance(rule, errors, sizes, monkeypatch):
    left = iter(errors)
    monkeypatch.setattr(elimination, "_train", lambda pairs, setting: [[]] * len(pairs))
    monkeypatch.setattr(elimination, "_error", lambda *_: next(left))
    monkeypatch.setattr(elimination, "_importance", lambda task, features, params: -features)
    ((*rounds,),) = eliminate([task(rule)], NetworkSetting())
    assert [len(r.features) for r in rounds] == sizes
    assert rounds[-1].features.tolist() == list(range(sizes[-1]))
    assert all(set(b.features) < set(a.features) for a, b in pairwise(rounds))


def test_of_equal_importances_the_later_feature_is_chosen():
    assert np.flatnonzero(top_mask(np.array([0.0, 3.0, 0.0, 1.0]), 2)).tolist() == [1, 3]
    assert np.flatnonzero(top_mask(np.zeros(4), 2)).tolist() == [2, 3]


@pytest.mark.parametrize(
    ("options", "y", "message"),
    [
        ({}, np.ones(20), "the target y is constant, at 1"),
        ({"n_features_to_select": 5}, np.arange(20), "5 relevant features of 4 columns"),
        ({"n_features_to_select": 1.5}, np.arange(20), "n_features_to_select is 1.5"),
        ({"validation_fraction": 1.5}, np.arange(20), "validation_fraction is 1.5"),
        ({"attribution": "lime"}, np.arange(20), "unknown 'lime'"),
        ({"step": 0.0}, np.arange(20), "step is 0"),
    ],
)
def test_the_selector_names_unusable_input(options, y, message):
    x = np.random.default_rng(0).normal(size=(20, 4))
    with pytest.raises(InputError, match=message):
        RFEwNA(**options).fit(x, y)
    with pytest.raises(ValueError, match="minimum of 4"):
        RFEwNA().fit(x[:3], np.arange(3))


def test_pairs_in_the_published_order():
    assert concordant_pairs([1, 2, 3], [0.1, 0.2, 0.3]) == (3, 3)
    assert concordant_pairs([1, 3, 2], [0.1, 0.2, 0.3]) == (2, 3)
    assert concordant_pairs([1, 2, 3], [0.1, np.nan, 0.1]) == (0, 0)


def test_sweeps_have_the_published_conditions():
    assert SWEEPS["noise_features"] == (0, 25, 50, 75, 100, 125, 150, 175, 200)
    assert SWEEPS["optimiser"] == ("adam", "adagrad", "rmsprop", "sgd")
    for name in SWEEPS:
        pairs = sweep_conditions(name, NoiseSetting(), NetworkSetting()).values()
        assert all(pair in PUBLISHED for pair in pairs)
    with pytest.raises(InputError, match="sweep 'size': choose one of noise_features"):
        sweep_conditions("size", NoiseSetting(), NetworkSetting())


def test_the_page_shows_tables_beside_published_ones(tmp_path, capsys):
    trials = [Trial(f, s) for s in (0, 1) for f in FORMULAS.values()]
    names = ("Pred", "SA", "SA consistency", *("DL", "IG", "FA", "DeepLIFT"))
    names += ("U SA released", "U SA")
    scores = [{n: 0.5 + 0.01 * i + 0.02 * t.seed for i, n in enumerate(names)} for t in trials]
    rows = score_rows(trials, scores)
    write_results(tmp_path, trials, scores, rows, mended=rows)
    swept = []
    for pair in sweep_conditions("label_noise", NoiseSetting(), NetworkSetting()).values():
        swept.append(score_rows([Trial(t.formula, t.seed, *pair) for t in trials], scores))
    sweep = ConditionSweep("label_noise", SWEEPS["label_noise"], tuple(swept))
    selected = [SelectionRow("10", s, "NN + SA", "test rows", 1.0, 0.01) for s in (0, 1)]
    selected += [SelectionRow("10", 0, "<b>", "validation rows", 0.5, 0.02)]
    cells = selection_cells(selected)
    assert (cells[0].published_precision, cells[0].published_error) == (1.0, 0.0096)
    assert np.isnan(cells[1].published_error)
    write_sweep(tmp_path, sweep)
    write_selection(tmp_path, cells)
    text = write_page(tmp_path).read_text()
    assert "is the furthest" in text
    for part in (
        "&lt;b&gt;",
        "0.0096",
        "<polyline",
        "label noise",
        "−0.3016",
        "U SA released → U SA",
    ):
        assert part in text, part
    assert "nan" not in text
    assert json.loads((tmp_path / "sweep-label_noise.json").read_text())["seeds"] == 2
    print_sweep(sweep)
    print_selection(cells)
    output = capsys.readouterr().out
    assert "0 of 6" in output  # constant scores have no order
    assert "1.000 (1.000)" in output


def test_an_unknown_sweep_is_named(tmp_path, capsys):
    assert main(["study", "chaosmining", "--sweeps", "size", "--out", str(tmp_path)]) == 2
    assert "sweep 'size'" in capsys.readouterr().err


@pytest.mark.slow
def test_the_selector_chooses_relevant_features_in_a_pipeline():
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline

    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 12))
    y = np.sin(x[:, 0]) * x[:, 1] + x[:, 2]
    options = {"step": 0.5, "depth": 2, "width": 20, "epochs": 100, "learning_rate": 0.01}
    pipeline = make_pipeline(RFEwNA(3, random_state=0, **options), LinearRegression()).fit(x, y)
    selector = pipeline[0]
    assert selector.support_.nonzero()[0].tolist() == [0, 1, 2]
    assert [n for n, _ in selector.history_] == [12, 6, 3]
    assert (selector.ranking_[:3] == 1).all()
    assert sorted(selector.ranking_) == [1] * 3 + [2] * 3 + [3] * 6
    assert pipeline.score(x, y) > 0.5


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_the_selector_passes_the_checks_of_scikit_learn():
    from sklearn.utils.estimator_checks import check_estimator

    check_estimator(RFEwNA(epochs=1, width=2, depth=1, random_state=0))


@pytest.mark.slow
def test_selectors_are_compared_with_the_same_number_of_features():
    setting = NetworkSetting(depth=1, width=20, epochs=300, learning_rate=1e-2)
    trial = Trial(FORMULAS["7"], 0, NoiseSetting(10, 500), setting)
    rows = select_features(trial, methods={"SA": METHODS["SA"]})
    precision = {(r.selector, r.ranked_on): r.precision for r in rows}
    assert len(precision) == 7
    assert precision["NN + SA", "validation rows"] > 0.6
    assert all(np.isfinite(r.error) for r in rows)
