"""The measure `Inside`: the guide on the map's grid."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.measures import MEASURES, Inside
from salix.spec import parse
from salix.typing import Explanation, InputError

KEY = jax.random.key(0)
IMAGE = np.zeros((28, 28, 3), np.float32)
rng = np.random.default_rng(0)
MAP = rng.normal(size=(7, 7)).astype(np.float32)


def measure(map, guide):
    def explain(image):
        raise AssertionError("one look is enough")

    clean = Explanation(jnp.zeros(2), jnp.int32(0), map, guide)
    named = jax.jit(lambda clean: Inside()(explain, IMAGE, clean, KEY))(clean)
    assert list(named) == ["inside"]
    value = named["inside"]
    assert value.shape == ()
    return float(value)


def quarter(n, dtype: type = np.float32, one=1):
    guide = np.zeros((n, n), dtype)
    guide[: n // 2, : n // 2] = one
    return guide


@pytest.mark.parametrize("guide", [quarter(8), quarter(8, np.uint8, 255)])
def test_on_the_same_grid_it_is_the_plain_share(guide):
    m = rng.normal(size=(8, 8)).astype(np.float32)
    expected = np.abs(m)[:4, :4].sum() / np.abs(m).sum()
    assert measure(m, guide) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("n", [32, 64, 256])
def test_a_fine_guide_is_averaged_onto_the_map(n):
    # a uniform map scores the guide's mean, whatever the grids; a corner far inside scores 1
    assert measure(np.ones((8, 8), np.float32), quarter(n)) == pytest.approx(0.25, abs=0.01)
    corner = np.zeros((8, 8), np.float32)
    corner[0, 0] = 5
    assert measure(corner, quarter(n)) == pytest.approx(1, abs=1e-5)
    assert measure(corner[::-1].copy(), quarter(n)) == pytest.approx(0, abs=1e-5)


def test_fine_stripes_average_to_grey_instead_of_being_sampled():
    # nine columns a cell, so that the middle of every cell falls on the middle of a stripe
    stripes = np.zeros((72, 72), np.float32)
    stripes[:, ::2] = 1
    for column in (3, 4):
        cell = np.zeros((8, 8), np.float32)
        cell[2, column] = 1
        assert measure(cell, stripes) == pytest.approx(0.5, abs=0.02)


def test_a_constant_guide_is_its_value_and_volumes_work():
    assert measure(MAP, np.full((20, 31), 51, np.uint8)) == pytest.approx(0.2, abs=1e-6)
    volume = rng.uniform(size=(4, 5, 6)).astype(np.float32)
    assert measure(volume, np.full((8, 8, 8), 0.5, np.float32)) == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize(
    ("map", "guide"),
    [
        (MAP, None),
        (MAP, np.zeros((14, 14), np.uint8)),
        (0 * MAP, quarter(14)),
        (MAP, np.full((14, 14), 2, np.float32)),
        (MAP, quarter(14, one=-1)),
        (np.full_like(MAP, np.nan), quarter(14)),
    ],
    ids=["no guide", "empty guide", "dead map", "guide above 1", "guide below 0", "nan map"],
)
def test_undefined_is_nan(map, guide):
    assert np.isnan(measure(map, guide))


def test_a_guide_of_another_rank_is_refused():
    with pytest.raises(InputError, match=r"\(14, 14, 1\).*\(7, 7\)"):
        measure(MAP, np.ones((14, 14, 1), np.float32))


def test_vmap_is_a_loop():
    batch = rng.uniform(size=(3, 7, 7)).astype(np.float32)
    guides = rng.uniform(size=(3, 14, 14)).astype(np.float32)

    def one(map, guide):
        clean = Explanation(jnp.zeros(2), jnp.int32(0), map, guide)
        return Inside()(lambda _: clean, IMAGE, clean, KEY)["inside"]

    together = jax.jit(jax.vmap(one))(batch, guides)
    alone = [measure(m, g) for m, g in zip(batch, guides, strict=True)]
    np.testing.assert_allclose(together, alone, rtol=1e-5)


@pytest.mark.parametrize("name", MEASURES)
def test_text_reads_back(name):
    default = MEASURES[name]()
    assert parse(repr(default), MEASURES) == default
