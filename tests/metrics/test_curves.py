"""Deletion and insertion: against slow NumPy, and a linear score of which all is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import convolve, gaussian_filter, gaussian_filter1d

from salix.measures import Of
from salix.metrics import METRICS
from salix.metrics.faithfulness.curves import Curve, deletion, insertion, trapezoid_mean
from salix.metrics.faithfulness.ranking import order_pixels, rank_pixels
from salix.perturb.fills import fill_image
from salix.typing import InputError, Passes, Score

rng = np.random.default_rng(0)
KEY = jax.random.key(0)
SPACE = (8, 8)
IMAGE = rng.uniform(size=(*SPACE, 3)).astype(np.float32)
MAP = rng.normal(size=SPACE).astype(np.float32)
WEIGHTS = rng.normal(size=IMAGE.shape).astype(np.float32)
FRACTIONS = (0.0, 0.1, 0.25, 0.5, 0.8, 1.0)


def linear(image):
    return (image * WEIGHTS).sum()


def slow(before, after, map, fractions):
    """Scores of the linear model, pixel by pixel: the first of the map are taken from `after`."""
    order = np.argsort(-map.ravel(), kind="stable")
    values = []
    for q in fractions:
        x = np.array(before, float).reshape(-1, 3)
        first = order[: int(np.rint(q * map.size))]
        x[first] = np.asarray(after, float).reshape(-1, 3)[first]
        values.append((x.reshape(before.shape) * WEIGHTS).sum())
    return np.array(values)


@pytest.mark.parametrize(
    ("fill", "order"), [("blur", "most"), ("mean", "least"), ("black", "most"), ("noise", "most")]
)
def test_curves_are_those_of_slow_numpy(fill, order):
    other = fill_image(IMAGE, jax.random.split(KEY)[0], fill, black=0.25)
    map = MAP if order == "most" else -MAP
    for metric, ends in ((deletion, (IMAGE, other)), (insertion, (other, IMAGE))):
        curve = jax.jit(
            lambda i, m, k, metric=metric: metric(
                linear, i, m, k, fractions=FRACTIONS, fill=fill, order=order, black=0.25
            )
        )(IMAGE, MAP, KEY)
        expected = slow(*ends, map, FRACTIONS)
        np.testing.assert_allclose(curve.values, expected, atol=1e-4)
        assert curve.area == pytest.approx(np.trapezoid(expected, FRACTIONS), abs=1e-4)
        np.testing.assert_allclose(curve.fractions, FRACTIONS, rtol=1e-6)


@pytest.mark.slow
def test_a_planted_region_is_all_that_a_score_loses():
    # the score is the mean of a region of a quarter of the pixels, and the map marks the region
    region = np.zeros(SPACE, np.float32)
    region[:4, 4:] = 1
    score = Score(lambda x: (x.mean(-1) * region).sum() / region.sum())
    image = np.ones((*SPACE, 3), np.float32)
    fractions = tuple(i / 8 for i in range(9))
    q = np.array(fractions)
    grade = region + MAP * 1e-3
    for metric, order, expected in (
        (deletion, "most", np.maximum(1 - 4 * q, 0)),
        (deletion, "least", np.minimum(1, 4 - 4 * q)),
        (insertion, "most", np.minimum(1, 4 * q)),
        (insertion, "least", np.maximum(0, 4 * q - 3)),
    ):
        curve = metric(score, image, grade, KEY, fractions=fractions, fill="black", order=order)
        np.testing.assert_allclose(curve.values, expected, atol=1e-6)
    assert deletion(
        score, image, grade, KEY, fractions=fractions, fill="black"
    ).area == pytest.approx(1 / 8)
    part = deletion(score, image, grade, KEY, fractions=(0.25, 1.0), fill="black")
    assert part.area == pytest.approx(0, abs=1e-6)


def test_random_order_knows_nothing_of_the_map_and_falls_as_the_fractions():
    image = np.ones((64, 64, 1), np.float32)
    fractions = (0.1, 0.5, 0.9)

    def score(x):
        return x[:32].mean()

    for map in (
        np.zeros((64, 64), np.float32),
        np.arange(4096.0, dtype=np.float32).reshape(64, 64),
    ):
        curve = deletion(score, image, map, KEY, fractions=fractions, fill="black", order="random")
        np.testing.assert_allclose(curve.values, 1 - np.array(fractions), atol=0.03)
    other = deletion(
        score, image, map, jax.random.key(1), fractions=fractions, fill="black", order="random"
    )
    assert (np.asarray(other.values) != np.asarray(curve.values)).any()


maps = hnp.arrays(np.float32, (6, 7), elements=st.floats(-2, 2, width=16))


def slow_places(map):
    """Places by Python's sort: greatest value first, ties by the golden ratio."""
    flat = map.ravel().tolist()
    order = sorted(range(len(flat)), key=lambda i: (-flat[i], i * 2654435769 % 2**32))
    places = np.empty(len(flat), int)
    places[order] = np.arange(len(flat))
    return places.reshape(map.shape)


@settings(deadline=None, max_examples=40)
@given(maps)
def test_each_pixel_has_one_place_and_ties_a_stated_order(map):
    places = order_pixels(rank_pixels(map, map.shape, KEY, "most"))
    np.testing.assert_array_equal(places, slow_places(map))


def stepped(levels):
    """A map of 224 x 224 pixels with few values, as a ReLU, 8 bits or an enlarged grid make it."""
    return np.floor(np.random.default_rng(3).uniform(0, levels, (224, 224))).astype(np.float32)


@pytest.mark.parametrize(
    "map", [stepped(2), stepped(5), np.kron(stepped(9)[:7, :7], np.ones((32, 32), "f"))]
)
@pytest.mark.parametrize("curve", [deletion, insertion])
def test_tied_pixels_leave_in_the_exact_number(curve, map):
    fractions = (0, 0.013, 0.1, 0.5, 0.77, 0.9, 1)
    image = np.ones((224, 224, 1), np.float32)
    count = jax.jit(
        lambda m: curve(lambda x: x.sum(), image, m, KEY, fractions=fractions, fill="black")
    )
    removed = np.rint(np.array(fractions) * map.size)
    values = removed if curve is insertion else map.size - removed
    np.testing.assert_array_equal(count(map).values, values)


def test_ties_leave_evenly():
    map = np.zeros((224, 224), np.float32)
    map[:20] = 1
    places = np.asarray(order_pixels(rank_pixels(map, map.shape, KEY, "most")))
    for count in (0, 1000, 4480, 10000, 30000, 50176):
        chosen = places < count
        assert chosen.sum() == count
        rest = chosen[20:].reshape(6, 34, 224).mean((1, 2))  # six bands of the tied pixels
        np.testing.assert_allclose(rest, max(count - 4480, 0) / (204 * 224), atol=0.005)


def test_signs_zeros_and_tiny_values_are_in_order():
    values = np.array([-3, -1e-30, -0.0, 0.0, 1e-30, 0.5, 3e30], np.float32)
    most = np.asarray(rank_pixels(values, (7,), KEY, "most"))
    assert (np.diff(most) >= 0).all()
    assert most[2] == most[3]
    assert (np.delete(np.diff(most), 2) > 0).all()
    least = np.asarray(rank_pixels(values, (7,), KEY, "least"))
    np.testing.assert_array_equal(np.argsort(-least, kind="stable"), np.arange(7))


@pytest.mark.slow
def test_a_smaller_map_is_enlarged_linearly_and_any_rank_goes():
    coarse = rng.uniform(size=(4, 4)).astype(np.float32)
    fine = jax.image.resize(coarse, SPACE, "linear")
    a = deletion(linear, IMAGE, coarse, KEY, fractions=FRACTIONS)
    b = deletion(linear, IMAGE, fine, KEY, fractions=FRACTIONS)
    np.testing.assert_allclose(a.values, b.values, rtol=1e-6)
    for space in ((20,), (3, 4, 5)):
        image = rng.uniform(size=(*space, 2)).astype(np.float32)
        curve = deletion(jnp.sum, image, image.sum(-1), KEY, fractions=(0, 0.5, 1), fill="black")
        assert curve.values[0] == pytest.approx(image.sum(), rel=1e-5)
        assert curve.values[1] < image.sum() / 2
        assert curve.values[2] == pytest.approx(0, abs=1e-6)


@pytest.mark.slow
def test_fills():
    image = rng.uniform(size=(60, 40, 3)).astype(np.float32)
    np.testing.assert_allclose(fill_image(image, KEY, "mean")[5, 7], image.mean((0, 1)), rtol=1e-5)
    assert (np.asarray(fill_image(image, KEY, "black", black=(1.0, 2.0, 3.0))) == [1, 2, 3]).all()
    noise = np.asarray(fill_image(image, KEY, "noise"))
    np.testing.assert_allclose(noise.mean((0, 1)), image.mean((0, 1)), atol=0.03)
    np.testing.assert_allclose(noise.std((0, 1)), image.std((0, 1)), rtol=0.05)
    blurred = np.asarray(fill_image(image, KEY, "blur"))
    expected = image.astype(float)
    for axis in (0, 1):
        sigma = image.shape[axis] / 20
        weight = gaussian_filter1d(
            np.ones(image.shape[axis]), sigma, mode="constant", truncate=8
        )  # what lies beyond an edge has no weight
        blur = gaussian_filter1d(expected, sigma, axis, mode="constant", truncate=8)
        expected = np.moveaxis(np.moveaxis(blur, axis, -1) / weight, -1, axis)
    np.testing.assert_allclose(blurred, expected, atol=1e-5)
    for fill in ("blur", "mean", "noise"):  # units do not matter
        shifted = fill_image(3 * image - 1, KEY, fill)
        np.testing.assert_allclose(shifted, 3 * fill_image(image, KEY, fill) - 1, atol=1e-4)


def test_chunks_batches_and_jit_change_nothing():
    images, keys = np.stack([IMAGE, IMAGE[::-1], 1 - IMAGE]), jax.random.split(KEY, 3)
    masks = np.stack([MAP, -MAP, MAP.T])

    def of(chunk):
        return lambda i, m, k: deletion(linear, i, m, k, fractions=FRACTIONS, chunk=chunk)

    single = jax.jit(of(1))
    one = [single(i, m, k).values for i, m, k in zip(images, masks, keys, strict=True)]
    for chunk in (1, 4, 50):
        result = jax.jit(jax.vmap(of(chunk)))(images, masks, keys)
        assert isinstance(result, Curve)
        np.testing.assert_allclose(result.values, np.stack(one), atol=1e-4)
    turned = jax.jit(jax.vmap(of(1)))(images[::-1], masks[::-1], keys[::-1])
    np.testing.assert_allclose(turned.values[::-1], np.stack(one), atol=1e-4)


def test_steps_are_scanned():
    def size(steps):
        q = tuple(np.linspace(0, 1, steps).tolist())
        return len(str(jax.make_jaxpr(lambda i: deletion(linear, i, MAP, KEY, fractions=q))(IMAGE)))

    assert size(200) < 1.2 * size(5)


@pytest.mark.parametrize("bad", [0 * MAP, np.full_like(MAP, 2), np.where(MAP > 1, np.nan, MAP)])
def test_a_map_that_ranks_nothing_is_nan(bad):
    for metric in (deletion, insertion):
        curve = metric(linear, IMAGE, bad, KEY, fractions=FRACTIONS)
        assert np.isnan(curve.values).all()
        assert np.isnan(curve.area)
        assert np.isfinite(
            metric(linear, IMAGE, bad, KEY, fractions=FRACTIONS, order="random").area
        )


def test_area_is_the_trapezoid_over_the_range():
    values = rng.uniform(size=4).astype(np.float32)
    q = (0.1, 0.2, 0.5, 0.9)
    assert trapezoid_mean(values, q) == pytest.approx(np.trapezoid(values, q) / 0.8, rel=1e-5)
    assert trapezoid_mean(np.full(4, 3, np.float32), q) == pytest.approx(3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"fractions": (0.5,)}, r"\(0\.5,\).*two or more"),
        ({"fractions": (0.5, 0.5)}, "rising"),
        ({"fractions": (0, 1.5)}, r"1\.5.*\[0, 1\]"),
        ({"fractions": (0, float("nan"))}, "nan"),
        ({"fill": "white"}, "white.*blur, mean, black, noise, kernel"),
        ({"preset": "paper"}, "preset is 'paper': choose one of default, rise, xplique for del"),
        ({"order": "best"}, "best.*most, least, random"),
        ({"chunk": 0}, "chunk is 0"),
        ({"map": np.ones((9, 8), np.float32)}, r"\(9, 8\) does not fit.*\(8, 8\)"),
        ({"map": np.ones(8, np.float32)}, r"\(8,\) does not fit"),
    ],
)
def test_bad_input_is_refused(given, message):
    given = {"map": MAP} | given
    with pytest.raises(InputError, match=message):
        deletion(linear, IMAGE, given.pop("map"), KEY, **given)


def test_presets_are_the_published_procedures():
    """Deletion and insertion as released: a row of pixels a step, zeros, and a flat blur."""
    space = (224, 224)
    image = rng.normal(size=(*space, 1)).astype(np.float32)
    map = rng.permutation(224**2).reshape(space).astype(np.float32)
    order = np.argsort(-map.ravel())
    impulse = np.zeros((11, 11))
    impulse[5, 5] = 1
    kernel = gaussian_filter(impulse, 5)
    start = convolve(image[..., 0], kernel, mode="constant")
    weight = rng.normal(size=(*space, 1)).astype(np.float32) / 224

    def score(x):
        return (x * weight).sum()

    for metric, before, after in (
        (deletion, image[..., 0], np.zeros(space)),
        (insertion, start, image[..., 0]),
    ):
        x, values = before.astype(float).ravel(), []
        for i in range(225):  # 224 pixels a step
            values.append((x.reshape(space) * weight[..., 0]).sum())
            x[order[224 * i : 224 * (i + 1)]] = after.ravel()[order[224 * i : 224 * (i + 1)]]
        curve = jax.jit(lambda i, m, k, f=metric: f(score, i, m, k, preset="rise", chunk=25))(
            image, map, KEY
        )
        np.testing.assert_allclose(curve.values, values, atol=2e-4)
        area = (sum(values) - (values[0] + values[-1]) / 2) / (len(values) - 1)
        assert curve.area == pytest.approx(area, abs=2e-4)
        info = METRICS[metric.__name__]
        assert info.passes({"preset": "rise"}, image.shape) == Passes(evaluations=225)
        assert info.passes({}, image.shape) == Passes(evaluations=11)


def test_a_preset_is_its_options_and_options_override_it():
    for metric in (deletion, insertion):
        default = metric(linear, IMAGE, MAP, KEY)
        explicit = metric(
            linear, IMAGE, MAP, KEY, fractions=tuple(i / 10 for i in range(11)), fill="blur"
        )
        np.testing.assert_array_equal(default.values, explicit.values)
        peer = metric(linear, IMAGE, MAP, KEY, preset="xplique")
        black = metric(linear, IMAGE, MAP, KEY, fill="black")
        np.testing.assert_array_equal(peer.values, black.values)
        few = metric(linear, IMAGE, MAP, KEY, preset="rise", fractions=(0, 1), fill="mean")
        ends = metric(linear, IMAGE, MAP, KEY, fractions=(0, 1), fill="mean")
        np.testing.assert_array_equal(few.values, ends.values)
    column = Of(deletion, preset="rise").columns[0]
    assert column.coordinates == tuple(i / 224 for i in range(225))
