"""Curves over regions (MoRF, LeRF, selectivity, IROF): against slow NumPy, and laws."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.metrics import METRICS, abpc, aopc, irof, lerf, morf, selectivity
from salix.metrics.faithfulness.replacement import replacement_image
from salix.perturb.partition import Grid, Patches, Superpixels
from salix.typing import InputError, Passes, Score

rng = np.random.default_rng(0)
KEY = jax.random.key(0)
SPACE = (12, 12)
IMAGE = rng.uniform(0.5, 1, (*SPACE, 2)).astype(np.float32)
MAP = rng.normal(size=SPACE).astype(np.float32)
WEIGHTS = rng.normal(size=IMAGE.shape).astype(np.float32)


def linear_score(image):
    return (image * WEIGHTS).sum() / 10 + 2


def slow_curve(score, image, other, map, labels, *, least=False, steps=10**9, per_step=1):
    """Scores with one region after another replaced, in the order of the map's means."""
    names = np.unique(labels)
    means = np.array([map[labels == n].astype(float).mean() for n in names])
    order = np.argsort(means if least else -means, kind="stable")
    x, values = np.array(image, float), [score(image)]
    for k in range(0, min(len(names), steps * per_step), per_step):
        for name in names[order[k : k + per_step]]:
            x[labels == name] = np.asarray(other, float)[labels == name]
        values.append(score(x))
    return np.array(values, float)


def patches(side, space=SPACE):
    y, x = np.indices(space) // side
    return y * -(-space[1] // side) + x


@pytest.mark.slow
@pytest.mark.parametrize("least", [False, True])
def test_curves_are_those_of_slow_numpy(least):
    score = Score(lambda x: jnp.tanh(linear_score(x)), black=(-1.0, 0.0), white=(1.0, 3.0))
    metric = lerf if least else morf
    noise = replacement_image("uniform", score, IMAGE, KEY)
    assert (noise[..., 0].min() < -0.9) & (noise[..., 1].max() > 2.8)
    cases = (
        ({"partition": Patches(2), "per_step": 5, "steps": 6, "fill": (0.5, 2)}, 2, (0.5, 2)),
        ({"partition": Patches(5)}, 5, noise),
        ({"preset": "quantus", "partition": Patches(2), "steps": 7}, 2, IMAGE.min()),
    )
    for options, side, fill in cases[: 1 if least else 3]:
        expected = slow_curve(
            score,
            IMAGE,
            np.broadcast_to(fill, IMAGE.shape),
            MAP,
            patches(side),
            least=least,
            steps=options.get("steps", 100),
            per_step=options.get("per_step", 1),
        )
        curve = jax.jit(partial(metric, score, **options))(IMAGE, MAP, KEY)
        np.testing.assert_allclose(curve.values, expected, atol=1e-5)
        count = patches(side).max() + 1
        q = np.minimum(np.arange(len(expected)) * options.get("per_step", 1) / count, 1)
        np.testing.assert_allclose(curve.fractions, q, atol=1e-6)
        area = np.trapezoid(expected, q) / q[-1]
        assert curve.area == pytest.approx(area, abs=1e-5)
        assert METRICS["morf"].passes(options, IMAGE.shape) == Passes(len(expected))


def test_the_defaults_are_those_of_the_paper():
    image = rng.uniform(size=(98, 98, 1)).astype(np.float32)  # 121 regions
    map = rng.normal(size=(98, 98)).astype(np.float32)
    noise = replacement_image("uniform", jnp.sum, image, KEY)
    expected = slow_curve(np.sum, image, noise, map, patches(9, (98, 98)), steps=100)
    fall = jax.jit(partial(aopc, jnp.sum, chunk=16))(image, map, KEY)
    assert len(expected) == 101
    assert fall == pytest.approx((expected[0] - expected).mean(), rel=1e-4)
    assert METRICS["aopc"].passes({}, image.shape) == Passes(101)
    each = METRICS["morf"].passes({"preset": "pixel_flipping"}, (224, 224, 3))
    assert each == Passes(224**2 + 1)


def test_area_between_the_curves_turns_with_the_map():
    options = {"partition": Patches(3), "fill": 0.0}

    def areas(map):
        curves = [m(linear_score, IMAGE, map, KEY, **options) for m in (lerf, morf)]
        between = abpc(linear_score, IMAGE, map, KEY, **options)
        return between, curves[0].area - curves[1].area

    (a, b), difference = jax.jit(jax.vmap(areas))(np.stack([MAP, -MAP]))
    assert a == pytest.approx(float(difference[0]), abs=1e-6)
    assert a == pytest.approx(-float(b), abs=1e-6)
    assert abs(a) > 0.01


def test_selectivity_removes_all_and_irof_is_relative():
    labels = patches(8)
    expected = slow_curve(linear_score, IMAGE, 0 * IMAGE, MAP, labels)
    curve = jax.jit(partial(selectivity, linear_score))(IMAGE, MAP, KEY)
    np.testing.assert_allclose(curve.values, expected, atol=1e-6)
    assert curve.values[-1] == pytest.approx(2)
    assert METRICS["selectivity"].passes({}, (224, 224, 3)) == Passes(785)
    labels = np.asarray(Superpixels()(IMAGE))
    mean = np.broadcast_to(IMAGE.mean((0, 1)), IMAGE.shape)
    bound = Superpixels().count(IMAGE.shape)
    score = lambda x: 2 * linear_score(x)  # noqa: E731
    relative = slow_curve(score, IMAGE, mean, MAP, labels) / score(IMAGE)
    count = labels.max() + 1
    curve = jax.jit(partial(irof, score))(IMAGE, MAP, KEY)
    assert len(curve.values) == bound + 1
    np.testing.assert_allclose(curve.values[: count + 1], relative, atol=1e-5)
    np.testing.assert_allclose(curve.values[count:], relative[-1], atol=1e-5)  # none is left
    over = np.trapezoid(1 - relative) / count
    assert curve.area == pytest.approx(over, abs=1e-5)
    assert METRICS["irof"].passes({}, IMAGE.shape) == Passes(bound + 1)


def test_a_planted_region_is_all_that_a_score_loses():
    # a quarter of 16 regions hold the score: it falls to nothing while they leave
    labels = np.indices((8, 8))[0] // 2 * 4 + np.indices((8, 8))[1] // 2
    region = (labels < 4).astype(np.float32)
    image = np.ones((8, 8, 1), np.float32)

    @jax.jit
    def measure(image, map):
        score = lambda x: (x[..., 0] * region).mean() * 4  # noqa: E731
        options = {"partition": Grid(4), "fill": 0.0}
        return [m(score, image, map, KEY, **options) for m in (morf, lerf, abpc, irof)]

    most, least, between, over = measure(image, region)
    expected = np.maximum(1 - np.arange(17) / 4, 0)
    np.testing.assert_allclose(most.values, expected, atol=1e-6)
    areas = [most.area, least.area, between, over.area]
    np.testing.assert_allclose(areas, [1 / 8, 7 / 8, 6 / 8, 7 / 8], atol=1e-6)


@pytest.mark.slow
def test_batches_chunks_keys_and_ranks():
    options = {"partition": Patches(4), "fill": "uniform"}
    alone = jax.jit(partial(morf, linear_score, **options))
    maps = np.stack([MAP, -MAP, MAP.T])
    one = [alone(IMAGE, m, KEY).values for m in maps]
    many = jax.jit(jax.vmap(partial(morf, linear_score, chunk=4, **options), (None, 0, None)))
    np.testing.assert_allclose(many(IMAGE, maps, KEY).values, np.stack(one), atol=1e-6)
    assert np.array_equal(alone(IMAGE, MAP, KEY).values, one[0])
    assert not np.array_equal(alone(IMAGE, MAP, jax.random.key(1)).values, one[0])
    image = rng.uniform(size=(3, 4, 5, 2)).astype(np.float32)
    volume = jax.jit(partial(selectivity, jnp.sum, partition=Grid(2)))
    for half in (False, True):
        image = jnp.asarray(image, jnp.bfloat16 if half else jnp.float32)
        curve = volume(image, image.sum(-1), KEY)
        assert curve.values[0] == pytest.approx(float(image.sum()), rel=1e-5)
        assert curve.values[-1] == pytest.approx(0, abs=1e-6)
        assert curve.values.dtype == curve.area.dtype == jnp.float32


@pytest.mark.parametrize("metric", [morf, lerf, aopc, abpc, selectivity, irof])
def test_what_is_undefined_is_nan_and_what_is_unusable_refused(metric):
    for options, message in (
        ({"preset": "captum"}, "preset is 'captum': choose one of paper"),
        ({"fill": "grey"}, "fill is 'grey': choose one of blur.*kernel, or give a finite"),
        ({"fill": (1, 2, 3)}, "3 numbers and the image 2 channels"),
        ({"chunk": 0}, "chunk is 0"),
        ({"map": MAP[:, :5].repeat(4, 0)}, "does not fit an image"),
    ):
        map = options.pop("map", MAP)
        with pytest.raises(InputError, match=message):
            jax.eval_shape(
                partial(metric, linear_score, **{"partition": Grid(2), **options}), IMAGE, map, KEY
            )
    if metric in (aopc, irof):
        score = lambda x: 0 * x.sum()  # noqa: E731
        bad = np.stack([0 * MAP, np.where(MAP > 1, np.nan, MAP), MAP])
        batch = jax.jit(jax.vmap(partial(metric, score, partition=Grid(2)), (None, 0, None)))
        result = batch(IMAGE, bad, KEY)
        undefined = np.isnan(np.asarray(getattr(result, "area", result)))
        np.testing.assert_array_equal(undefined, [True, True, metric is irof])
