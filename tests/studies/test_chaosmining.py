"""ChaosMining: formulas, data, scores and training against oracles, and the study."""

import json

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from salix.cli import main
from salix.studies.chaosmining import run as study
from salix.studies.chaosmining.data import NoiseSetting, symbolic_set
from salix.studies.chaosmining.experiment import Trial, read_network, train_trials
from salix.studies.chaosmining.expressions import parse
from salix.studies.chaosmining.formulas import FORMULAS, MENDED, Formula, choose_formulas
from salix.studies.chaosmining.metrics import (
    attribution_score,
    consistency,
    convergence,
    functional_precision,
    uniform_score,
)
from salix.studies.chaosmining.network import (
    NetworkBatch,
    NetworkSetting,
    initial_params,
    pad_params,
    predict,
    stack_params,
    train_networks,
)
from salix.studies.chaosmining.published import COLUMNS, PUBLISHED
from salix.studies.chaosmining.results import print_rows, score_rows
from salix.studies.chaosmining.truth import (
    path_sum,
    true_ablation,
    true_deeplift,
    true_integrated_gradients,
    true_saliency,
)
from salix.typing import InputError

ALL = [*FORMULAS.values(), MENDED]
SMALL = NoiseSetting(noise_features=4, rows=200)


@pytest.fixture(scope="module")
def rows():
    return {f: np.random.default_rng(0).uniform(-1, 1, (6, len(f.variables))) for f in ALL}


def by_hand(a, b, c, d, e, f):
    """Formula 10, written again."""
    return np.cos(a) * np.tan(b) / 2 - np.log((c - d) ** 2 + 1) / ((e + f + 1) ** 2 + 1)


def test_formulas_have_the_published_numbers_of_features(rows):
    counts = [len(f.variables) for f in FORMULAS.values()]
    assert counts == [1, 1, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    x = rows[FORMULAS["10"]]
    np.testing.assert_allclose(FORMULAS["10"](x), by_hand(*x.T), rtol=1e-12)


def test_closed_gradients_equal_automatic_ones(rows):
    columns = {f.name: jnp.asarray(x, jnp.float32) for f, x in rows.items()}

    @jax.jit
    def gradients(columns):
        return {f.name: jax.vmap(jax.grad(f.traced))(columns[f.name]) for f in ALL}

    for name, gradient in gradients(columns).items():
        formula = next(f for f in ALL if f.name == name)
        np.testing.assert_allclose(true_saliency(formula, rows[formula]), gradient, atol=2e-5)


def test_formula_12_ignores_its_last_feature_until_mended(rows):
    released, mended = FORMULAS["12"], MENDED
    assert (true_saliency(released, rows[released])[:, 7] == 0).all()
    assert (true_saliency(mended, rows[mended])[:, 7] != 0).all()


def test_true_attributions_add_up_and_equal_simple_forms(rows):
    for formula, x in ((FORMULAS[n], rows[FORMULAS[n]]) for n in ("2", "8", "10")):
        total = formula(x) - formula(0 * x)
        np.testing.assert_allclose(true_integrated_gradients(formula, x).sum(1), total, atol=1e-9)
        without = x.copy()
        without[:, 0] = 0
        np.testing.assert_allclose(true_ablation(formula, x)[:, 0], formula(x) - formula(without))
    formula, errors = FORMULAS["10"], []
    x = rows[formula]
    for steps in (20, 40):
        difference = path_sum(formula, x, steps=steps) - true_integrated_gradients(formula, x)
        errors.append(np.abs(difference).max())
    assert 1.8 < errors[0] / errors[1] < 2.2  # first order


def test_true_deeplift_of_a_product_halves_the_interaction():
    x = np.array([[0.5, 0.4, 0.3]])
    values = true_deeplift(Formula("p", "a * b + sin(a) + c^3"), x)
    np.testing.assert_allclose(values, [[0.1 + np.sin(0.5), 0.1, 0.3**3]], rtol=1e-5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sin(a) * speed", "unknown name 'speed'"),
        ("__import__('os').system('ls')", "unknown call"),
        ("open(a)", "unknown call of 'open'"),
        ("sin(a, b)", "unknown call of 'sin'"),
        ("a.real", "unknown part 'a.real'"),
        ("[a for a in b]", "unknown part"),
        ("a if b else c", "unknown part"),
        ("a^b", "variable in an exponent"),
        ("a * 'x'", "unknown part"),
        ("a +", "not an expression"),
        ("a^(9^9^9^9)", "exponent"),
        ("a * 1e400", "beyond 1e15"),
        ("2 + 3", "no variable"),
        ("(" * 400 + "a" + ")" * 400, "not an expression"),
        ("sin(" * 70 + "a" + ")" * 70, "nested"),
        ("a" * 2000, "2000 characters"),
        ("15", "the numbers are 0 to 14"),
        ("5-2", "range such as 0-5"),
    ],
)
def test_unusable_formulas_are_named(text, message):
    with pytest.raises(InputError, match=message):
        [f(np.ones((1, len(f.variables)))) for f in choose_formulas((text,))]


def test_formulas_are_chosen_by_number_range_and_text():
    names = [f.name for f in choose_formulas(("2", "0-2", "12-mended", "sin(b) * a"))]
    assert names == ["2", "0", "1", "12-mended", "sin(b) * a"]
    assert choose_formulas(()) == tuple(FORMULAS.values())
    assert parse("-a^2").op.__class__.__name__ == "USub"  # as in mathematics


@pytest.mark.parametrize(
    ("text", "message"), [("a - a", "constant"), ("ln(a)", "not finite"), ("1 / (b - b)", "finite")]
)
def test_formulas_without_a_usable_target_are_refused(text, message):
    with pytest.raises(InputError, match=message):
        symbolic_set(Formula("x", text), SMALL, seed=0)


def test_data_have_the_law_of_the_release():
    data = symbolic_set(FORMULAS["9"], NoiseSetting(noise_features=20, rows=5000), seed=3)
    assert (data.x.shape, data.test_x.shape) == ((4000, 25), (1000, 25))
    assert np.abs(data.x).max() == 1  # clipped
    assert abs(data.x.std() - 0.33) < 0.003
    residual = data.y - FORMULAS["9"](data.x[:, :5].astype(np.float64))
    assert abs(residual.std() - 0.01) < 0.0005
    np.testing.assert_allclose(data.test_y, FORMULAS["9"](data.test_features), rtol=1e-5)
    again = symbolic_set(FORMULAS["9"], NoiseSetting(noise_features=20, rows=5000), seed=3)
    np.testing.assert_array_equal(data.x, again.x)
    with pytest.raises(InputError, match="19 rows are too few"):
        NoiseSetting(rows=19)


def test_functional_precision_counts_relevant_features_at_the_top():
    values = np.array([[3.0, -2.0, 1.0, 0.0], [0.1, 0.2, -5.0, 0.0]])
    assert functional_precision(values, 2) == 0.75
    assert functional_precision(np.zeros((3, 4)), 2) == 0.0
    assert functional_precision(np.full((3, 4), np.nan), 2) == 0.0
    with pytest.raises(InputError, match="5 relevant features of 4 columns"):
        functional_precision(values, 5)


def test_uniform_score_signed_and_as_released():
    assert uniform_score([1.0, -1.0], [1.0, -1.0]) == pytest.approx(1)
    assert uniform_score([1.0, -1.0], [1.0, -1.0], signed=False) == pytest.approx(0.5)
    assert uniform_score([3.0], [1.0]) == pytest.approx(0.5)  # 1 - 2 / 4
    values, truth = np.array([[1.0, -1.0, 2.0]]), np.array([[5.0, -5.0]])
    assert attribution_score(values, truth) == pytest.approx(1 - 0.25 / 0.75)
    with pytest.raises(InputError, match="4 relevant features of 3"):
        attribution_score(values, np.ones((1, 4)))


def test_consistency_and_convergence_are_overlaps():
    values = np.array([[3.0, 2.0, 1.0], [3.0, 0.0, 2.5]])  # in the mean: 3, 1, 1.75
    assert consistency(values, 2) == 0.75
    assert convergence(values, values[::-1], 2) == 0.5
    assert convergence(values, -values, 2) == 1.0


def serial_training(params, x, y, rate, epochs):
    """Full-batch Adam in 64 bits, by numbers and gradients written out."""
    from scipy.special import erf

    params = [(w.astype(np.float64), b.astype(np.float64)) for w, b in params]
    flat = [p for layer in params for p in layer]
    first, second = [0 * p for p in flat], [0 * p for p in flat]
    for t in range(1, epochs + 1):
        inputs, slopes, h = [], [], x.astype(np.float64)
        for weights, bias in params[:-1]:
            inputs.append(h)
            u = h @ weights + bias
            cdf = (1 + erf(u / np.sqrt(2))) / 2
            slopes.append(cdf + u * np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi))
            h = u * cdf
        weights, bias = params[-1]
        back = 2 * (h @ weights + bias - y[:, None]) / len(y)
        gradients = [(h.T @ back, back.sum(0))]
        back = back @ weights.T
        for i in reversed(range(len(params) - 1)):
            back = back * slopes[i]
            gradients.insert(0, (inputs[i].T @ back, back.sum(0)))
            back = back @ params[i][0].T
        for i, g in enumerate(g for layer in gradients for g in layer):
            first[i] = 0.9 * first[i] + 0.1 * g
            second[i] = 0.999 * second[i] + 0.001 * g**2
            step = first[i] / (1 - 0.9**t) / (np.sqrt(second[i] / (1 - 0.999**t)) + 1e-8)
            flat[i] = flat[i] - rate * step
        params = list(zip(flat[::2], flat[1::2], strict=True))
    return params


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.slow
def test_networks_trained_together_equal_serial_ones(together):
    """Two networks of different inputs and rates; 800 rows are two blocks on a CPU."""
    setting = NetworkSetting(depth=2, width=7, epochs=4)
    sizes, rates = (5, 3), (1e-2, 3e-3)
    sets = [symbolic_set(FORMULAS["0"], NoiseSetting(n - 1, 1000), seed=1) for n in sizes]
    starts = [initial_params(setting, n, seed=2) for n in sizes]
    batch = NetworkBatch(
        stack_params([pad_params(p, 5) for p in starts]),
        jnp.stack([np.pad(s.x, ((0, 0), (0, 5 - s.x.shape[1])), constant_values=9) for s in sets]),
        jnp.stack([s.y for s in sets]),
        jnp.array([[1.0] * n + [0.0] * (5 - n) for n in sizes]),
        jnp.array(rates),
        jnp.zeros(2),
        jax.random.split(jax.random.key(0), 2),
    )
    trained = train_networks(batch, setting, snapshots=2, together=together)
    for i, (data, start, rate) in enumerate(zip(sets, starts, rates, strict=True)):
        for snapshot, epochs in enumerate((2, 4)):
            expected = serial_training(start, data.x, data.y, rate, epochs)
            for (weights, bias), (w, b) in zip(trained, expected, strict=True):
                np.testing.assert_allclose(weights[i, snapshot][: len(w)], w, atol=3e-5)
                np.testing.assert_allclose(bias[i, snapshot], b, atol=3e-5)
    assert (trained[0][0][1, :, 3:] == 0).all()  # masked features are never read


def test_training_continues_and_mends_a_broken_file(tmp_path):
    noise, setting = NoiseSetting(2, 50), NetworkSetting(depth=1, width=3, epochs=2)
    trials = [Trial(FORMULAS[n], s, noise, setting) for n in ("0", "7") for s in (0, 1)]
    lines: list[str] = []
    train_trials(trials, tmp_path, chunk=2, log=lines.append)
    assert len(lines) == 2
    before = [read_network(tmp_path, t) for t in trials]
    broken = tmp_path / f"{trials[3].digest}.npz"
    broken.write_bytes(broken.read_bytes()[:100])
    train_trials(trials, tmp_path, chunk=1, log=lines.append)
    assert lines[2:] == [
        "3 of 4 networks are trained already",
        "training networks 1 to 1 of 1",
    ]
    for trial, params in zip(trials, before, strict=True):
        again = read_network(tmp_path, trial)
        assert again is not None
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), again, params)
        assert again[0][0].shape == (1, len(trial.formula.variables) + 2, 3)
        rows = jnp.asarray(trial.data().test_x)
        assert jnp.isfinite(predict([(w[0], b[0]) for w, b in again], rows)).all()


def test_the_table_compares_means_over_formulas_with_published_ones(capsys):
    trials = [Trial(f, s) for s in (0, 1) for f in FORMULAS.values()]
    scores = [
        {
            name: value + (0.02 if t.seed else 0)
            for name, value in zip(COLUMNS, range(8), strict=True)
        }
        for t in trials
    ]
    rows = score_rows(trials, scores)
    published = PUBLISHED[NoiseSetting(), NetworkSetting()]
    assert rows[1].published == published["SA"] == 0.8216
    assert rows[1].difference == pytest.approx(1.01 - 0.8216)
    assert rows[1].mean.n == 2  # seeds, not networks
    assert rows[1].mean.high - 1.01 == pytest.approx(12.706 * 0.01, rel=1e-3)
    assert len(PUBLISHED) == 25
    print_rows(rows)
    assert "+0.1884" in capsys.readouterr().out
    assert np.isnan(score_rows(trials[:14], scores[:14])[1].published)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["chaosmining", "--rows", "5"], "5 rows are too few"),
        (["chaosmining", "--formulas", "a * size"], "unknown name 'size'"),
        (["chaosmining", "--seeds", "0"], "0 seeds"),
    ],
)
def test_unusable_options_are_named(options, message, tmp_path, capsys):
    assert main(["study", *options, "--out", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("options", [["chaosmining", "--offline"], ["shift", "--rows", "50"]])
def test_options_belong_to_their_study(options, capsys):
    with pytest.raises(SystemExit) as exit:
        main(["study", *options])
    assert exit.value.code == 2
    assert options[1] in capsys.readouterr().err


@pytest.mark.slow
def test_the_study_from_end_to_end(tmp_path, capsys, monkeypatch):
    options = ["--seeds", "2", "--formulas", "sin(a) * b", "--rows", "300", "--quick"]
    command = ["study", "chaosmining", *options, "--noise-features", "3", "--out", str(tmp_path)]
    assert main(command) == 0
    results = json.loads((tmp_path / "results.json").read_text())
    table = {row["score"]: row for row in results["scores"]}
    assert {*COLUMNS, "DeepLIFT", "U SA", "U DeepLIFT"} <= set(table)
    assert table["SA"]["seeds"] == 2
    assert table["SA"]["published"] is None
    assert table["SA"]["mean"] > 0.4  # by chance
    assert "95 % over seeds" in capsys.readouterr().out
    monkeypatch.setattr(study, "score_network", None)  # finished scores are read
    assert main(command) == 0
