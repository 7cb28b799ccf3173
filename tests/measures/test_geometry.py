"""The measure `Geometry`: resilience of salience to geometric transformations."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from skimage.metrics import structural_similarity

from salix.measures.geometry import PAPER_GEOMETRY, TWELVE, Geometry
from salix.metrics import scale
from salix.metrics.comparison import Similarity
from salix.perturb.warps import rotation, scaling, valid_region, warp
from salix.spec import parse
from salix.typing import Explainer, Explanation, InputError

KEY = jax.random.key(0)
SIDE, GRID = 28, 7
FAMILY = {"Geometry": Geometry, "Similarity": Similarity}
rng = np.random.default_rng(0)
# In so few bits that sums are exact: the order of a sum must not move a map by a rounding.
KERNEL = np.array([[1, -0.5], [-0.5, 1], [0.25, 0.25]], np.float32)
IMAGE = rng.integers(0, 65, (SIDE, SIDE, 3)).astype(np.float32) / 64


def pooled(image, kernel, positions):
    """Return the class scores of the mean colour, and their maps of positions."""
    block = image.shape[0] // positions
    maps = (image @ kernel).reshape(positions, block, positions, block, 2).mean((1, 3))
    return maps.mean((0, 1)), maps


def follows(image, target, positions=GRID):
    """Explain by a model that moves its map as its image moves."""
    logits, maps = pooled(image, jnp.asarray(KERNEL), positions)
    target = jnp.argmax(logits).astype(jnp.int32) if target is None else target
    return Explanation(logits, target, scale(maps[..., target])[0])


def sees_pixels(image, target):
    """Explain with a map of pixels whose extremes stay far from the edge."""
    logits, _ = pooled(image, jnp.asarray(KERNEL), GRID)
    target = jnp.argmax(logits).astype(jnp.int32) if target is None else target
    return Explanation(logits, target, scale(image[..., 0])[0])


def sees_one_pixel(image, target):
    """Explain with a score that is a pixel of the image, and a map of all."""
    logits = image[9, 4, :2]
    return Explanation(logits, jnp.int32(0) if target is None else target, image[..., 0])


def place_bound(image, target):
    """Explain with a map of its own, whatever the image is."""
    logits, _ = pooled(image, jnp.asarray(KERNEL), GRID)
    own = scale(jnp.asarray(np.random.default_rng(1).uniform(size=(7, 7)).astype(np.float32)))[0]
    return Explanation(logits, jnp.int32(0) if target is None else target, own)


@cache
def compiled(geometry, function):
    explainer = Explainer(function)
    return jax.jit(lambda image: geometry(explainer, image, explainer(image), KEY))


def measure(geometry, function=follows, image=IMAGE):
    return {k: np.asarray(v) for k, v in compiled(geometry, function)(image).items()}


def slow_shift(x, dx, dy):
    pad = max(abs(dx), abs(dy))
    padded = np.pad(x, ((pad, pad), (pad, pad)) + ((0, 0),) * (x.ndim - 2), mode="edge")
    h, w = x.shape[:2]
    return padded[pad - dy : pad - dy + h, pad - dx : pad - dx + w]


STEPS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}


def direction(name):
    return np.sum([STEPS[part] for part in name.split("_")[1:]], 0)


def slow(function, name, step):
    """Return the released comparison, both maps 8-bit and enlarged, SSIM over the overlap."""

    def big(image):
        map = np.floor(np.asarray(function(jnp.asarray(image), None).map) * 255).astype(np.uint8)
        return np.asarray(Image.fromarray(map).resize((SIDE, SIDE), Image.Resampling.BICUBIC))

    clean = big(IMAGE)
    if name.startswith("shift"):
        dx, dy = direction(name) * step
        moved = big(slow_shift(IMAGE, dx, dy).copy())
        rows = slice(max(dy, 0), SIDE + min(dy, 0)), slice(max(-dy, 0), SIDE - max(dy, 0))
        columns = slice(max(dx, 0), SIDE + min(dx, 0)), slice(max(-dx, 0), SIDE - max(dx, 0))
        return structural_similarity(clean[rows[1], columns[1]], moved[rows[0], columns[0]])
    turn = {
        "flip_lr": np.fliplr,
        "flip_ud": np.flipud,
        "turn_clockwise": lambda x: np.rot90(x, -1),
        "turn_counterclockwise": np.rot90,
    }[name]
    return structural_similarity(turn(clean), big(turn(IMAGE).copy()))


@pytest.mark.slow
@pytest.mark.parametrize("function", [follows, place_bound])
def test_each_transform_is_the_released_comparison(function):
    result = measure(Geometry(shift=5), function)
    assert len(result["geometry_similarity"]) == len(TWELVE) == 12
    for name, value in zip(TWELVE, result["geometry_similarity_repredicted"], strict=True):
        # A turn is undone before the map is enlarged, columns first, and rounded to 8 bits.
        slack = 3e-3 if name.startswith("turn") else 1e-5
        assert value == pytest.approx(slow(function, name, 5), abs=slack)
    mean = result["geometry_similarity"].mean()
    assert result["geometry_mean"] == pytest.approx(mean, abs=1e-6)


def test_flips_and_turns_of_a_model_that_follows_are_exactly_alike():
    for result in (measure(Geometry(shift=5)), measure(Geometry(TWELVE[:4], upscaled=False))):
        np.testing.assert_allclose(result["geometry_similarity"][:4], 1, atol=1e-6)
        np.testing.assert_array_equal(result["geometry_flip"][:4], 0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ssim", "pearson", "spearman"])
def test_every_transform_of_a_map_of_pixels_that_follows_is_alike(kind):
    # Beside the overlap of a shift the replicated edge differs, and must not count.
    image = np.full((SIDE, SIDE, 3), 0.5, np.float32)
    image[9:18, 9:18, 0] = rng.uniform(0.2, 0.8, (3, 3)).repeat(3, 0).repeat(3, 1)
    image[10, 10, 0], image[15, 15, 0] = 0, 1
    image[:, 0, 0] = np.linspace(0.2, 0.8, SIDE)
    like = Similarity(kind, eight_bit=False)
    geometry = Geometry(TWELVE, (90, 30, -45), (1, 0.8, 1.25), 4, like, repredict=False)
    alike = measure(geometry, sees_pixels, image)["geometry_similarity"]
    np.testing.assert_allclose(alike[:12], 1, atol=1e-4)
    assert alike[12] == pytest.approx(1, abs=1e-3)
    assert alike[15] == pytest.approx(1, abs=1e-4)
    assert (alike > 0.4).all()  # bilinear twice, of single bright pixels
    bound = measure(geometry, place_bound, image)["geometry_similarity"]
    assert (bound[12:15] < 0.3).all()


def test_a_map_bound_to_its_place_is_compared_with_its_own_mirror():
    exact = Similarity(eight_bit=False)
    geometry = Geometry(("flip_lr", "turn_clockwise"), similarity=exact, upscaled=False)
    result = measure(geometry, place_bound)["geometry_similarity"]
    own = np.asarray(place_bound(IMAGE, None).map, np.float64)
    for value, back in zip(result, (np.fliplr(own), np.rot90(own)), strict=True):
        expected = structural_similarity(own, back, data_range=1)
        assert value == pytest.approx(expected, abs=1e-5)


def test_the_class_is_kept_or_free():
    kernel = jnp.asarray(KERNEL)

    def top(image, target):
        logits = (image[:4] @ kernel).mean((0, 1))
        target = jnp.argmax(logits).astype(jnp.int32) if target is None else target
        maps = (image @ kernel).reshape(7, 4, 7, 4, 2).mean((1, 3))
        return Explanation(logits, target, scale(maps[..., target])[0])

    image = IMAGE.copy()
    image[:4] += KERNEL[:, 0] / 2
    image[-4:] += KERNEL[:, 1] / 2
    result = measure(Geometry(("flip_lr", "flip_ud")), top, image)
    np.testing.assert_array_equal(result["geometry_flip"], [0, 1])
    np.testing.assert_allclose(result["geometry_similarity"], 1, atol=1e-6)
    assert result["geometry_similarity_repredicted"][1] < 0.9
    assert result["geometry_mean_repredicted"] < result["geometry_mean"]


def test_constant_map_maps_have_no_similarity():
    def blind(image, target):
        result = follows(image, target)
        brighter = image[0, 0].sum() > image[-1, 0].sum()
        return Explanation(result.logits, result.target, jnp.where(brighter, result.map, 0))

    image = IMAGE.copy()
    image[0, 0], image[-1, 0] = 1, 0
    image[0, -1], image[-1, -1] = 1, 0
    flips = Geometry(("flip_lr", "flip_ud"))
    result = measure(flips, blind, image)
    np.testing.assert_array_equal(result["geometry_constant_map"], [0, 1])
    np.testing.assert_array_equal(np.isnan(result["geometry_similarity"]), [False, True])
    assert result["geometry_mean"] == pytest.approx(1, abs=1e-6)
    none = measure(flips, blind, image[::-1].copy())  # the clean map is constant
    np.testing.assert_array_equal(none["geometry_constant_map"], [1, 0])
    assert np.isnan(none["geometry_similarity"]).all()
    assert np.isnan(none["geometry_mean"])


def test_shares_of_the_side_are_pixels():
    assert Geometry()._shift_pixels(224) == 16
    assert Geometry()._shift_pixels(299) == 21
    assert PAPER_GEOMETRY._shift_pixels(299) == 16
    assert Geometry(shift=7)._shift_pixels(28) == Geometry(shift=0.25)._shift_pixels(28) == 7


def test_each_transform_costs_one_pass_and_one_trace_of_each_kind():
    traced = []

    def counted(image, target):
        traced.append(target is None)
        jax.debug.callback(lambda: passes.append(1))
        return follows(image, target)

    passes = []
    measure(Geometry(repredict=False), counted)
    jax.effects_barrier()
    assert len(passes) == 1 + 12
    assert traced == [True, False]


@pytest.mark.slow
def test_vmap_is_a_loop():
    images = rng.uniform(size=(2, SIDE, SIDE, 3)).astype(np.float32)
    alone = compiled(Geometry(shift=5), follows)
    together = jax.vmap(alone)(images)
    for i, image in enumerate(images):
        for name, value in alone(image).items():
            np.testing.assert_allclose(together[name][i], value, atol=1e-5)


def test_quantities_are_the_columns():
    for geometry in (Geometry(angles=(10,), scales=(0.9,)), Geometry(repredict=False, prefix="x")):
        result = jax.eval_shape(compiled(geometry, follows), IMAGE)
        assert ("geometry_mean_repredicted" in result) == geometry.repredict
        assert {q.name for q in geometry.columns} == set(result)
        for quantity in geometry.columns:
            assert result[quantity.name].shape == (
                (len(quantity.coordinates),) if quantity.coordinates else ()
            )
    assert Geometry(angles=(10,), scales=(0.9,)).names[-2:] == ("rotate 10", "scale 0.9")


def test_an_image_that_is_not_square_can_be_flipped():
    def explain(image, target):
        map = scale(image[..., 0].reshape(7, 4, 5, 4).mean((1, 3)))[0]
        return Explanation(jnp.zeros(2), jnp.int32(0), map)

    oblong, flips = IMAGE[:, :20].copy(), ("flip_lr", "flip_ud")
    result = measure(Geometry(flips, upscaled=False), explain, oblong)
    np.testing.assert_allclose(result["geometry_similarity"], 1, atol=1e-6)
    with pytest.raises(InputError, match=r"28 x 20 .* square.*upscaled=False"):
        measure(Geometry(flips), explain, oblong)
    with pytest.raises(InputError, match="28 x 20"):
        measure(Geometry(("turn_clockwise",), upscaled=False), explain, oblong)
    with pytest.raises(InputError, match=r"map of shape \(7, 5\)"):
        measure(Geometry(("turn_clockwise",)), lambda i, t: explain(i[:, :20], t), IMAGE)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"transforms": ("flip",)}, "'flip': choose from flip_lr"),
        ({"transforms": ()}, "no transform"),
        ({"scales": (0,)}, "above 0"),
        ({"angles": (np.inf,)}, "finite degrees"),
        ({"shift": 0}, "shift is 0"),
        ({"shift": 1.5}, "whole pixels"),
        ({"upscaled": False}, "upscaled=True"),
        ({"transforms": (), "angles": (3,), "upscaled": False}, "upscaled=True"),
    ],
)
def test_what_cannot_be_done_is_refused(fields, text):
    with pytest.raises(InputError, match=text):
        Geometry(**fields)


@pytest.mark.parametrize(
    ("geometry", "image", "text"),
    [
        (Geometry(shift=22), IMAGE, "22 pixels.*28.*from 1 to 21"),
        (Geometry(shift=0.001), IMAGE, "0 pixels"),
        (Geometry(similarity=Similarity(side=64)), IMAGE, "64.*28.*side=None"),
        (Geometry(), IMAGE[..., 0], r"\(28, 28\).*\[h w c\]"),
    ],
)
def test_what_does_not_fit_the_image_is_refused(geometry, image, text):
    clean = Explanation(jnp.zeros(2), jnp.int32(0), jnp.zeros((7, 7)))
    with pytest.raises(InputError, match=text):
        geometry(lambda image: clean, image, clean, KEY)


@pytest.mark.parametrize(
    "geometry",
    [
        Geometry(),
        PAPER_GEOMETRY,
        Geometry(("flip_lr",), (10.0, -5), (0.5,), 8, Similarity("pearson"), upscaled=True),
    ],
)
def test_text_reads_back(geometry):
    assert parse(repr(geometry), FAMILY) == geometry


@pytest.mark.slow
def test_angles_and_scales_interpolate_beside_whole_transforms():
    geometry = Geometry(("flip_lr",), (15,), (1.25,), shift=4)
    result = measure(geometry, sees_one_pixel)
    moved = [IMAGE[:, ::-1], *(np.asarray(warp(IMAGE, p)) for p in (rotation(15), scaling(1.25)))]
    pixels = np.array([image[9, 4, 1] for image in moved])
    np.testing.assert_allclose(result["geometry_score"], 1 / (1 + np.exp(-pixels)), rtol=1e-5)
    like, clean = Similarity(), Similarity().prepare(IMAGE[..., 0])
    for i, back in enumerate((rotation(-15), scaling(1 / 1.25)), 1):
        restored = warp(like.prepare(moved[i][..., 0]).astype(np.float32), back)
        expected = like.compare_where(clean, restored, valid_region((SIDE, SIDE), back))
        assert result["geometry_similarity"][i] == pytest.approx(float(expected), abs=1e-3)
