"""Sweeps of several methods and metrics: columns, defaults, costs, resume, and refusals."""

import numpy as np
import pytest

import salix
from salix.attribution import GradCAM, Gradient, InputXGradient, ScoreCAM
from salix.engine.evaluated_methods import evaluation_costs
from salix.measures import Evaluation, Of
from salix.metrics import deletion, gini, iou
from salix.typing import InputError

FEW = Of(deletion, fractions=(0.0, 0.5, 1.0))
METHODS = (Gradient(), GradCAM())
SHORT = "deletion(fractions=(0.0, 0.5, 1.0))"


@pytest.fixture(scope="module")
def run(tiny, pictures, tmp_path_factory):
    """A sweep of two methods and two metrics."""
    out = tmp_path_factory.mktemp("evaluation") / "run"
    return salix.sweep(*tiny, pictures, list(METHODS), metrics=[gini, SHORT], out=out)


@pytest.mark.slow
def test_the_first_method_fills_the_columns_of_every_sweep(run, tiny, pictures, tmp_path):
    alone = salix.sweep(
        *tiny, pictures, Gradient(), [Of(gini), FEW], out=tmp_path / "alone", side=64
    )
    rows, own = run.rows, alone.rows
    np.testing.assert_array_equal(rows["map"], own["map"])
    np.testing.assert_array_equal(rows["evaluation_map"][:, 0], own["map"])
    np.testing.assert_allclose(rows["evaluation_gini"][:, 0], own["map_gini"], rtol=1e-5)
    np.testing.assert_allclose(
        rows["evaluation_deletion"][:, 0], own["map_deletion_area"], rtol=1e-5
    )
    other = salix.sweep(*tiny, pictures, GradCAM(), [Of(gini)], out=tmp_path / "other").rows
    defined = ~other["constant_map"].astype(bool)
    values = rows["evaluation_gini"][:, 1]
    np.testing.assert_allclose(values[defined], other["map_gini"][defined], rtol=1e-5)
    assert np.isnan(values[~defined]).all()


def test_manifest_names_methods_metrics_and_costs(run):
    config, about = run.manifest["config"], run.manifest["about"]
    assert config["attribution"] == "Gradient()"
    assert "GradCAM(relu=True, before_relu=False)" in config["measures"][-1]
    assert "0.5" in config["measures"][-1]
    passes = about["passes"]
    assert passes["methods"]["Gradient()"] == {"evaluations": 0, "gradients": 1, "explanations": 0}
    assert passes["metrics"]["evaluation_deletion"]["evaluations"] == 3
    assert set(passes["metrics"]["evaluation_gini"].values()) == {0}
    column = run.columns["evaluation_deletion"]
    assert column.coordinates == ("Gradient()", "GradCAM()")
    assert (column.dims, column.shape, column.direction) == (("method",), (2,), "lower")
    assert run.columns["evaluation_map"].shape == (2, 16, 16)


@pytest.mark.slow
def test_it_resumes_and_refuses_other_methods_and_metrics(run, tiny, pictures):
    again = {"out": run.path}
    salix.sweep(*tiny, pictures, METHODS, metrics=[gini, FEW], **again)
    for methods, metrics in (
        ((Gradient(), InputXGradient()), [gini, FEW]),
        (METHODS, [gini, deletion]),
        (METHODS, [FEW, gini]),
    ):
        with pytest.raises(InputError, match=r"another configuration.*measures"):
            salix.sweep(*tiny, pictures, methods, metrics=metrics, **again)


def test_a_method_without_a_stated_cost_has_none(tiny):
    measures = [Evaluation((Gradient(), ScoreCAM()), (gini,))]
    costs = evaluation_costs(measures, tiny[0])["methods"]
    assert costs["Gradient()"] is not None
    assert costs["ScoreCAM()"] is None


@pytest.mark.slow
def test_several_methods_have_default_metrics_and_one_method_none(tiny, tmp_path):
    data = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    run = salix.sweep(*tiny, data, METHODS, out=tmp_path / "two")
    names = [n for n in run.columns if n.startswith("evaluation")]
    assert {"evaluation_deletion", "evaluation_insertion", "evaluation_gini"} < set(names)
    assert "evaluation_relevance_mass" not in names
    one = salix.sweep(*tiny, data, [Gradient()], out=tmp_path / "one")
    assert not [n for n in one.columns if n.startswith("evaluation")]
    single = salix.sweep(*tiny, data, metrics=["gini"], out=tmp_path / "metric")
    assert single.columns["evaluation_gini"].coordinates == ("GradCAM()",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": [iou]}, "iou compares a map with a reference mask.*leave the metric out"),
        ({"metrics": ["ginni"]}, "unknown 'ginni'"),
        ({"metrics": "gini"}, "give a list"),
        ({"attribution": []}, "attribution has no method"),
        ({"attribution": [Gradient(), GradCAM]}, "GradCAM is a class"),
        ({"attribution": [Gradient(), lambda x: x]}, "it is called with"),
    ],
)
def test_bad_input_is_refused_before_any_work(tiny, pictures, tmp_path, options, message):
    options = {"attribution": METHODS} | options
    with pytest.raises(InputError, match=message):
        salix.sweep(*tiny, pictures, out=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_a_method_without_its_trunk_is_refused(pictures, tmp_path):
    weights = np.ones((3, 2), np.float32)
    model = salix.from_function(
        lambda w, x: x.mean((0, 1)) @ w, weights, preprocess=salix.Preprocess((16, 16))
    )
    with pytest.raises(InputError, match="GradCAM needs the features of a trunk"):
        salix.sweep(*model, pictures, METHODS, metrics=[gini], out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
