"""The protocols of `salix.typing`: what a measure may call as `explain`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix import extend
from salix.attribution import Gradient
from salix.engine.classification import Classification
from salix.measures import Noise, RelevanceMass
from salix.metrics.explainer import as_explainer
from salix.typing import Explain, Explainer, Explanation, InputError, Measure

IMAGE = np.random.default_rng(0).uniform(size=(16, 16, 3)).astype(np.float32)


def explain(image, target=None):
    """Explain a class by the image's channel of that number."""
    logits = jnp.asarray(image).mean((0, 1))
    chosen = jnp.argmax(logits) if target is None else target
    return Explanation(logits, chosen, jnp.asarray(image)[..., chosen])


def test_a_plain_function_receives_the_target():
    for target in range(3):
        explanation = as_explainer(explain)(IMAGE, jnp.int32(target))
        assert int(explanation.target) == target
        np.testing.assert_array_equal(explanation.map, IMAGE[..., target])
    assert int(as_explainer(explain)(IMAGE).target) == int(jnp.argmax(IMAGE.mean((0, 1))))


def test_target_fixed_and_re_predicted_differ_for_a_plain_function():
    # The clean image is explained for a class that no noisy one is predicted as.
    clean = explain(IMAGE, jnp.argmin(IMAGE.mean((0, 1))))
    measure = Noise(levels=(0.0, 0.01))
    by_function = jax.jit(lambda: measure(explain, IMAGE, clean, jax.random.key(0)))()
    by_explainer = jax.jit(lambda: measure(Explainer(explain), IMAGE, clean, jax.random.key(0)))()
    similarity = by_function["salt_and_pepper_similarity"]
    assert similarity[0] == pytest.approx(1)
    assert by_function["salt_and_pepper_similarity_repredicted"][0] < 0.9
    np.testing.assert_array_equal(similarity, by_explainer["salt_and_pepper_similarity"])


def test_a_function_without_a_target_is_refused_before_it_is_called():
    def targetless(image):
        raise AssertionError("called")

    with pytest.raises(InputError, match=r"takes no target.*explain\(image, target=None\)"):
        as_explainer(targetless)
    clean = explain(IMAGE)
    with pytest.raises(InputError, match="takes no target"):
        Noise()(targetless, IMAGE, clean, jax.random.key(0))


def test_an_explainer_and_a_wrapped_function_are_accepted():
    explainer = Explainer(explain)
    assert as_explainer(explainer) is explainer
    assert int(as_explainer(jax.jit(explain))(IMAGE, jnp.int32(2)).target) == 2
    assert isinstance(explain, Explain)
    assert isinstance(Noise(), Measure)


def test_the_extension_protocols_are_in_one_place(tiny):
    members = {
        extend.Method: Gradient(),
        extend.Measure: RelevanceMass(),
        extend.Explain: Explainer(explain),
        extend.Problem: Classification(tiny[0], Gradient()),
    }
    for protocol, member in members.items():
        assert isinstance(member, protocol)
        assert not isinstance(object(), protocol)


def test_an_explainer_scores_and_embeds_without_a_map():
    explainer = Explainer(explain, trunk=lambda image: image[::4, ::4].astype(jnp.bfloat16))
    assert float(explainer.score(IMAGE, jnp.int32(2))) == pytest.approx(IMAGE[..., 2].mean(), 1e-5)
    embedding = explainer.features(jnp.asarray(IMAGE))
    assert embedding.dtype == jnp.float32
    np.testing.assert_allclose(embedding, IMAGE[::4, ::4].mean((0, 1)), rtol=1e-2)
    for trunk in (None, lambda image: image, lambda image: image.mean((0, 1))):
        with pytest.raises(InputError, match="no features on a grid"):
            Explainer(explain, trunk=trunk).features(jnp.asarray(IMAGE))
