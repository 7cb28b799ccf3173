"""Explanations of a model's variants: another method, a function before it, other parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import salix
from salix.attribution import GradCAM, Gradient, InputXGradient, IntegratedGradients
from salix.engine import Classification, ModelExplainer
from salix.measures import Of
from salix.scores import logit
from salix.typing import Explainer, Explanation, InputError

KEY = jax.random.key(0)
ONE = jnp.int32(1)
IMAGE = jnp.asarray(np.random.default_rng(0).uniform(size=(16, 16, 3)), jnp.float32)


@pytest.fixture(scope="module")
def explain(tiny):
    return ModelExplainer(*tiny, Gradient(), key=KEY).explainer()


def same(a, b, **tolerance):
    assert int(a.target) == int(b.target)
    for name in ("logits", "map", "attribution"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), **tolerance)


@pytest.mark.slow
def test_the_sweep_s_explainer_is_this_one(tiny, explain):
    model, params = tiny
    of_sweep = Classification(model, Gradient()).explainer(params, KEY)
    same(of_sweep(IMAGE), explain(IMAGE), rtol=1e-5, atol=1e-6)
    fixed = Classification(model, Gradient()).explainer(params, KEY, jnp.int32(1))
    assert int(fixed(IMAGE).target) == 1
    assert int(fixed(IMAGE, jnp.int32(0)).target) == 0
    assert int(fixed.by(GradCAM())(IMAGE).target) == 1


@pytest.mark.parametrize("method", [GradCAM(), InputXGradient()], ids=repr)
def test_another_method_is_that_method_s_explainer(tiny, explain, method):
    other = ModelExplainer(*tiny, method, key=KEY).explainer()
    same(explain.by(method)(IMAGE), other(IMAGE))
    assert explain.by(IntegratedGradients()).baselines is not None


def test_through_a_function_the_logits_are_those_of_its_value(explain):
    moved = explain.through(lambda image: 2 * image - 0.5)
    image = (IMAGE + 0.5) / 2
    clean, behind = explain(IMAGE), moved(image)
    np.testing.assert_allclose(behind.logits, clean.logits, rtol=1e-5)
    np.testing.assert_allclose(behind.attribution, 2 * clean.attribution, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(moved.features(image), explain.features(IMAGE), rtol=1e-5)
    np.testing.assert_allclose(moved.score(image, ONE), explain.score(IMAGE, ONE), rtol=1e-5)
    both = moved.by(GradCAM()).through(lambda image: image / 2)
    np.testing.assert_allclose(both(2 * image).map, explain.by(GradCAM())(IMAGE).map, atol=1e-5)


def test_a_model_without_a_trunk_is_composed_too():
    head = lambda params, image: params["w"] @ image.ravel()  # noqa: E731
    w = np.random.default_rng(1).normal(size=(2, 12)).astype(np.float32)
    preprocess = salix.Preprocess((2, 2))
    model = salix.from_function(head, {"w": w}, preprocess=preprocess, classes=("a", "b"))
    explain = ModelExplainer(*model, Gradient()).explainer()
    image = jnp.ones((2, 2, 3))
    behind = explain.through(lambda image: image[::-1])
    value = behind(image, jnp.int32(1)).attribution
    np.testing.assert_allclose(value, w[1].reshape(2, 2, 3)[::-1], rtol=1e-6)


def test_other_parameters_are_the_other_model(tinies, explain):
    (model, params), (_, others) = tinies
    assert explain.params is params
    other = explain.with_params(others)
    assert other.params is others
    same(other(IMAGE), ModelExplainer(model, others, Gradient(), key=KEY).explainer()(IMAGE))
    twice = explain.with_params(others).with_params(params).by(GradCAM()).by(Gradient())
    same(twice(IMAGE), explain(IMAGE))


def test_variants_keep_what_a_sweep_knows(tiny):
    model, params = tiny
    for score, targeted in ((logit(), True), (logit(1), False), (lambda z: z.max(), False)):
        explain = ModelExplainer(model, params, Gradient(), score=score).explainer()
        assert explain.targeted is explain.by(GradCAM()).targeted is targeted


def test_a_plain_function_has_no_variants():
    explain = Explainer(lambda image, target: Explanation(image[0, 0], target, image[..., 0]))
    for call, what in (
        (lambda: explain.by(Gradient()), "another method"),
        (lambda: explain.through(jnp.square), "behind a function"),
        (lambda: explain.with_params({}), "other parameters"),
        (lambda: explain.params, "parameters"),
    ):
        with pytest.raises(InputError, match=rf"{what}.*need a model.*plain function.*salix\.sw"):
            call()


def seen_target(explain, image, key, *, part=1.0):
    """Explained class of a brighter image, and the share of a random number."""
    del key
    return part * explain(image + 1).target.astype(jnp.float32)


def logit_of_other(explain, image, key):
    """Logit of a model whose parameters are all zero."""
    del key
    zero = explain.with_params(jax.tree.map(jnp.zeros_like, explain.params))
    return zero(image).logits.sum() + explain.by(GradCAM())(image).map.max()


@pytest.mark.slow
def test_a_metric_of_explanations_is_a_measure_of_a_sweep(tiny, pictures, tmp_path):
    measures = (Of(seen_target), Of(seen_target, name="half", part=0.5), Of(logit_of_other))
    rows = salix.sweep(
        *tiny, pictures, Gradient(), measures, out=tmp_path / "run", batch_size=23
    ).rows
    # A metric explains the clean image's class, not that predicted for its variant.
    np.testing.assert_array_equal(rows["map_seen_target"], rows["predicted"])
    np.testing.assert_array_equal(rows["half"], rows["predicted"] / 2)
    np.testing.assert_allclose(rows["map_logit_of_other"], 1, atol=1e-6)
