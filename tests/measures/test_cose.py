"""The measure `COSE` and the scores that its rows and the labels of the images give."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from scipy.ndimage import affine_transform, binary_erosion
from skimage.metrics import structural_similarity

from salix.analysis.cose import MeanOf, consistency, cose_score, cose_scores, fidelity
from salix.measures.cose import COSE, GEOMETRIC, PHOTOMETRIC
from salix.metrics import scale
from salix.metrics.comparison import Similarity
from salix.spec import parse
from salix.typing import Explainer, Explanation, InputError

KEY = jax.random.key(3)
SIDE, GRID = 56, 8
rng = np.random.default_rng(0)
KERNEL = np.array([[1, -0.5], [-0.5, 1], [0.25, 0.25]], np.float32)
PIXELS = rng.integers(0, 256, (GRID, GRID, 3), np.uint8).repeat(7, 0).repeat(7, 1)
PIXELS[::3] //= 2
IMAGE = PIXELS.astype(np.float32) / 255
FEW = COSE(magnitudes=2)


def follows(image, target):
    """Explain the class predicted, by its mean score in each pixel."""
    maps = (image @ jnp.asarray(KERNEL)).reshape(GRID, 7, GRID, 7, 2).mean((1, 3))
    logits = maps.mean((0, 1))
    target = jnp.argmax(logits).astype(jnp.int32) if target is None else target
    return Explanation(logits, target, scale(maps[..., target])[0])


def place_bound(image, target):
    """Explain with one map, whatever the image is."""
    own = np.random.default_rng(1).uniform(size=(GRID, GRID)).astype(np.float32)
    return Explanation(follows(image, target).logits, jnp.int32(0), scale(jnp.asarray(own))[0])


def normalised(image, target):
    """Explain an image that was normalised by mean 0.4 and standard deviation 0.2."""
    return follows(image * 0.2 + 0.4, target)


@cache
def compiled(measure, function, mean=(0.0,), std=(1.0,)):
    explainer = Explainer(function, mean, std)
    return jax.jit(lambda image, key: measure(explainer, image, explainer(image), key))


def run(measure=FEW, function=follows, image=IMAGE, key=KEY):
    return {k: np.asarray(v) for k, v in compiled(measure, function)(image, key).items()}


def changed(name, magnitude):
    """Return the changed picture by Pillow."""
    image = Image.fromarray(PIXELS)
    pixels = int(magnitude * SIDE / 224)
    affine = Image.Transform.AFFINE
    return np.asarray(
        {
            "TranslateX": lambda: image.transform(image.size, affine, (1, 0, -pixels, 0, 1, 0)),
            "TranslateY": lambda: image.transform(image.size, affine, (1, 0, 0, 0, 1, -pixels)),
            "Rotate": lambda: image.rotate(magnitude),
            "FlipLR": lambda: ImageOps.mirror(image),
            "FlipUD": lambda: ImageOps.flip(image),
            "AutoContrast": lambda: ImageOps.autocontrast(image),
            "Equalize": lambda: ImageOps.equalize(image),
            "Blur": lambda: image.filter(ImageFilter.BLUR),
            "Smooth": lambda: image.filter(ImageFilter.SMOOTH),
        }.get(name, lambda: getattr(ImageEnhance, name)(image).enhance(1 + magnitude))()
    )


def slow(name, magnitude, function):
    """Return similarity and prediction by Pillow, SciPy and scikit-image."""
    result = [
        function(jnp.asarray(p / 255, jnp.float32), None)
        for p in (PIXELS, changed(name, magnitude))
    ]
    big = (SIDE, SIDE), Image.Resampling.BICUBIC
    a, b = (np.clip(Image.fromarray(np.asarray(f.map)).resize(*big), 0, 1) for f in result)
    widest = max(np.ptp(a), np.ptp(b))
    matrix, offset, pixels = np.eye(2), np.zeros(2), int(magnitude * SIDE / 224)
    if name == "Rotate":  # the map is turned back
        cos, sin = np.cos(np.radians(magnitude)), np.sin(np.radians(magnitude))
        matrix = np.array([[cos, -sin], [sin, cos]])
    elif name in ("FlipLR", "FlipUD"):
        matrix = np.diag([1, -1] if name == "FlipLR" else [-1, 1])
    elif name.startswith("Translate"):
        offset[int(name == "TranslateX")] = pixels
    offset = offset + 27.5 - matrix @ np.full(2, 27.5)
    inside = affine_transform(np.ones((SIDE, SIDE)), matrix, offset, order=1) > 0.999
    back = affine_transform(b, matrix, offset, order=1, mode="nearest")
    _, full = structural_similarity(a, back, win_size=5, data_range=widest, full=True)
    complete = binary_erosion(inside, np.ones((5, 5)))
    return full[complete].mean(), int(result[1].logits.argmax())


@pytest.mark.slow
@pytest.mark.parametrize("function", [follows, place_bound])
def test_each_variant_is_that_of_pillow_scipy_and_scikit_image(function):
    result = run(function=function)
    assert FEW.variants[:4] == ("TranslateX", "TranslateX", "TranslateY", "TranslateY")
    assert len(FEW.variants) == len(result["cose_similarity"]) == 7 * 2 + 6
    for i, name in enumerate(FEW.variants):
        similarity, predicted = slow(name, float(result["cose_magnitude"][i]), function)
        assert result["cose_similarity"][i] == pytest.approx(similarity, abs=2e-5), name
        assert result["cose_predicted"][i] == predicted
    np.testing.assert_array_equal(result["cose_constant_map"], 0)


@pytest.mark.slow
def test_a_map_that_follows_is_alike_and_one_that_stays_is_so_only_under_light():
    follow, stay = run(), run(function=place_bound)
    name, stays = np.array(FEW.variants), stay["cose_similarity"]
    np.testing.assert_allclose(
        follow["cose_similarity"][np.char.startswith(name, "Flip")], 1, atol=1e-3
    )
    np.testing.assert_allclose(stays[np.isin(name, PHOTOMETRIC)], 1, atol=1e-5)
    assert (stays[np.isin(name, GEOMETRIC)] < 0.95).all()  # a shift may be one pixel


@pytest.mark.slow
def test_magnitudes_are_drawn_of_the_key_without_repetition():
    every = run(COSE(("Brightness",), magnitudes=60))["cose_magnitude"]
    bins = np.linspace(0, 0.99, 31)[1:]
    np.testing.assert_allclose(np.sort(every), np.sort(np.r_[bins, -bins]), atol=1e-6)
    result = run()["cose_magnitude"]
    np.testing.assert_array_equal(result, run(function=place_bound)["cose_magnitude"])
    other = run(key=jax.random.key(4))["cose_magnitude"]
    assert (result != other).sum() > 8
    bright = np.array(FEW.variants) == "Brightness"
    np.testing.assert_allclose(result[bright], every[:2])  # beside others it is the same draw
    assert (result[-6:] == 0).sum() == 4  # Sharpness has a range, what follows has none


@pytest.mark.slow
def test_normalised_images_are_changed_as_values_of_a_file():
    few = COSE(("Brightness", "Rotate"), magnitudes=1)
    plain = run(few)
    image = (IMAGE - np.float32(0.4)) / np.float32(0.2)
    result = compiled(few, normalised, (0.4,), (0.2,))(image, KEY)
    for name, value in result.items():
        np.testing.assert_allclose(value, plain[name], atol=1e-3)


def test_constant_map_maps_have_no_similarity():
    def blind(image, target):
        result = follows(image, target)
        bright = image[0, 0].sum() >= image[0, -1].sum()
        return Explanation(result.logits, result.target, jnp.where(bright, result.map, 0))

    image = IMAGE.copy()
    image[0, 0], image[0, -1] = 1, 0
    result = run(COSE(("FlipLR", "FlipUD", "Equalize")), blind, image)
    flat = np.array([1, 0, 0]) if image[-1, 0].sum() >= image[-1, -1].sum() else np.array([1, 1, 0])
    np.testing.assert_array_equal(result["cose_constant_map"], flat)
    np.testing.assert_array_equal(np.isnan(result["cose_similarity"]), flat == 1)
    none = run(COSE(("FlipLR", "FlipUD", "Equalize")), blind, image[:, ::-1].copy())
    assert np.isnan(none["cose_similarity"]).all()


@pytest.mark.slow
def test_vmap_is_a_loop_and_the_choice_of_a_change_stays_a_choice():
    images = np.stack([IMAGE, IMAGE[::-1]])
    keys = jax.random.split(KEY, 2)
    alone = compiled(FEW, follows)
    together = jax.jit(jax.vmap(alone)).lower(images, keys).compile()
    assert " conditional(" in together.as_text()
    for i in range(2):
        for name, value in alone(images[i], keys[i]).items():
            np.testing.assert_allclose(together(images, keys)[name][i], value, atol=1e-4)


@pytest.mark.slow
def test_each_variant_costs_one_pass():
    passes, traced = [], []

    def counted(image, target):
        traced.append(target)
        jax.debug.callback(lambda: passes.append(1))
        return follows(image, target)

    run(COSE(("FlipLR", "Blur", "Color"), magnitudes=3), counted)
    jax.effects_barrier()
    assert len(passes) == 1 + 5
    assert traced == [None, None]


def test_quantities_are_the_columns():
    result = jax.eval_shape(compiled(FEW, follows), IMAGE, KEY)
    assert {q.name for q in FEW.columns} == set(result)
    assert all(result[q.name].shape == (len(q.coordinates),) for q in FEW.columns)
    assert FEW.columns[0].coordinates[1:8:6] == ("TranslateX 2", "FlipUD")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"transforms": ("Shear",)}, "'Shear': choose from TranslateX"),
        ({"transforms": ()}, r"\(\): choose from TranslateX"),
        ({"magnitudes": 0}, "from 1 to 60"),
        ({"magnitudes": 61}, "from 1 to 60"),
        ({"window": 1}, "at least 2"),
    ],
)
def test_what_cannot_be_done_is_refused(fields, text):
    with pytest.raises(InputError, match=text):
        COSE(**fields)


@pytest.mark.parametrize(
    ("image", "pixels", "text"),
    [
        (IMAGE[:50], (8, 8), r"\(50, 56, 3\).*square"),
        (IMAGE[..., :2], (8, 8), "1 or 3 channels"),
        (IMAGE[:4, :4], (4, 4), "windows of 5"),
        (IMAGE, (64, 64), r"\(64, 64\)"),
        (IMAGE, (8, 8, 8), r"\(8, 8, 8\)"),
    ],
)
def test_what_does_not_fit_is_refused(image, pixels, text):
    clean = Explanation(jnp.zeros(2), jnp.int32(0), jnp.zeros(pixels))
    with pytest.raises(InputError, match=text):
        FEW(lambda image: clean, image, clean, KEY)


@pytest.mark.parametrize("measure", [COSE(), COSE(("Rotate", "Blur"), 3, 7)])
def test_text_reads_back(measure):
    assert parse(repr(measure), {"COSE": COSE, "Similarity": Similarity}) == measure


NAN = float("nan")
VARIANTS = ("FlipLR", "Blur", "Rotate")
LABEL = np.array([0, 1, 1, 0, NAN])
CLEAN = np.array([0, 1, 0, 0, 1])  # the third is wrong before, the last has no label
PREDICTED = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 0], [0, NAN, 1], [1, 1, 1]])
SIMILAR = np.array(
    [[0.9, 0.8, 0.3], [0.7, 0.1, 0.5], [0.2, 0.2, 0.2], [NAN, 0.6, 0.2], [0.3, 0.3, 0.3]]
)


def test_consistency_and_fidelity_by_hand():
    rows = SIMILAR, PREDICTED, CLEAN, LABEL
    assert consistency(*rows) == pytest.approx((np.mean([0.9, 0.8, 0.7, 0.5]), 4))
    assert fidelity(*rows) == pytest.approx((np.mean([0.3, 0.1, 0.2]), 3))
    assert cose_score(0.725, 0.2) == pytest.approx(np.sqrt(0.725 * 0.8))
    assert cose_score(1, 0) == 1
    assert np.isnan(cose_score(-0.1, 0.2))
    assert np.isnan(cose_score(NAN, 0.2))
    assert np.isnan(cose_score(0.5, NAN))


def test_scores_by_hand():
    alone = cose_scores(VARIANTS, SIMILAR, PREDICTED, CLEAN, LABEL)
    assert alone.consistency_geometric == pytest.approx((np.mean([0.9, 0.7, 0.5]), 3))
    assert alone.consistency_photometric == pytest.approx((0.8, 1))
    assert alone.fidelity == alone.fidelity_image == pytest.approx((0.2, 3))
    assert alone.fidelity_geometric == pytest.approx((0.25, 2))
    assert alone.fidelity_photometric == pytest.approx((0.1, 1))
    assert alone.fidelity_model.n == 0
    assert np.isnan(alone.fidelity_model.value)
    assert alone.cose == pytest.approx(np.sqrt(0.725 * 0.8))

    random = np.array([[0.5], [0.1], [0.1], [0.4], [0.1]]), np.array([[1], [1], [1], [1], [0]])
    middle = np.full((5, 2), 0.9), np.array([[1, 0], [1, 1], [0, 0], [0, 1], [0, 0]])
    full = cose_scores(
        VARIANTS, SIMILAR, PREDICTED, CLEAN, LABEL, random=random, checkpoints=middle
    )
    assert full.fidelity_random == pytest.approx((0.45, 2))
    assert full.fidelity_checkpoints == pytest.approx((0.9, 2))
    assert full.fidelity_model == pytest.approx((np.mean([0.5, 0.4, 0.9, 0.9]), 4))
    pooled = np.mean([0.3, 0.1, 0.2, 0.5, 0.4, 0.9, 0.9])
    assert full.fidelity == pytest.approx((pooled, 7))
    assert full.consistency == alone.consistency  # changes of the image only
    assert full.cose == pytest.approx(np.sqrt(0.725 * (1 - pooled)))


def test_labels_may_be_unknown_and_nothing_is_nan():
    label = np.array([0, None, None, None, None], object)
    assert consistency(SIMILAR, PREDICTED, CLEAN, label).n == 2
    result = cose_scores(VARIANTS, SIMILAR, PREDICTED, CLEAN, np.full(5, NAN))
    assert result.consistency == pytest.approx(MeanOf(NAN, 0), nan_ok=True)
    assert np.isnan(result.cose)


def test_scores_of_a_run_of_random_rows_are_those_of_a_loop():
    variants = COSE().variants
    similarity = rng.uniform(size=(40, len(variants)))
    predicted = rng.integers(0, 3, similarity.shape)
    clean, label = rng.integers(0, 3, (2, 40))
    same, other = [], []
    for i in range(40):
        for j in range(len(variants)):
            if clean[i] == label[i]:
                (same if predicted[i, j] == label[i] else other).append(similarity[i, j])
    result = cose_scores(variants, similarity, predicted, clean, label)
    assert result.consistency == pytest.approx((np.mean(same), len(same)))
    assert result.fidelity == pytest.approx((np.mean(other), len(other)))


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ((SIMILAR[:4], PREDICTED, CLEAN, LABEL), "do not match"),
        ((SIMILAR, PREDICTED, CLEAN[:4], LABEL), "do not match"),
        ((SIMILAR, PREDICTED, CLEAN[:4], LABEL[:4]), "do not match"),
        ((SIMILAR[:, :2], PREDICTED[:, :2], CLEAN, LABEL), "3 variants.*COSE.variants"),
    ],
)
def test_rows_that_do_not_match_are_refused(rows, text):
    with pytest.raises(InputError, match=text):
        cose_scores(VARIANTS, *rows)
