"""Monotonicity: against slow NumPy, scores that only one order keeps monotone, and laws."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.metrics import METRICS, monotonicity
from salix.perturb.partition import Grid, Patches
from salix.typing import InputError, Passes

rng = np.random.default_rng(0)
KEY = jax.random.key(0)
SPACE = (4, 6)
IMAGE = rng.uniform(0.5, 1, (*SPACE, 2)).astype(np.float32)
WEIGHTS = rng.normal(size=IMAGE.shape).astype(np.float32)


def gated(image):
    """Features in a row: each adds where its left neighbour is there, and costs where it is not."""
    there = image[..., 0] > 0.5
    ahead = jnp.concatenate([jnp.ones_like(there[:, :1]), there[:, :-1]], 1)
    return jnp.where(there, jnp.where(ahead, 1.0, -1.0), 0.0).sum()


def slow(score, image, other, map):
    """Whether pixels revealed in rising order never lower the score."""
    x, values = np.broadcast_to(np.float32(other), image.shape).copy(), []
    for i in np.argsort(map.ravel(), kind="stable"):
        x.reshape(-1, 2)[i] = image.reshape(-1, 2)[i]
        values.append(float(score(x)))
    return float((np.diff(values) >= 0).all())


@pytest.mark.slow
def test_it_is_that_of_slow_numpy():
    """A model of known truth: reading from the left is monotone, hardly any other order is."""
    rising = np.indices(SPACE)[1] + np.indices(SPACE)[0] / 9
    maps = [rising, -rising] + [rng.permutation(rising.ravel()).reshape(SPACE) for _ in range(6)]
    maps = np.stack(maps).astype(np.float32)
    metric = partial(monotonicity, gated, partition=Patches(1))
    values = jax.jit(jax.vmap(metric, (None, 0, None)))(IMAGE, maps, KEY)
    np.testing.assert_array_equal(values, [slow(gated, IMAGE, 0, m) for m in maps])
    assert values[0] == 1
    assert values[1:].mean() < 0.2  # random maps are worse than the true one
    signed = lambda x: (x * WEIGHTS).sum()  # noqa: E731
    products = (IMAGE * WEIGHTS).sum(-1)
    quantus = jax.jit(partial(monotonicity, signed, preset="quantus"))
    for map in (products, -products, np.abs(products)):
        assert quantus(IMAGE, map, KEY) == slow(signed, IMAGE, IMAGE.min(), map)


@pytest.mark.slow
def test_tolerance_costs_and_undefined_maps():
    dip = lambda x: x.sum() - 0.3 * jnp.where(x[0, 0, 0] > 0, 3.0, 0.0)  # noqa: E731
    map = np.zeros(SPACE, np.float32)
    map[0, 0] = 1  # revealed last, it lowers the score by at most 0.9
    for tolerance, expected in ((0.0, 0), (0.9, 1)):
        metric = partial(monotonicity, dip, partition=Patches(1), tolerance=tolerance)
        assert metric(0.1 * IMAGE, map, KEY) == expected
    flat = partial(monotonicity, lambda x: 0 * x.sum(), partition=Grid(2))
    assert flat(IMAGE, map, KEY) == 1  # equal scores are not lower
    batch = jax.jit(jax.vmap(partial(monotonicity, dip, partition=Grid(2)), (None, 0, None)))
    assert np.isnan(batch(IMAGE, np.stack([0 * map, np.where(map > 0, np.nan, map)]), KEY)).all()
    passes = METRICS["monotonicity"].passes
    assert passes({}, (224, 224, 3)) == Passes(196)
    assert passes({"preset": "quantus"}, (224, 224, 3)) == Passes(50176)
    for options, message in (
        ({"preset": "captum"}, "choose one of paper, quantus"),
        ({"tolerance": -1}, "tolerance is -1: give a number, 0 or more"),
    ):
        with pytest.raises(InputError, match=message):
            jax.eval_shape(partial(monotonicity, dip, **options), IMAGE, map, KEY)
