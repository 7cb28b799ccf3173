"""ROAD: the fill against SciPy's direct solver, curves against slow NumPy, presets and laws."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import spsolve

from salix.metrics import METRICS, road
from salix.perturb.inpainting import fill_from_neighbours
from salix.typing import InputError, Passes, Score

rng = np.random.default_rng(0)
KEY = jax.random.key(0)
IMAGE = rng.uniform(size=(23, 18, 3)).astype(np.float32)
MAP = rng.normal(size=IMAGE.shape[:2]).astype(np.float32)
WEIGHTS = rng.normal(size=IMAGE.shape).astype(np.float32) / 20
fill = jax.jit(fill_from_neighbours)


def solve_directly(image, removed):
    """The equations of the removed pixels, one row each, by a sparse direct solver."""
    height, width = removed.shape
    number = np.cumsum(removed).reshape(removed.shape) - 1
    entries, right = [], np.zeros((removed.sum(), image.shape[-1]))
    for y, x in np.argwhere(removed):
        row = number[y, x]
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                inside = 0 <= y + dy < height and 0 <= x + dx < width
                if (dy == dx == 0) or not inside:
                    continue
                weight = 1 / 12 if dy and dx else 1 / 6
                entries.append((row, row, weight))
                if removed[y + dy, x + dx]:
                    entries.append((row, number[y + dy, x + dx], -weight))
                else:
                    right[row] += weight * image[y + dy, x + dx]
    rows, columns, weights = zip(*entries, strict=True)
    matrix = coo_matrix((weights, (rows, columns))).tocsc()
    out = image.astype(float).copy()
    out[removed] = spsolve(matrix, right).reshape(-1, image.shape[-1])
    return out


@pytest.mark.slow
@pytest.mark.parametrize("smooth", [0, 3])
def test_the_fill_is_that_of_a_direct_solver(smooth):
    noise = rng.normal(size=IMAGE.shape[:2])
    grade = gaussian_filter(noise, smooth) if smooth else noise
    for share in (0.1, 0.5, 0.9, 0.99):
        removed = grade >= np.quantile(grade, 1 - share)
        expected = solve_directly(IMAGE, removed)
        np.testing.assert_allclose(fill(IMAGE, removed), expected, atol=2e-6)
        # an offset does no harm, and the kept pixels are kept to the bit
        np.testing.assert_allclose(fill(IMAGE + 50, removed), expected + 50, atol=3e-5)
        np.testing.assert_array_equal(np.asarray(fill(IMAGE, removed))[~removed], IMAGE[~removed])
    assert np.isnan(fill(IMAGE, np.ones_like(removed))).all()


@pytest.mark.slow
def test_wide_holes_of_a_photograph_are_filled_as_exactly():
    image = gaussian_filter(rng.uniform(size=(224, 224, 3)), (2, 2, 0)).astype(np.float32)
    image = (image - image.min()) / np.ptp(image)
    grade = gaussian_filter(rng.normal(size=(224, 224)), 12)
    for share in (0.5, 0.99):
        removed = grade >= np.quantile(grade, 1 - share)
        np.testing.assert_allclose(fill(image, removed), solve_directly(image, removed), atol=1e-5)


@pytest.mark.slow
def test_a_plane_is_continued():
    """Means of neighbours leave a plane unchanged: a hole inside it is filled by the plane."""
    y, x = np.indices(IMAGE.shape[:2]) / 10
    plane = np.stack([y, x - y, 2 * x], -1).astype(np.float32)
    hole = np.zeros(plane.shape[:2], bool)
    hole[4:19, 3:15] = True
    np.testing.assert_allclose(fill(np.where(hole[..., None], 7, plane), hole), plane, atol=2e-5)


@pytest.mark.slow
def test_curves_are_those_of_slow_numpy():
    score = Score(lambda x: (x * WEIGHTS).sum(), black=(-1.0,), white=(1.0, 1.0, 3.0))
    noise = 0.01 * np.asarray(jax.random.normal(KEY, IMAGE.shape)) * [2, 2, 4]
    fractions = (0.0, 0.1, 0.45, 0.9)

    @jax.jit
    def curves(image, map):
        call = partial(road, score, image, map, KEY, fractions=fractions, chunk=2)
        return call(), call(order="least"), call(preset="pytorch_grad_cam")

    most, least, combined = curves(IMAGE, MAP)
    for curve, order in ((most, np.argsort(-MAP.ravel())), (least, np.argsort(MAP.ravel()))):
        expected = []
        for q in fractions:
            removed = np.zeros(MAP.size, bool)
            removed[order[: round(q * MAP.size)]] = True
            removed = removed.reshape(MAP.shape)
            x = solve_directly(IMAGE, removed) if q else IMAGE
            expected.append(score(np.where(removed[..., None], x + noise, x)))
        np.testing.assert_allclose(curve.values, expected, atol=1e-5)
        area = np.trapezoid(expected, fractions) / 0.9
        assert curve.area == pytest.approx(area, abs=1e-5)
    np.testing.assert_allclose(combined.values, (least.values - most.values) / 2, atol=1e-6)


@pytest.mark.slow
def test_presets_costs_and_laws():
    passes = METRICS["road"].passes
    assert passes({}, IMAGE.shape) == Passes(9)
    assert passes({"preset": "quantus"}, IMAGE.shape) == Passes(50)
    assert passes({"preset": "pytorch_grad_cam"}, IMAGE.shape) == Passes(18)

    def combined(map, key):
        options = {"order": "combined", "fractions": (0.1, 0.4)}
        return road(lambda x: (x * WEIGHTS).sum(), IMAGE, map, key, **options).area

    maps = np.stack([MAP, -MAP, MAP, 0 * MAP, np.where(MAP > 1, np.nan, MAP)])
    keys = jnp.stack([KEY, KEY, jax.random.key(1), KEY, KEY])
    a, b, other, *undefined = np.asarray(jax.jit(jax.vmap(combined))(maps, keys))
    assert a == pytest.approx(-b, abs=1e-5)
    assert a != other
    assert np.isnan(undefined).all()


def test_unusable_input_is_refused():
    score = lambda x: x.sum()  # noqa: E731
    for options, message in (
        ({"preset": "captum"}, "preset is 'captum': choose one of paper, quantus, pytorch_gr"),
        ({"fractions": (0.5, 1.0)}, r"fractions has 1\.0.*rising, in \[0, 1\)"),
        ({"fractions": (0.5, 0.2)}, "rising"),
        ({"order": "random"}, "order is 'random': choose one of most, least, combined"),
        ({"noise": -1}, "noise is -1: give a number, 0 or more"),
    ):
        with pytest.raises(InputError, match=message):
            jax.eval_shape(partial(road, score, **options), IMAGE, MAP, KEY)
    with pytest.raises(InputError, match="height width channels"):
        jax.eval_shape(partial(road, score), IMAGE[0], MAP[0], KEY)
