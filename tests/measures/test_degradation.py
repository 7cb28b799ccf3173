"""Salience-guided degradation: the released recipe, planted models, controls of equal strength."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.data import astronaut
from skimage.metrics import structural_similarity

from salix.measures.conditions import roll_map
from salix.measures.degradation import CONDITIONS, PAPER_DEGRADATION, Degradation
from salix.measures.guided_blur import blur_levels
from salix.metrics import scale, to_8_bit
from salix.metrics.comparison import Similarity
from salix.perturb.blur_kernels import BASIS_ERROR
from salix.spec import parse
from salix.typing import Explainer, Explanation, InputError

rng = np.random.default_rng(0)
KEY = jax.random.key(3)
SIDE = 64
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PIXELS = rng.integers(0, 256, (SIDE, SIDE, 3)).astype(np.float32) / 255
# what the planted model looks at: the upper left quarter
QUARTER = np.zeros((4, 4), np.float32)
QUARTER[:2, :2] = 1


def blob(positions=7):
    """A map as a CAM is: positive in places, scaled by its range."""
    map = np.maximum(rng.normal(size=(positions, positions)), 0).astype(np.float32)
    return map / map.max()


def released(image, cam):
    """The published recipe on 8-bit arrays [h w c] and [h w], level by level."""
    smooth = gaussian_filter(cam, 5)
    z = np.around(smooth / (smooth.max() / 10), decimals=1)
    out = image.copy()
    for value in np.unique(z):
        b = round(10 - value, 1)
        if b > 0:
            for c in range(image.shape[2]):
                blurred = gaussian_filter(image[..., c], b**4 / 10**3)
                out[..., c][z == value] = blurred[z == value]
    return out


def explain(image, target):
    """Logits and map of a planted model: local contrast inside its quarter, for class 1."""
    image = jnp.asarray(image)
    rough = jnp.abs(jnp.diff(image, axis=0)[:, :-1]).mean(-1)
    smooth = jnp.pad(rough, ((0, 1), (0, 1))).reshape(4, SIDE // 4, 4, SIDE // 4).mean((1, 3))
    map = smooth * QUARTER
    logits = 10 * jnp.stack([jnp.float32(0.7), map.sum() / QUARTER.sum()])
    target = jnp.argmax(logits).astype(jnp.int32) if target is None else target
    return Explanation(logits, target, scale(map)[0])


MATCHED = Degradation(change=0.06)
UNMATCHED = Degradation(("background", "object"), change=None)


def normalised(pixels):
    return ((pixels - np.array(MEAN)) / np.array(STD)).astype(np.float32)


EXPLAINER = Explainer(explain, MEAN, STD)


def one(measure, image, key):
    return measure(EXPLAINER, image, EXPLAINER(image), key)


alone = jax.jit(one, static_argnums=0)  # one compilation a measure
degrade = jax.jit(lambda measure, *settings: measure.degrade(*settings), static_argnums=0)


def run(measure, pixels=PIXELS, key=KEY):
    result = alone(measure, normalised(pixels), key)
    return {
        name: dict(zip(measure.conditions, np.asarray(v), strict=True))
        for name, v in result.items()
    }


@pytest.mark.slow
def test_paper_images_are_the_released_ones():
    image = np.asarray(Image.fromarray(astronaut()).resize((224, 224)))
    image = np.clip(image + rng.normal(scale=2, size=image.shape), 0, 255).astype(np.uint8)
    map = blob()
    small = Image.fromarray(np.floor(255 * map).astype(np.uint8))
    cam = np.asarray(small.resize((224, 224), Image.Resampling.BICUBIC))
    conditions, change = degrade(PAPER_DEGRADATION, image.astype(np.float32) / 255, map, KEY)
    for result, moved, reference_mask in zip(conditions, change, (cam, 255 - cam), strict=True):
        expected = released(image, reference_mask).astype(float)
        wrong = np.abs(np.asarray(result) * 255 - expected)
        # SciPy loses a grey level an axis where all pixels under a kernel are equal
        assert wrong.max() <= 2 + 1e-3
        assert (wrong > 0.5).mean() < 5e-3
        assert moved * 255 == pytest.approx(np.abs(expected - image).mean(), rel=1e-2)


def test_paper_levels_are_the_released_ones():
    levels = jax.jit(
        partial(blur_levels, eight_bit=True), static_argnums=1, static_argnames="invert"
    )

    def check(map):
        small = Image.fromarray(np.floor(255 * map).astype(np.uint8))
        cam = np.asarray(small.resize((224, 224), Image.Resampling.BICUBIC))
        most = []
        for invert, grey in ((False, cam), (True, 255 - cam)):
            smooth = gaussian_filter(grey, 5)
            expected = 100 - np.rint(10 * np.around(smooth / (smooth.max() / 10), decimals=1))
            assert (np.asarray(levels(map, 224, invert=invert)) != expected).sum() <= 5
            most.append(int(smooth.max()))
        return most

    for _ in range(5):
        check(blob())
    # a maximum whose fractions fall half-way between two levels
    tall = [m for m in (blob() for _ in range(100)) if maximum(m) in (200, 216, 232, 240, 248)]
    assert [check(m) for m in tall[:3]]


def maximum(map):
    small = Image.fromarray(np.floor(255 * map).astype(np.uint8))
    return gaussian_filter(np.asarray(small.resize((224, 224), 3)), 5).max()


def test_in_floats_a_pixel_takes_the_blur_of_its_own_level():
    map = blob(4)
    conditions, change = degrade(UNMATCHED, PIXELS, map, KEY)
    grown = np.asarray(Image.fromarray(map).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    for result, moved, reference_mask in zip(conditions, change, (grown, 1 - grown), strict=True):
        smooth = gaussian_filter(np.clip(reference_mask, 0, 1).astype(float), 5)
        levels = 100 - np.rint(100 * smooth / smooth.max())
        expected, edge = PIXELS.astype(float).copy(), 100 * smooth / smooth.max()
        for level in np.unique(levels):
            for c in range(3):
                blurred = gaussian_filter(PIXELS[..., c].astype(float), (level / 10) ** 4 / 1000)
                expected[..., c][levels == level] = blurred[levels == level]
        clear = np.abs(edge % 1 - 0.5) > 1e-3  # not on the edge between two levels
        assert clear.mean() > 0.99
        np.testing.assert_allclose(np.asarray(result)[clear], expected[clear], atol=BASIS_ERROR)
        assert moved == pytest.approx(np.abs(expected - PIXELS).mean(), rel=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize("change", [0.005, 0.06])
def test_conditions_are_brought_to_the_same_change(change):
    measure = Degradation(change=change)
    for _ in range(3):
        conditions, result = degrade(measure, PIXELS, blob(), KEY)
        np.testing.assert_allclose(result, change, rtol=1e-3)
        true = np.abs(np.asarray(conditions) - PIXELS).mean((1, 2, 3))
        np.testing.assert_allclose(true, change, rtol=1e-3)
    _, unequal = degrade(UNMATCHED, PIXELS, blob(), KEY)
    assert unequal.max() > 3 * unequal.min()  # so that there was something to correct


@pytest.mark.slow
def test_a_change_beyond_reach_falls_short_and_says_so():
    flat = np.full_like(PIXELS, 0.5)
    flat[0, 0] = 0.6
    conditions, result = degrade(MATCHED, flat, blob(), KEY)
    assert (np.asarray(result) < 0.01).all()
    assert np.isfinite(conditions).all()


@pytest.mark.slow
def test_8_bit_conditions_of_equal_change_are_whole_grey_levels():
    measure = Degradation(change=0.05, eight_bit=True)
    conditions, result = degrade(measure, PIXELS, blob(), KEY)
    grey = np.asarray(conditions) * 255
    np.testing.assert_allclose(grey, np.round(grey), atol=1e-3)
    np.testing.assert_allclose(result, 0.05, rtol=0.05)


@pytest.mark.slow
def test_a_planted_model_is_hurt_where_it_looks_and_nowhere_else():
    result = run(MATCHED)
    probability, flip = result["degradation_probability"], result["degradation_flip"]
    clean = float(jax.nn.softmax(explain(normalised(PIXELS), None).logits)[1])
    assert clean > 0.95
    assert probability["background"] > clean - 0.05
    assert probability["object"] < clean - 0.5
    assert flip["background"] == 0
    assert flip["object"] == 1
    assert result["degradation_similarity_repredicted"]["background"] > 0.9


@pytest.mark.slow
def test_where_it_was_moved_to_matters_to_the_controls():
    draws = [run(MATCHED, key=jax.random.key(i))["degradation_probability"] for i in range(8)]
    objects, moved = ([d[condition] for d in draws] for condition in ("object", "object_moved"))
    assert np.ptp(objects) < 1e-3
    assert np.ptp(moved) > 0.02
    assert np.mean(moved) > np.mean(objects) + 0.4


@pytest.mark.slow
def test_paper_columns_are_the_released_measure():
    result = run(PAPER_DEGRADATION)
    assert set(result) == {q.name for q in PAPER_DEGRADATION.columns}
    clean = explain(normalised(PIXELS), None)
    conditions, _ = degrade(PAPER_DEGRADATION, PIXELS, clean.map, KEY)
    for condition, image in zip(PAPER_DEGRADATION.conditions, conditions, strict=True):
        smooth = explain(normalised(np.asarray(image)), None)
        big = [
            np.asarray(
                Image.fromarray(np.asarray(to_8_bit(m))).resize(
                    (SIDE, SIDE), Image.Resampling.BICUBIC
                )
            )
            for m in (smooth.map, clean.map)
        ]
        assert result["paper_degradation_similarity_repredicted"][condition] == pytest.approx(
            structural_similarity(*big), abs=0.02
        )
        assert result["paper_degradation_score"][condition] == pytest.approx(
            float(jax.nn.sigmoid(smooth.logits[1])), abs=1e-3
        )


def test_moving_keeps_values_and_reaches_every_place():
    map = np.arange(12, dtype=np.float32).reshape(3, 4)
    places = set()
    for i in range(200):
        moved = np.asarray(roll_map(map, jax.random.key(i)))
        row, column = np.argwhere(moved == 0)[0]
        np.testing.assert_array_equal(moved, np.roll(map, (row, column), (0, 1)))
        places.add((row, column))
    assert len(places) == 12


@pytest.mark.slow
def test_constant_map_maps_are_nan():
    flat = np.full_like(PIXELS, 0.3)
    result = run(MATCHED, flat)
    assert set(result) == {q.name for q in MATCHED.columns}
    assert all(np.isnan(v) for column in result.values() for v in column.values())


@pytest.mark.slow
def test_batches_are_loops_in_any_order():
    images = normalised(rng.uniform(size=(3, SIDE, SIDE, 3)))
    keys = jax.random.split(KEY, 3)
    batch = jax.jit(jax.vmap(partial(one, MATCHED)))
    order = np.array([2, 0, 1])
    together, turned = batch(images, keys), batch(images[order], keys[order])
    single = alone(MATCHED, images[1], keys[1])
    for name, column in together.items():
        np.testing.assert_allclose(np.asarray(column)[order], turned[name], atol=1e-5)
        np.testing.assert_allclose(column[1], single[name], rtol=1e-3, atol=1e-4)


def test_quantities_and_conditions():
    measure = Degradation(("object",), repredict=False, prefix="mine")
    names = {q.name for q in measure.columns}
    assert "mine_change" in names
    assert "mine_similarity_repredicted" not in names
    assert all(q.coordinates == ("object",) and q.axis == "condition" for q in measure.columns)
    assert Degradation().conditions == tuple(CONDITIONS)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"conditions": ()}, "background, object"),
        ({"conditions": ("sky",)}, "sky.*background, object"),
        ({"conditions": ("object", "object")}, "each once"),
        ({"change": 0.0}, r"change is 0\.0.*above 0"),
        ({"change": 1.5}, r"change is 1\.5"),
        ({"change": float("nan")}, "change is nan"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        Degradation(**settings)


def test_images_that_are_not_square_are_refused():
    with pytest.raises(InputError, match=r"\(64, 60, 3\) is not square"):
        Degradation().degrade(PIXELS[:, :60], blob(), KEY)
    with pytest.raises(InputError, match=r"\(70, 70\) cannot be enlarged"):
        Degradation().degrade(PIXELS, np.ones((70, 70), np.float32), KEY)


@pytest.mark.parametrize("measure", [Degradation(), PAPER_DEGRADATION, Degradation(("object",))])
def test_text_reads_back(measure):
    family = {"Degradation": Degradation, "Similarity": Similarity}
    assert parse(repr(measure), family) == measure
