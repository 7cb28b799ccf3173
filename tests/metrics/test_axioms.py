"""Completeness, non-sensitivity and invariances in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import salix
from salix.attribution import Gradient, InputXGradient, IntegratedGradients
from salix.engine import ModelExplainer
from salix.metrics import (
    completeness,
    implementation_invariance,
    input_invariance,
    non_sensitivity,
)
from salix.scores import probability
from salix.typing import Explainer, Explanation, InputError

KEY = jax.random.key(0)
rng = np.random.default_rng(0)
IMAGE = rng.uniform(0.2, 1, (4, 5, 3)).astype(np.float32)
WEIGHTS = rng.normal(size=(4, 5, 3, 3)).astype(np.float32)
WEIGHTS[0] = 0  # the upper row does not count
PREPROCESS = salix.Preprocess((4, 5))


def explainer(method, **options):
    head = lambda params, x: jnp.einsum("hwc,hwck->k", x, params["w"])  # noqa: E731
    model, params = salix.from_function(
        head, {"w": WEIGHTS}, preprocess=PREPROCESS, classes=("a", "b", "c")
    )
    return ModelExplainer(model, params, method, **options).explainer()


TARGET = int(np.argmax(np.einsum("hwc,hwck->k", IMAGE, WEIGHTS)))
W = WEIGHTS[..., TARGET].astype(np.float64)


def test_a_linear_model_is_explained_completely_by_its_products():
    product = explainer(InputXGradient())
    assert float(completeness(product, IMAGE, KEY)) == pytest.approx(0, abs=1e-5)
    assert float(completeness(product, IMAGE, KEY, tolerance=1e-4)) == 0
    # Against another baseline the sum is too large by what the baseline scores.
    start, score = 0.3 * W.sum(), (W * IMAGE).sum()
    options = {"baseline": 0.3, "signed": True}
    absolute = completeness(product, IMAGE, KEY, relative=False, **options)
    assert float(absolute) == pytest.approx(start, abs=1e-4)
    relative = float(completeness(product, IMAGE, KEY, **options))
    assert relative == pytest.approx(start / abs(score - start), rel=1e-4)
    unsigned = float(completeness(product, IMAGE, KEY, baseline=0.3))
    assert unsigned == pytest.approx(abs(relative), rel=1e-6)


def test_the_baseline_is_that_of_the_method():
    path = explainer(IntegratedGradients(0.3, steps=2))
    assert float(completeness(path, IMAGE, KEY)) == pytest.approx(0, abs=1e-5)
    assert float(completeness(path, IMAGE, KEY, baseline=0.0)) > 0.01
    curved = explainer(IntegratedGradients(0.3, steps=64), score=probability())
    assert float(completeness(curved, IMAGE, KEY)) < 1e-2


def test_completeness_without_a_difference_or_a_finite_map_is_nan():
    zero = 0 * IMAGE
    assert np.isnan(completeness(explainer(InputXGradient()), zero, KEY))
    assert float(completeness(explainer(InputXGradient()), zero, KEY, relative=False)) == 0
    assert np.isnan(
        completeness(explainer(lambda s, x, k: x * jnp.nan), IMAGE, KEY, relative=False)
    )


def planted(zero, nonzero):
    """A map with `zero` pixels wrongly without attribution, `nonzero` wrongly with it."""
    a = np.abs(W) + 0.1
    a[0] = 0
    a[0, :nonzero] = 1
    a[1, :zero] = 0
    return a.astype(np.float32)


def test_non_sensitivity_counts_both_kinds_of_mistake():
    count, share = (
        jax.jit(
            lambda map, options=options: non_sensitivity(
                explainer(lambda score, image, key: map), IMAGE, KEY, **options
            )
        )
        for options in ({}, {"normalise": True, "samples": 2, "chunk": 7})
    )
    for zero, nonzero in ((0, 0), (2, 0), (0, 3), (2, 3)):
        map = planted(zero, nonzero)
        assert float(count(map)) == zero + nonzero
        assert float(share(map)) == pytest.approx((zero + nonzero) / 20)
        assert float(count(1e-9 * map)) == zero + nonzero  # scales do not matter
    assert np.isnan(count(np.nan * map))


def test_gradients_are_invariant_to_a_shift_and_products_are_not():
    assert float(input_invariance(explainer(Gradient()), IMAGE, KEY)) == 0
    for shift in (-1.0, 0.5):
        value = float(input_invariance(explainer(InputXGradient()), IMAGE, KEY, shift=shift))
        expected = np.linalg.norm(W * shift) / np.linalg.norm(W * IMAGE)
        assert value == pytest.approx(expected, rel=1e-4)
    # A baseline that moves with the image keeps the path, one of a fixed value does not.
    fixed = explainer(IntegratedGradients(0.0, steps=2))
    assert float(input_invariance(fixed, IMAGE, KEY)) > 0.5


def length(score, image, key):
    """A method that depends on how the score is written: the number of its operations."""
    return image * len(jax.make_jaxpr(score)(image).eqns)


@pytest.mark.parametrize("rewriting", ["relu", "permutation"])
def test_gradients_are_invariant_to_the_writing_of_the_model(rewriting):
    options = {"rewriting": rewriting}
    same = implementation_invariance(explainer(Gradient()), IMAGE, KEY, **options)
    assert float(same) == pytest.approx(0, abs=1e-6)
    assert float(implementation_invariance(explainer(length), IMAGE, KEY, **options)) > 0.5


@pytest.mark.parametrize("metric", [input_invariance, implementation_invariance])
def test_a_zero_map_has_no_relative_change(metric):
    assert np.isnan(metric(explainer(lambda s, x, k: 0 * x), IMAGE, KEY))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e: input_invariance(e, IMAGE, KEY, shift=0), "shift is 0: give a number other"),
        (lambda e: implementation_invariance(e, IMAGE, KEY, rewriting="x"), "one of relu, perm"),
        (lambda e: completeness(e, IMAGE, KEY, tolerance=-1), "tolerance is -1: give a number, 0"),
        (lambda e: non_sensitivity(e, IMAGE, KEY, samples=0), "samples is 0"),
    ],
)
def test_bad_options_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call(explainer(Gradient()))


def test_a_plain_function_cannot_be_shifted():
    explain = Explainer(
        lambda image, target: Explanation(
            jnp.ones(2), jnp.int32(0), image[..., 0], attribution=jnp.asarray(image)
        )
    )
    for metric in (input_invariance, implementation_invariance):
        with pytest.raises(InputError, match=r"behind a function of the image need a model"):
            metric(explain, IMAGE, KEY)
