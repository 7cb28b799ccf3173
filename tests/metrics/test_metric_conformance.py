"""What every metric of `METRICS` promises, on a model whose relevant pixels are known.

A metric is covered by its description alone.
"""

import inspect

import jax
import numpy as np
import pytest

from salix import metrics
from salix.measures import ARGUMENTS, MEASURES, Of
from salix.metrics import METRICS
from salix.spec import parse
from salix.typing import Passes
from tests.metrics import known_truth as known
from tests.metrics.conformance import (
    Evaluation,
    evaluation,
    few,
    names,
    random_maps,
    required,
    true_maps,
)

ALL = pytest.mark.parametrize("name", METRICS)
GROUPS = {
    "faithfulness", "robustness", "localisation", "complexity", "randomisation", "axiom",
    "similarity",
}  # fmt: skip
COUNTS = {"non_sensitivity"}  # whole numbers, which draws seldom change
NEEDS = {"reference mask", "trunk", "parameters", "attribution"}
# Pixels of an additive score are monotone in any order: see the metric's own tests.
WITHOUT_CONTROL = {"monotonicity"}


@ALL
def test_it_is_described(name):
    info = METRICS[name]
    assert getattr(metrics, name) is info.function
    assert name in metrics.__all__
    assert info.title
    assert info.source
    assert info.group in GROUPS
    assert info.direction in ("higher", "lower", "")
    assert info.low is None or info.high is None or info.low < info.high
    assert set(info.needs) <= NEEDS
    arity = required(info.function)
    assert arity in (1, 2, 3, 4)
    assert (info.passes is None) == (arity < 3)
    assert (info.score != "") == (arity == 4)
    keywords = {
        p.name
        for p in inspect.signature(info.function).parameters.values()
        if p.kind is p.KEYWORD_ONLY
    }
    assert {option for option, _ in info.options} <= keywords


@ALL
def test_its_text_reads_back_and_so_do_its_presets(name):
    presets = [{"preset": preset} for preset in METRICS[name].presets]
    for options in ({}, few(name), *presets):
        of = Of(METRICS[name].function, **options)
        again = parse(repr(of), MEASURES, ARGUMENTS)
        assert again == of
        assert repr(again) == repr(of)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "preset"), [(n, p) for n in METRICS for p in METRICS[n].presets if METRICS[n].presets]
)
def test_presets_are_callable(name, preset):
    one = Evaluation(name, preset=preset).one
    arguments = (known.PARAMS, known.IMAGES[0], true_maps()[0], np.bool_(True), known.KEYS[0])
    assert jax.eval_shape(one, *arguments).shape == ()


@pytest.mark.slow
@ALL
def test_it_is_a_number_in_its_range_at_its_stated_cost(name):
    metric, info = evaluation(name), METRICS[name]
    metric.passes()
    values = metric()
    passes = metric.passes()
    assert values.dtype == np.float32
    assert values.shape == (len(known.IMAGES),)
    assert np.isfinite(values).all()
    assert info.low is None or values.min() >= info.low - 1e-6
    assert info.high is None or values.max() <= info.high + 1e-6
    if info.passes is not None:
        stated = info.passes(metric.options, known.IMAGES[0].shape)
        assert passes == len(known.IMAGES) * stated
    else:
        assert passes == Passes()


@ALL
@pytest.mark.slow
def test_a_random_map_scores_worse_than_the_true_one(name):
    metric, direction = evaluation(name), METRICS[name].direction
    if not direction:
        pytest.skip("neither end of its range is better")
    if name in WITHOUT_CONTROL:
        pytest.skip("the known score does not tell maps apart")
    true, random = metric().mean(), metric(maps=random_maps(), true=False).mean()
    assert (true > random) if direction == "higher" else (true < random)


@ALL
def test_a_result_depends_on_its_own_image_and_key(name):
    metric = evaluation(name)
    values = metric()
    images, maps = known.IMAGES.copy(), true_maps().copy()
    images[1], maps[1] = np.nan, np.nan
    beside_nan = metric(images, maps)
    np.testing.assert_array_equal(beside_nan[[0, 2, 3]], values[[0, 2, 3]])
    assert np.isnan(beside_nan[1])
    order = [2, 0, 3, 1]
    moved = metric(known.IMAGES[order], true_maps()[order], keys=known.KEYS[np.array(order)])
    np.testing.assert_array_equal(moved, values[order])
    # A metric may be exact for the truth, whatever the key.
    if "samples" in metric.options and name not in COUNTS:
        values, other = (metric(maps=random_maps(), keys=k) for k in (known.KEYS, known.KEYS[::-1]))
        assert (other != values).any()


@pytest.mark.slow
@pytest.mark.parametrize("name", names(3, 4))
def test_eager_is_compiled(name):
    one = Evaluation(name).one
    arguments = (known.PARAMS, known.IMAGES[0], true_maps()[0], np.bool_(True), known.KEYS[0])
    np.testing.assert_allclose(one(*arguments), evaluation(name)()[0], rtol=1e-4, atol=1e-5)


NOISY = {"morf", "lerf", "aopc", "abpc", "road", "region_attack"}  # without "samples"


@pytest.mark.slow
@pytest.mark.parametrize("name", names(3, 4))
def test_float64_is_kept_and_closes_in_on_float32(name):
    with jax.enable_x64(True):
        metric = Evaluation(name)
        wide = [jax.tree.map(np.float64, x) for x in (known.PARAMS, known.IMAGES, true_maps())]
        flags = np.ones(len(known.IMAGES), bool)
        values = jax.jit(jax.vmap(metric.one, (None, 0, 0, 0, 0)))(*wide, flags, known.KEYS)
        assert values.dtype == np.float64
    single = evaluation(name)()
    np.testing.assert_array_equal(np.isfinite(values), np.isfinite(single))
    if "samples" not in metric.options and name not in NOISY:  # draws of two types differ
        np.testing.assert_allclose(values, single, rtol=1e-3, atol=1e-4)
