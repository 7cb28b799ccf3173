"""The measure `Evaluation`: several methods by several metrics, against each one alone."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.adapters import from_function
from salix.attribution import METHODS, GradCAM, Gradient, InputXGradient, SmoothGrad
from salix.engine.model_explainer import ModelExplainer
from salix.measures import ARGUMENTS, MEASURES, Evaluation, Of
from salix.measures.method_text import method_text
from salix.measures.metric_text import metric_text, parse_metric
from salix.metrics import METRICS, MetricInfo, deletion, gini, insertion, iou, scale, to_8_bit
from salix.preprocess import Preprocess
from salix.spec import parse
from salix.typing import InputError, Measure

rng = np.random.default_rng(0)
KEY = jax.random.key(1)
SIDE = 16
IMAGE = rng.uniform(size=(SIDE, SIDE, 3)).astype(np.float32)
MASK = np.zeros((SIDE, SIDE), np.uint8)
MASK[:9, 4:] = 255
MODEL, PARAMS = from_function(
    lambda w, f: jnp.tanh(f).mean((0, 1)) @ w,
    jnp.asarray(rng.normal(size=(3, 2)), jnp.float32),
    trunk=lambda w, x: 3 * x.reshape(4, 4, 4, 4, 3).mean((1, 3)),
    preprocess=Preprocess((SIDE, SIDE)),
)


def constant(score, image, key):
    """A method whose maps are constant."""
    return jnp.ones_like(image)


def halved(explain, image, key):
    """Half the sum of the map."""
    return explain(image).map.sum() / 2


def explainer(method=None):
    return ModelExplainer(MODEL, PARAMS, method or Gradient(), key=KEY).explainer()


def clean(method=None):
    explained = explainer(method)(IMAGE)
    return replace(explained, reference_mask=MASK)


def measure(evaluation):
    return jax.jit(lambda c: evaluation(explainer(), IMAGE, c, KEY))(clean())


FEW = {"fractions": (0.0, 0.3, 1.0)}


@pytest.mark.slow
def test_each_method_has_the_value_of_the_metric_alone():
    methods, names = (GradCAM(), SmoothGrad(samples=2)), ("gini", "iou", "halved", "deletion")
    metrics = (Of(gini), Of(iou, threshold=0.5), Of(halved), Of(deletion, **FEW))
    keys = [jax.random.fold_in(KEY, i) for i in range(len(metrics))]

    @jax.jit
    def alone():
        """Return the values of every metric of each method by itself."""
        return [
            [metric(explainer(m), IMAGE, clean(m), key) for m in methods]
            for metric, key in zip(metrics, keys, strict=True)
        ]

    values = measure(Evaluation(methods, metrics))
    assert set(values) == {f"evaluation_{n}" for n in (*names, "deletion_values", "map")}
    for name, expected in zip(names, alone(), strict=True):
        single = [
            next(iter(v.values())) if len(v) == 1 else v["map_deletion_area"] for v in expected
        ]
        np.testing.assert_allclose(values[f"evaluation_{name}"], single, rtol=2e-5)
    curves = [v["map_deletion_values"] for v in expected]
    np.testing.assert_allclose(values["evaluation_deletion_values"], curves, rtol=2e-5)


@pytest.mark.slow
def test_a_metric_of_the_attribution_has_that_of_each_method(monkeypatch):
    """Methods of one shape and of another; the run's own attribution is that of one of them."""

    def total(score, image, map, key):
        return map.sum()

    info = MetricInfo(total, "Sum of the attribution", "", None, None, needs=("attribution",))
    monkeypatch.setitem(METRICS, "total", info)
    methods = (InputXGradient(), GradCAM(), Gradient())
    values = measure(Evaluation(methods, (total, gini), maps=None))["evaluation_total"]
    sums = [explainer(method)(IMAGE).attribution.sum() for method in methods]
    np.testing.assert_allclose(values, sums, rtol=1e-4)
    assert len({round(float(s), 4) for s in sums}) == 3


@pytest.mark.slow
def test_maps_are_stored_on_the_finest_grid():
    evaluation = Evaluation((Gradient(), GradCAM()), (gini,))
    stored = np.asarray(measure(evaluation)["evaluation_map"])
    assert (stored.shape, stored.dtype) == ((2, SIDE, SIDE), np.uint8)
    np.testing.assert_allclose(stored[0], to_8_bit(clean().map), atol=1)
    small = measure(Evaluation((Gradient(), GradCAM()), (gini,), maps="float32", side=8))
    assert small["evaluation_map"].shape == (2, 8, 8)
    coarse = measure(Evaluation((GradCAM(),), (gini,)))["evaluation_map"]
    np.testing.assert_allclose(coarse[0], to_8_bit(scale(clean(GradCAM()).map)[0]), atol=1)
    assert "evaluation_map" not in measure(Evaluation((Gradient(),), (gini,), maps=None))


def test_a_constant_map_is_nan_for_its_method_alone():
    values = measure(Evaluation((Gradient(), constant), (Of(gini), Of(insertion, **FEW))))
    for name in ("evaluation_gini", "evaluation_insertion", "evaluation_insertion_values"):
        assert np.isfinite(values[name][0]).all()
        assert np.isnan(values[name][1]).all()


def test_a_missing_reference_mask_is_nan():
    bare = explainer()(IMAGE)
    values = Evaluation((Gradient(),), (iou,))(explainer(), IMAGE, bare, KEY)
    assert np.isnan(values["evaluation_iou"]).all()


def test_columns_describe_the_values():
    evaluation = Evaluation((Gradient(), GradCAM(relu=False)), (gini, Of(deletion, **FEW)))
    columns = {c.name: c for c in evaluation.columns}
    values = measure(evaluation)
    assert columns.keys() == values.keys()
    for name, value in values.items():
        assert len(columns[name].dims) == value.ndim
        assert columns[name].dims[0] == "method"
    area, curve = columns["evaluation_deletion"], columns["evaluation_deletion_values"]
    assert (area.axis, area.coordinates) == ("method", ("Gradient()", "GradCAM(relu=False)"))
    assert (area.direction, area.low, area.high) == ("lower", 0, 1)
    assert "Petsiuk" in area.meaning
    assert (curve.axis, curve.coordinates) == ("share of pixels", FEW["fractions"])
    assert columns["evaluation_map"].dtype == "uint8"


@pytest.mark.parametrize(
    "text",
    [
        "Evaluation(methods=(Gradient(),), metrics=(Of(gini),), maps='uint8', side=64)",
        "Evaluation(methods=(Gradient(), SmoothGrad(method=GradCAM(relu=False, before_relu=False), "
        "samples=8, noise=0.15)), metrics=(Of(deletion, name='black', fill='black'), Of(iou)), "
        "maps=None, side=32)",
    ],
)
def test_text_reads_back(text):
    evaluation = parse(text, MEASURES, ARGUMENTS | METHODS)
    assert isinstance(evaluation, Measure)
    assert repr(evaluation).startswith(text[:26])
    assert parse(repr(evaluation), MEASURES, ARGUMENTS | METHODS) == evaluation
    for method in evaluation.methods:
        assert parse(method_text(method), METHODS) == method
    for metric in evaluation.metrics:
        assert parse_metric(metric_text(metric)) == metric


def test_texts_are_short():
    assert method_text(Gradient()) == "Gradient()"
    assert (
        method_text(SmoothGrad(GradCAM(), samples=8)) == "SmoothGrad(method=GradCAM(), samples=8)"
    )
    assert method_text(SmoothGrad()) == "SmoothGrad()"
    assert method_text(constant).endswith("test_evaluation.constant")
    assert metric_text(Of(gini)) == "gini"
    assert metric_text(parse_metric("deletion(fill='black')")) == "deletion(fill='black')"
    blocks = parse_metric("irof(partition=Grid(side=5))")
    assert parse_metric(metric_text(blocks)) == blocks
    assert Evaluation((Gradient(),), ("gini",)).metrics == (Of(gini),)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Evaluation((), (gini,)), r"methods is \(\): give a tuple of one or more methods"),
        (lambda: Evaluation((Gradient,), (gini,)), "methods has .*Gradient"),
        (lambda: Evaluation((Gradient(),), ()), r"metrics is \(\): give a tuple of one or more"),
        (lambda: Evaluation((Gradient(), Gradient()), (gini,)), r"Gradient\(\) twice"),
        (
            lambda: Evaluation((Gradient(),), ("deletion", "deletion(fill='black')")),
            r"both write the column evaluation_deletion: give one a name, as deletion\(name=",
        ),
        (lambda: Evaluation((Gradient(),), (gini, 3)), "metrics has 3: give a tuple"),
        (lambda: Evaluation((Gradient(),), (gini,), maps="png"), "maps is 'png'"),
        (lambda: Evaluation((Gradient(),), (gini,), side=0), "side is 0"),
        (lambda: parse_metric("deletoin"), "unknown 'deletoin': choose one of .*deletion"),
        (lambda: parse_metric("deletion(fil='black')"), "fil.*options are those of deletion"),
        (lambda: parse_metric("deletion('black')"), "too many positional.*it takes"),
        (lambda: parse_metric("deletion(order='best')"), "order is 'best': choose one of"),
        (
            lambda: measure(Evaluation((lambda s, i, k: i[0],), (gini,))),
            "has shape .* the image's axes",
        ),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
