"""The measure `Noise`, against a pipeline of NumPy, Pillow and scikit-image."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import ClosedJaxpr
from PIL import Image as Pillow
from skimage.metrics import structural_similarity
from skimage.util import img_as_float

from salix.measures.noise import PAPER_NOISE, Noise
from salix.metrics.comparison import Similarity
from salix.metrics.faithfulness.curves import trapezoid_mean
from salix.perturb.corruptions import CORRUPTIONS, salt_and_pepper
from salix.spec import parse
from salix.typing import Explainer, Explanation, InputError

KEY = jax.random.key(7)
rng = np.random.default_rng(0)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FILES = rng.integers(0, 256, (3, 56, 56, 3), np.uint8)
FILES[:, 10:30, 20:44] //= 3
KERNEL = rng.integers(-9, 10, (8, 8, 3, 4))  # patches of 8 x 8 to four features
HEAD = rng.integers(-9, 10, (4, 2))
BIAS = (0, 1180)  # so that noise decides


def cam(levels, target=None):
    """Logits, class and map of an image of grey levels; whole numbers, so exact in any order."""
    xp = np if isinstance(levels, np.ndarray) else jnp
    patches = levels.reshape(7, 8, 7, 8, 3)
    features = xp.abs(xp.einsum("hiwjc,ijck->hwk", patches, xp.asarray(KERNEL, levels.dtype)))
    weights = xp.asarray(HEAD, levels.dtype)
    logits = (features.sum((0, 1)) / 2**12) @ weights + xp.asarray(BIAS, levels.dtype)
    target = xp.argmax(logits) if target is None else target
    return logits, target, features @ weights[:, target]


def explain(image, target):
    mean, std = (jnp.array(x).reshape(1, 1, 3) for x in (MEAN, STD))
    logits, target, map = cam(jnp.round((image * std + mean) * 255), target)
    low, high = map.min(), map.max()
    # the greatest is 1 even where a division is a product with the reciprocal
    scaled = jnp.where(map == high, 1, (map - low) / (high - low))
    return Explanation(logits, jnp.asarray(target, jnp.int32), scaled)


EXPLAIN = Explainer(explain, MEAN, STD)


def normalised(files):
    return ((files.astype(np.float32) / 255 - np.float32(MEAN)) / np.float32(STD)).astype("f4")


@cache
def compiled(noise, explainer):
    return jax.jit(lambda image, key: noise(explainer, image, explainer(image), key))


def measure(noise, file, explainer=EXPLAIN, key=KEY):
    return jax.tree.map(np.asarray, compiled(noise, explainer)(normalised(file), key))


def positions(amount, shape):
    """Where the noise of the key is, and of what colour: read off a flat image."""
    noisy = np.asarray(salt_and_pepper(jnp.full(shape, 0.5), amount, KEY))
    return noisy != 0.5, noisy


def eight_bit(map):
    low, high = map.min(), map.max()
    return ((map - low) / (high - low) * 255).astype(np.uint8)


def upscaled(map):
    return np.asarray(Pillow.fromarray(eight_bit(map)).resize((56, 56), Pillow.Resampling.BICUBIC))


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
def test_the_paper_setting_is_the_released_pipeline(file):
    result = measure(PAPER_NOISE, file)
    columns = {k.removeprefix("paper_salt_and_pepper_"): v for k, v in result.items()}
    _, target, clean = cam(file.astype(float))
    for i, amount in enumerate((0.00, 0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 1.0)):
        at, colour = positions(amount, file.shape)
        noisy = img_as_float(file)
        noisy[at] = colour[at]
        written = (noisy * 255).astype(np.uint8)
        if amount == 0:
            assert (written != file).sum() == np.isin(file, LOWERED).sum() > 0
        logits, repredict, map = cam(written.astype(float))
        fixed = cam(written.astype(float), target)[2]
        for name, other in (("similarity", fixed), ("similarity_repredicted", map)):
            expected = structural_similarity(upscaled(other), upscaled(clean))
            assert columns[name][i] == pytest.approx(expected, abs=2e-5)
        assert columns["flip"][i] == (repredict != target)
        assert columns["score"][i] == pytest.approx(1 / (1 + np.exp(-logits[1])), rel=1e-3)
    for name in ("similarity", "similarity_repredicted"):
        area = np.trapezoid(columns[name], PAPER_NOISE.levels)
        assert columns[name.replace("similarity", "area")] == pytest.approx(area, abs=1e-6)


LOWERED = np.nonzero((img_as_float(np.arange(256, dtype=np.uint8)) * 255).astype(int) < range(256))


def test_decisions_flip_in_what_is_compared():
    # that the test above has met a class that differs from the clean one
    result = measure(PAPER_NOISE, FILES[0])
    flips = result["paper_salt_and_pepper_flip"]
    same = (
        result["paper_salt_and_pepper_similarity"]
        == (result["paper_salt_and_pepper_similarity_repredicted"])
    )
    assert 0 < flips.sum() < 8
    np.testing.assert_array_equal(same, flips == 0)


@pytest.mark.slow
def test_by_default_maps_are_compared_on_their_own_grid_and_values_rounded():
    result = measure(Noise(), FILES[0])
    clean = eight_bit(cam(FILES[0].astype(float))[2])
    _, target, _ = cam(FILES[0].astype(float))
    for i, amount in enumerate(Noise().strengths):
        at, colour = positions(amount, FILES[0].shape)
        noisy = np.where(at, 255 * colour, FILES[0])
        expected = structural_similarity(eight_bit(cam(noisy, target)[2]), clean)
        assert result["salt_and_pepper_similarity"][i] == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["salt_and_pepper", "gaussian", "blur"])
def test_level_0_is_the_clean_image_to_the_last_bit(kind):
    images = []

    def looking(image, target):
        jax.debug.callback(lambda x: images.append(np.asarray(x)), image)
        return explain(image, target)

    image = normalised(FILES[0]) + np.float32(1e-4)  # nor does it have to be a file's
    clean = jax.jit(lambda image: EXPLAIN(image))(image)
    noise = Noise(kind, levels=(0.0, 0.5), repredict=False)
    explainer = Explainer(looking, MEAN, STD)
    result = jax.jit(lambda image, clean: noise(explainer, image, clean, KEY))(image, clean)
    jax.effects_barrier()
    assert result[f"{kind}_similarity"][0] == 1
    assert result[f"{kind}_flip"][0] == 0
    assert result[f"{kind}_similarity"][1] < 1
    changed = [int((x != image).sum()) for x in images]
    assert changed[0] == 0 < changed[1]


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_a_model_that_ignores_its_image_is_steady(kind):
    map = jnp.asarray(rng.uniform(size=(7, 7)), jnp.float32)
    constant = Explanation(jnp.array([1.0, 0.0]), jnp.int32(0), map)
    result = measure(Noise(kind), FILES[0], Explainer(lambda image, target: constant))
    np.testing.assert_array_equal(result[f"{kind}_similarity"], 1)
    np.testing.assert_array_equal(result[f"{kind}_similarity_repredicted"], 1)
    assert result[f"{kind}_area"] == pytest.approx(1, abs=1e-6)
    assert result[f"{kind}_flip"].sum() == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gaussian", "blur", "jpeg"])
def test_each_kind_explains_the_corrupted_file(kind):
    noise, corruption, image = Noise(kind), CORRUPTIONS[kind], FILES[1].astype(np.float32) / 255
    corrupt = jax.jit(
        lambda pixels, level, key: corruption.apply(pixels, level, corruption.draw(pixels, key))
    )
    result = measure(noise, FILES[1])
    clean, target = eight_bit(cam(FILES[1].astype(float))[2]), cam(FILES[1].astype(float))[1]
    for i, level in enumerate(noise.strengths):
        pixels = corrupt(image, np.float32(level), KEY)
        written = np.round(np.asarray(pixels, float) * 255)
        expected = structural_similarity(eight_bit(cam(written, target)[2]), clean)
        # a value next to a half may be rounded otherwise
        assert result[f"{kind}_similarity"][i] == pytest.approx(expected, abs=0.01)


@pytest.mark.slow
def test_area_is_the_mean_over_unevenly_spaced_levels():
    complete = measure(Noise(levels=(0.0, 0.3, 0.4), repredict=False), FILES[0])
    a, b, c = complete["salt_and_pepper_similarity"]
    assert complete["salt_and_pepper_area"] == pytest.approx(
        (0.3 * (a + b) / 2 + 0.1 * (b + c) / 2) / 0.4, abs=1e-6
    )
    falling = trapezoid_mean(
        jnp.array([1, 0.5, 0], jnp.float32), Noise("jpeg", (90, 80, 10)).strengths
    )
    assert falling == pytest.approx((10 * 0.75 + 70 * 0.25) / 80, abs=1e-6)
    assert trapezoid_mean(jnp.array([0.7], jnp.float32), (0.3,)) == np.float32(0.7)
    single = measure(Noise(levels=(0.3,), repredict=False), FILES[0])
    assert single["salt_and_pepper_area"] == single["salt_and_pepper_similarity"][0]


def test_a_constant_map_map_leaves_no_area():
    def dying(image, target):
        result = EXPLAIN(image, target)
        constant_map = (EXPLAIN.pixels(image) > 0.999).mean() > 0.3
        return replace(result, map=jnp.where(constant_map, 0, result.map))

    result = measure(Noise(), FILES[0], Explainer(dying, MEAN, STD))
    np.testing.assert_array_equal(result["salt_and_pepper_constant_map"], [0, 0, 0, 0, 0, 0, 1, 1])
    np.testing.assert_array_equal(
        np.isnan(result["salt_and_pepper_similarity"]), result["salt_and_pepper_constant_map"] == 1
    )
    assert np.isnan(result["salt_and_pepper_area"])


def test_vmap_over_images_permutes_with_them():
    def one(image):
        return Noise()(EXPLAIN, image, EXPLAIN(image), KEY)

    images, order = normalised(FILES), np.array([2, 0, 1])
    run = jax.jit(jax.vmap(one))
    rows, permuted = run(images), run(images[order])
    for name, column in rows.items():
        np.testing.assert_array_equal(permuted[name], np.asarray(column)[order])
    assert len(set(rows["salt_and_pepper_area"].tolist())) == 3


def test_the_key_decides():
    again, other = (measure(Noise(), FILES[0], key=jax.random.key(k)) for k in (7, 8))
    first = measure(Noise(), FILES[0])
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
    assert (first["salt_and_pepper_similarity"] != other["salt_and_pepper_similarity"]).any()


def steps(jaxpr):
    """All equations of a program, those of its inner programs included."""
    for equation in jaxpr.eqns:
        yield equation
        for value in equation.params.values():
            for inner in value if isinstance(value, tuple | list) else (value,):
                if isinstance(inner, ClosedJaxpr):
                    yield from steps(inner.jaxpr)
                elif hasattr(inner, "eqns"):
                    yield from steps(inner)


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_memory_does_not_grow_with_the_levels(kind):
    def program(levels):
        noise = Noise(kind, tuple(float(x) for x in levels))
        image = normalised(FILES[0])
        clean = EXPLAIN(jnp.asarray(image))
        return list(steps(jax.make_jaxpr(lambda x: noise(EXPLAIN, x, clean, KEY))(image).jaxpr))

    start, end = (90, 10) if kind == "jpeg" else (0, 1)
    few, many = program((start, end)), program(np.linspace(start, end, 60))
    assert sum(step.primitive.name == "scan" for step in many) == 1
    assert abs(len(many) - len(few)) < 10
    largest = [max(v.aval.size for s in run for v in s.outvars) for run in (few, many)]
    assert largest[0] == largest[1]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"kind": "fog"}, "fog.*salt_and_pepper"),
        ({"eight_bit": "ceil"}, "ceil.*truncate"),
        ({"levels": ()}, "at least one"),
        ({"levels": (0.5, 0.1)}, "from mild to severe"),
        ({"levels": (0.1, 0.1)}, "each once"),
        ({"levels": (0.1, 1.1)}, "between 0 and 1"),
        ({"levels": (float("nan"),)}, "between 0 and 1"),
        ({"kind": "gaussian", "levels": (-0.1, 0.1)}, "between 0 and inf"),
        ({"kind": "blur", "levels": (float("inf"),)}, "between 0 and inf"),
        ({"kind": "jpeg", "levels": (10, 90)}, r"\(10, 90\).*from mild to severe"),
        ({"kind": "jpeg", "levels": (101, 90)}, "between 100 and 1"),
    ],
)
def test_what_cannot_be_used_is_refused(settings, text):
    with pytest.raises(InputError, match=text):
        Noise(**settings)


@pytest.mark.parametrize(
    "noise",
    [Noise(), PAPER_NOISE, Noise("jpeg", (90, 50), Similarity("spearman"), repredict=False)],
)
def test_text_reads_back_and_quantities_name_the_columns(noise):
    assert parse(repr(noise), {"Noise": Noise, "Similarity": Similarity}) == noise
    described = {q.name: q for q in noise.columns}
    result = jax.eval_shape(compiled(noise, EXPLAIN), normalised(FILES[0]), KEY)
    assert set(described) == set(result)
    for name, value in result.items():
        assert (
            value.shape == (len(described[name].coordinates),)
            if described[name].axis
            else value.shape == ()
        )
        assert described[name].coordinates in ((), noise.strengths)
