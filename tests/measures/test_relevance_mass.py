"""The measure `RelevanceMass`: the reference mask on the map's grid."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.measures import ARGUMENTS, MEASURES, RelevanceMass
from salix.spec import parse
from salix.typing import Explanation, InputError

KEY = jax.random.key(0)
IMAGE = np.zeros((28, 28, 3), np.float32)
rng = np.random.default_rng(0)
MAP = rng.normal(size=(7, 7)).astype(np.float32)


def measure(map, reference_mask):
    def explain(image):
        raise AssertionError("one look is enough")

    clean = Explanation(jnp.zeros(2), jnp.int32(0), map, reference_mask)
    named = jax.jit(lambda clean: RelevanceMass()(explain, IMAGE, clean, KEY))(clean)
    assert list(named) == ["relevance_mass"]
    value = named["relevance_mass"]
    assert value.shape == ()
    return float(value)


def quarter(n, dtype: type = np.float32, one=1):
    reference_mask = np.zeros((n, n), dtype)
    reference_mask[: n // 2, : n // 2] = one
    return reference_mask


@pytest.mark.parametrize("reference_mask", [quarter(8), quarter(8, np.uint8, 255)])
def test_on_the_same_grid_it_is_the_plain_share(reference_mask):
    m = rng.normal(size=(8, 8)).astype(np.float32)
    expected = np.abs(m)[:4, :4].sum() / np.abs(m).sum()
    assert measure(m, reference_mask) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("n", [32, 64, 256])
def test_a_fine_reference_mask_is_averaged_onto_the_map(n):
    # a uniform map scores the mask's mean on any grid; a corner inside scores 1
    assert measure(np.ones((8, 8), np.float32), quarter(n)) == pytest.approx(0.25, abs=0.01)
    corner = np.zeros((8, 8), np.float32)
    corner[0, 0] = 5
    assert measure(corner, quarter(n)) == pytest.approx(1, abs=1e-5)
    assert measure(corner[::-1].copy(), quarter(n)) == pytest.approx(0, abs=1e-5)


def test_fine_stripes_average_to_grey_instead_of_being_sampled():
    # nine columns a pixel, so that the middle of every pixel falls on the middle of a stripe
    stripes = np.zeros((72, 72), np.float32)
    stripes[:, ::2] = 1
    for column in (3, 4):
        pixel = np.zeros((8, 8), np.float32)
        pixel[2, column] = 1
        assert measure(pixel, stripes) == pytest.approx(0.5, abs=0.02)


@pytest.mark.slow
def test_a_constant_reference_mask_is_its_value_and_volumes_work():
    assert measure(MAP, np.full((20, 31), 51, np.uint8)) == pytest.approx(0.2, abs=1e-6)
    volume = rng.uniform(size=(4, 5, 6)).astype(np.float32)
    assert measure(volume, np.full((8, 8, 8), 0.5, np.float32)) == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize(
    ("map", "reference_mask"),
    [
        (MAP, None),
        (MAP, np.zeros((14, 14), np.uint8)),
        (0 * MAP, quarter(14)),
        (MAP, np.full((14, 14), 2, np.float32)),
        (MAP, quarter(14, one=-1)),
        (np.full_like(MAP, np.nan), quarter(14)),
    ],
    ids=[
        "no reference mask",
        "empty reference mask",
        "constant map",
        "reference mask above 1",
        "reference mask below 0",
        "nan map",
    ],
)
def test_undefined_is_nan(map, reference_mask):
    assert np.isnan(measure(map, reference_mask))


def test_a_reference_mask_of_another_rank_is_refused():
    with pytest.raises(InputError, match=r"\(14, 14, 1\).*\(7, 7\)"):
        measure(MAP, np.ones((14, 14, 1), np.float32))


def test_vmap_is_a_loop():
    batch = rng.uniform(size=(3, 7, 7)).astype(np.float32)
    reference_masks = rng.uniform(size=(3, 14, 14)).astype(np.float32)

    def one(map, reference_mask):
        clean = Explanation(jnp.zeros(2), jnp.int32(0), map, reference_mask)
        return RelevanceMass()(lambda _: clean, IMAGE, clean, KEY)["relevance_mass"]

    together = jax.jit(jax.vmap(one))(batch, reference_masks)
    alone = [measure(m, g) for m, g in zip(batch, reference_masks, strict=True)]
    np.testing.assert_allclose(together, alone, rtol=1e-5)


@pytest.mark.parametrize("name", sorted(MEASURES.keys() - {"Of", "Evaluation"}))  # no defaults
def test_text_reads_back(name):
    default = MEASURES[name]()
    assert parse(repr(default), MEASURES, ARGUMENTS) == default
