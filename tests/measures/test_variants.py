"""The core of the measures that vary their input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.measures.variants import COLUMNS, measure_variants, variant_columns
from salix.metrics import scale, spatial_entropy, ssim
from salix.metrics.comparison import Similarity
from salix.typing import Explainer, Explanation

rng = np.random.default_rng(0)
KERNEL = rng.normal(size=(3, 2)).astype(np.float32)  # logits of the image's mean colour
IMAGE = rng.uniform(size=(8, 8, 3)).astype(np.float32)
CLASS = int((IMAGE.mean((0, 1)) @ KERNEL).argmax())
TOWARDS = np.sign(KERNEL[0, 1 - CLASS] - KERNEL[0, CLASS])  # the other class


def explain(image, target):
    kernel = jnp.asarray(KERNEL)
    logits = jnp.mean(image, (0, 1)) @ kernel
    target = jnp.argmax(logits).astype(jnp.int32) if target is None else target
    return Explanation(logits, target, scale(image @ kernel[:, target])[0])


def brightened(i):
    """Add to the first channel, more for each variant, until the decision flips."""
    amount = i.astype(jnp.float32) * TOWARDS
    return IMAGE + amount * jnp.array([1, 0, 0], jnp.float32).reshape(1, 1, 3)


def run(repredict=True):
    explainer = Explainer(explain)
    clean = explainer(jnp.asarray(IMAGE))
    like = Similarity(eight_bit=False)
    return clean, jax.jit(
        lambda: measure_variants(
            explainer,
            clean,
            brightened,
            6,
            lambda map, i: like(map, clean.map),
            repredict=repredict,
        ),
    )()


@pytest.mark.slow
def test_each_variant_is_measured_beside_the_clean_image():
    clean, result = run()
    assert int(clean.target) == CLASS
    flips = []
    for i in range(6):
        image = IMAGE + np.array([i * TOWARDS, 0, 0], np.float32)
        logits = image.mean((0, 1)) @ KERNEL
        flips.append(float(logits.argmax() != CLASS))
        fixed, repredict = (scale(image @ KERNEL[:, t])[0] for t in (CLASS, int(logits.argmax())))
        e = np.exp(logits - logits.max())
        assert result["probability"][i] == pytest.approx(e[CLASS] / e.sum(), rel=1e-4)
        assert result["score"][i] == pytest.approx(1 / (1 + np.exp(-logits[1])), rel=1e-4)
        assert result["similarity"][i] == pytest.approx(float(ssim(fixed, clean.map)), abs=1e-4)
        assert result["similarity_repredicted"][i] == pytest.approx(
            float(ssim(repredict, clean.map)), abs=1e-4
        )
        assert result["entropy"][i] == pytest.approx(float(spatial_entropy(fixed)), abs=1e-4)
    np.testing.assert_array_equal(result["flip"], flips)
    assert flips[0] == 0
    assert flips[-1] == 1  # both cases were met


@pytest.mark.optimised  # equal to the last bit, which XLA's fusion gives
def test_the_unchanged_image_is_its_own_equal():
    _, result = run()
    assert result["similarity"][0] == 1
    assert result["flip"][0] == 0


def test_the_class_left_free_can_be_left_out():
    _, result = run(repredict=False)
    assert "similarity_repredicted" not in result


def test_constant_map_maps_have_no_similarity_and_are_counted():
    def ignoring(image, target):
        del image, target
        return Explanation(jnp.array([1.0, 0.0]), jnp.int32(0), jnp.zeros((8, 8)))

    explainer = Explainer(ignoring)
    clean = explainer(jnp.asarray(IMAGE))
    result = measure_variants(explainer, clean, brightened, 3, lambda map, i: jnp.ones(()))
    assert np.isnan(result["similarity"]).all()
    assert np.isnan(result["similarity_repredicted"]).all()
    np.testing.assert_array_equal(result["constant_map"], 1)


def test_variants_are_scanned():
    explainer = Explainer(explain)
    clean = explainer(jnp.asarray(IMAGE))

    def all_of(count):
        def measure():
            return measure_variants(
                explainer, clean, brightened, count, lambda map, i: ssim(map, clean.map)
            )

        return jax.make_jaxpr(measure)()

    few, many = (len(str(all_of(n))) for n in (3, 300))
    assert many < 1.05 * few  # the program does not grow with the variants


def test_the_quantities_name_the_columns():
    _, result = run()
    described = variant_columns("noise", "Noise", "About.", "amount", (0, 0.1))
    assert {q.name for q in described} == {f"noise_{name}" for name in result}
    assert len(described) == len(COLUMNS)
    assert all(q.axis == "amount" and q.coordinates == (0, 0.1) for q in described)
    without = variant_columns("noise", "Noise", "About.", "amount", (0,), repredict=False)
    assert "noise_similarity_repredicted" not in {q.name for q in without}
