"""Average drop, increase and ADCC against their formulas in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.metrics import adcc, average_drop, increase
from salix.typing import Explainer, Explanation, InputError

KEY = jax.random.key(0)
rng = np.random.default_rng(0)
IMAGE = rng.uniform(size=(4, 6, 2)).astype(np.float32)
MAP = rng.uniform(size=(4, 6)).astype(np.float32)
WEIGHTS = rng.normal(size=(3, IMAGE.size)).astype(np.float32)
BLACK = (-0.5, 0.25)


def probability(x, target=1):
    z = np.exp(WEIGHTS @ np.asarray(x, np.float64).ravel())
    return z[target] / z.sum()


def score(x):
    return jax.nn.softmax(WEIGHTS @ jnp.asarray(x).ravel())[1]


def masked(map, black=0.0):
    share = (map - map.min()) / (map.max() - map.min())
    black = np.broadcast_to(np.asarray(black), 2)
    return black + share[..., None] * (IMAGE - black)


@pytest.mark.parametrize("black", [0.0, BLACK])
@pytest.mark.parametrize("map", [MAP, 200 * MAP - 7, -MAP])
def test_drop_and_increase_are_those_of_numpy(map, black):
    before, after = probability(IMAGE), probability(masked(map, black))
    drop = max(0, before - after) / before
    assert float(average_drop(score, IMAGE, map, KEY, black=black)) == pytest.approx(drop, abs=1e-6)
    assert float(increase(score, IMAGE, map, KEY, black=black)) == float(after > before)


def test_either_the_score_rises_or_it_drops():
    share = (WEIGHTS[1].reshape(IMAGE.shape) * IMAGE).sum(-1)  # of the pixel in the logit
    rises = [float(increase(score, IMAGE, m, KEY)) for m in (share, -share, MAP)]
    drops = [float(average_drop(score, IMAGE, m, KEY)) for m in (share, -share, MAP)]
    assert {0.0, 1.0} == set(rises)
    assert [d == 0 for d in drops] == [r == 1 for r in rises]


def test_a_smaller_map_is_enlarged_linearly_and_a_larger_one_refused():
    small = MAP[:2, :3]
    large = jax.image.resize((small - small.min()) / np.ptp(small), (4, 6), "linear")
    x = np.asarray(large)[..., None] * IMAGE
    expected = max(0, 1 - probability(x) / probability(IMAGE))
    assert float(average_drop(score, IMAGE, small, KEY)) == pytest.approx(expected, abs=1e-6)
    with pytest.raises(InputError, match=r"map of shape \(8, 6\) does not fit.*\(4, 6\)"):
        average_drop(score, IMAGE, np.ones((8, 6), np.float32), KEY)


def explainer(map_of):
    def explain(image, target):
        z = WEIGHTS @ jnp.asarray(image).ravel()
        target = jnp.argmax(z).astype(jnp.int32) if target is None else target
        return Explanation(z, target, map_of(image))

    return Explainer(explain)


def contrast(image):
    """A map in [0, 1] that depends on the image."""
    m = jnp.abs(jnp.asarray(image) - 0.4).sum(-1)
    return (m - m.min()) / (m.max() - m.min())


@pytest.mark.parametrize("black", [0.0, BLACK])
def test_adcc_is_the_harmonic_mean_of_its_parts(black):
    map = np.asarray(contrast(IMAGE), np.float64)
    target = int(np.argmax(WEIGHTS @ IMAGE.ravel()))
    level = np.broadcast_to(np.asarray(black), 2)
    x = level + map[..., None] * (IMAGE - level)
    rho = np.corrcoef(map.ravel(), np.asarray(contrast(x)).ravel())[0, 1]
    drop = max(0, 1 - probability(x, target) / probability(IMAGE, target))
    parts = (1 + rho) / 2, 1 - map.mean(), 1 - drop
    value = float(adcc(explainer(contrast), IMAGE, KEY, black=black))
    assert value == pytest.approx(3 / sum(1 / p for p in parts), rel=1e-4)
    assert min(parts) - 1e-6 <= value <= max(parts)


def test_adcc_is_zero_where_a_part_is_and_nan_where_one_is_undefined():
    flips = lambda image: jnp.where((image == IMAGE).all(), MAP, 1 - MAP)  # noqa: E731
    assert float(adcc(explainer(flips), IMAGE, KEY)) == pytest.approx(0, abs=1e-5)
    for map_of in (lambda x: 0 * MAP, lambda x: np.nan * MAP):
        assert np.isnan(adcc(explainer(map_of), IMAGE, KEY))
    half = lambda image: jnp.where((image == IMAGE).all(), MAP, 0)  # noqa: E731
    assert np.isnan(adcc(explainer(half), IMAGE, KEY))


@pytest.mark.parametrize("metric", [average_drop, increase])
def test_a_map_that_ranks_nothing_is_nan(metric):
    for map in (0 * MAP, np.full_like(MAP, np.nan)):
        assert np.isnan(metric(score, IMAGE, map, KEY))
    with pytest.raises(InputError, match="black is nan"):
        metric(score, IMAGE, MAP, KEY, black=np.nan)
