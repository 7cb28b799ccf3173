"""The measure `Of`: metrics of one map, of map and reference mask, and of the model."""

import functools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import salix
from salix.measures import ARGUMENTS, MEASURES, Curves, Of
from salix.metrics import METRICS, deletion, gini, iou, morf, pearson, sensitivity_n, ssim
from salix.metrics.resizing import resize_mask
from salix.perturb.partition import Grid
from salix.spec import parse
from salix.typing import Explainer, Explanation, InputError, Measure

KEY = jax.random.key(0)
rng = np.random.default_rng(0)
IMAGE = rng.uniform(size=(16, 16, 3)).astype(np.float32)
MASK = np.zeros((32, 32), np.uint8)
MASK[:20, 8:] = 255


def explain(image, target=None):
    """Two classes: brightness of the upper and of the lower half; the map is the image in grey."""
    grey = jnp.asarray(image).mean(-1)
    logits = 9 * jnp.stack([grey[:8].mean(), grey[8:].mean()])
    chosen = jnp.argmax(logits).astype(jnp.int32) if target is None else target
    grey = grey[::2, ::2]
    low, high = grey.min(), grey.max()
    return Explanation(logits, chosen, (grey - low) / jnp.where(high > low, high - low, 1), MASK)


def measure(measure, clean=None):
    clean = clean or explain(IMAGE)
    return jax.jit(lambda clean: measure(Explainer(explain), IMAGE, clean, KEY))(clean)


def peak_share(map):
    """Share of a map's mass in its strongest pixel. More detail."""
    return map.max() / map.sum()


def test_a_metric_of_the_map():
    map = explain(IMAGE).map
    values = measure(Of(gini))
    assert list(values) == ["map_gini"]
    assert float(values["map_gini"]) == pytest.approx(float(gini(map)), rel=1e-6)
    assert list(measure(Of(gini, name="sparseness"))) == ["sparseness"]
    bits = measure(Of(METRICS["spatial_entropy"].function, normalise=False))
    assert 1 < float(bits["map_spatial_entropy"]) <= 6


@pytest.mark.slow
def test_a_metric_of_map_and_reference_mask():
    map = explain(IMAGE).map
    mask = resize_mask(MASK, map)
    for metric, options in ((pearson, {}), (iou, {"threshold": 0.25}), (ssim, {"window": 3})):
        (value,) = measure(Of(metric, **options)).values()
        assert float(value) == pytest.approx(float(metric(map, mask, **options)), abs=1e-6)
    clean = explain(IMAGE)
    without = Explanation(clean.logits, clean.target, clean.map)
    assert np.isnan(measure(Of(iou), without)["map_iou"])


def test_a_metric_of_the_model_is_that_of_the_probability():
    values = measure(Of(deletion, fill="black"))
    assert set(values) == {"map_deletion_values", "map_deletion_area"}
    curves = measure(Curves(fill="black", conditions=("most",)))
    for name, peer in (("values", "probability"), ("area", "area")):
        expected = curves[f"deletion_most_{peer}"]
        np.testing.assert_allclose(values[f"map_deletion_{name}"], expected, rtol=1e-5)


@pytest.mark.slow
def test_a_metric_of_the_explained_score_has_the_attribution_as_it_is():
    weights = rng.normal(size=(16, 16, 3)).astype(np.float32)

    def linear(image, target=None):
        score = (jnp.asarray(image) * weights).sum()
        return Explanation(jnp.stack([score, 0 * score]), jnp.int32(0), MASK[::2, ::2] / 255)

    explainer, clean = Explainer(linear), linear(IMAGE)
    options = {"samples": 5, "fractions": (0.2, 0.5)}
    of = Of(sensitivity_n, **options)
    for attribution in (IMAGE * weights, (IMAGE * weights)[:8]):
        full = jax.image.resize(attribution.sum(-1), (16, 16), "linear")
        expected = sensitivity_n(lambda x: (x * weights).sum(), IMAGE, full, KEY, **options)
        values = of(explainer, IMAGE, replace(clean, attribution=attribution), KEY)
        np.testing.assert_allclose(values["map_sensitivity_n_values"], expected.values, atol=1e-5)
        exact = attribution.shape == IMAGE.shape
        assert (abs(float(values["map_sensitivity_n_area"]) - 1) < 1e-5) == exact
    without = of(explainer, IMAGE, clean, KEY)
    assert abs(float(without["map_sensitivity_n_area"])) < 0.99
    # black and white of the score are those of the model's pixels
    values = []
    for fill in ("black", (-2.0, -1.0, -0.5)):
        of = Of(morf, partition=Grid(2), fill=fill)
        normal = replace(explainer, mean=(0.5, 0.5, 0.25), std=(0.25, 0.5, 0.5))
        values.append(of(normal, IMAGE, clean, KEY)["map_morf_values"])
    np.testing.assert_allclose(*values, rtol=1e-5)


def test_a_constant_map_is_nan():
    clean = explain(IMAGE)
    for metric in (METRICS["histogram_entropy"].function, iou, deletion):
        for value in measure(
            Of(metric), Explanation(clean.logits, clean.target, 0 * clean.map, MASK)
        ).values():
            assert np.isnan(value).all()


OF_MAPS = ("gini", "histogram_entropy", "iou", "ssim", "deletion")


@pytest.mark.parametrize("name", OF_MAPS)
def test_a_metric_is_a_measure_by_text_and_is_described(name):
    of = parse(f"Of({name})", MEASURES, ARGUMENTS)
    assert of == Of(METRICS[name].function)
    assert isinstance(of, Measure)
    assert repr(of) == f"Of({name})"
    values = {column.name: column for column in of.columns}
    window = {"window": 3} if name == "ssim" else {}
    for column, value in measure(Of(of.metric, **window)).items():
        coordinates = values[column].coordinates
        is_curve = column.endswith("_values")
        assert np.ndim(value) == (1 if is_curve else 0)
        assert not coordinates or np.shape(value) == (len(coordinates),)
        assert METRICS[name].title in values[column].title
        assert METRICS[name].source in values[column].meaning
        low, high = values[column].low, values[column].high
        assert low is None or low <= np.min(value)
        assert high is None or np.max(value) <= high
    assert values.keys() == measure(Of(of.metric, **window)).keys()
    assert [c.direction for c in of.columns][-1] == METRICS[name].direction


@pytest.mark.parametrize(
    "text",
    [
        "Of(gini, name='sparseness')",
        "Of(iou, threshold=None)",
        "Of(irof, partition=Grid(side=5), fill=(0.0, 0.5, 1.0))",
        "Of(road, preset='pytorch_grad_cam', noise=0.02)",
        "Of(deletion, name='lerf', fractions=(0.0, 0.5, 1.0), order='least')",
    ],
)
def test_text_reads_back(text):
    of = parse(text, MEASURES, ARGUMENTS)
    assert repr(of) == text
    assert parse(repr(of), MEASURES, ARGUMENTS) == of
    assert hash(parse(text, MEASURES, ARGUMENTS)) == hash(of)


def test_another_order_has_no_better_direction():
    least = Of(deletion, order="least", fractions=(0.0, 1.0))
    assert [column.direction for column in least.columns] == ["", ""]
    assert least.columns[0].coordinates == (0.0, 1.0)
    assert "order='least'" in least.columns[0].title


def test_a_metric_of_a_user_is_described_by_its_docstring():
    (column,) = Of(peak_share).columns
    assert (column.name, column.title) == ("map_peak_share", "Peak share")
    assert "Share of a map's mass in its strongest pixel" in column.meaning
    assert (column.low, column.high, column.direction) == (None, None, "")
    assert float(measure(Of(peak_share))["map_peak_share"]) > 1 / 64
    assert repr(Of(peak_share)) == f"Of({peak_share.__module__}.peak_share)"
    assert list(measure(Of(functools.partial(peak_share), name="share"))) == ["share"]


def test_a_sweep_writes_the_columns(tiny, pictures, tmp_path):
    measures = (Of(gini), Of(peak_share))
    run = salix.sweep(*tiny, pictures, measures=measures, out=tmp_path / "run", batch_size=23)
    rows = run.rows
    alive = ~rows["constant_map"].astype(bool)
    np.testing.assert_allclose(rows["map_gini"][alive], rows["gini"][alive], rtol=1e-6)
    assert rows["map_peak_share"].shape == (23,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Of("gini"), "'gini' is not a metric: give a function, or one of histogram"),
        (lambda: Of(lambda a, b, c, d, e: 0), r"requires 5 arguments: give a metric\(map\)"),
        (lambda: Of(iou, treshold=1), r"treshold.*options are those of iou\(.*threshold"),
        (lambda: parse("Of(ginni)", MEASURES, ARGUMENTS), "unknown 'ginni'.*gini"),
        (lambda: parse("Of(gini())", MEASURES, ARGUMENTS), "gini is a function.*without brackets"),
        (lambda: parse("gini", MEASURES, ARGUMENTS), "unknown 'gini': choose one of Agreement"),
        (lambda: parse("Of", MEASURES, ARGUMENTS), "missing.*'metric'"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
