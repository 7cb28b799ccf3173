"""Scores against closed forms, and adapters against the modules that they adapt."""

import jax
import numpy as np
import pytest
from flax import linen, nnx
from jax import numpy as jnp
from scipy.special import log_softmax

from salix import from_function, from_linen, from_nnx, logit, margin, probability
from salix.attribution import CAM
from salix.preprocess import Preprocess
from salix.scores import SCORES
from salix.spec import parse
from salix.typing import InputError, Score

Z = np.array([0.5, -1.0, 2.0], np.float32)


@pytest.mark.parametrize("target", [0, 1, 2])
def test_scores_of_a_class(target):
    assert logit(target)(Z) == Z[target]
    assert probability(target)(Z) == pytest.approx(np.exp(log_softmax(Z))[target], rel=1e-6)
    assert margin(target)(Z) == pytest.approx(Z[target] - np.delete(Z, target).max(), rel=1e-6)


def test_without_a_target_the_predicted_class_is_scored():
    for score in (logit, probability, margin):
        assert score()(Z) == score(2)(Z)


def test_gradients_of_the_scores():
    for score in (logit(1), probability(1), margin(1)):
        found = np.asarray(jax.grad(score)(Z))
        steps = np.eye(3, dtype=np.float32) * 0.01
        slopes = [(float(score(Z + s)) - float(score(Z - s))) / 0.02 for s in steps]
        np.testing.assert_allclose(found, slopes, atol=1e-3)


def test_margin_of_two_classes_is_the_difference_of_logits():
    z = np.array([0.3, 1.1], np.float32)
    np.testing.assert_allclose(jax.grad(margin(1))(z), [-1, 1])


def test_score_is_head_after_trunk():
    score = Score(head=lambda f: f.sum() + 1, trunk=lambda x: 2 * x)
    assert score(np.ones(3, np.float32)) == 7
    assert Score(np.sum)(np.ones(3)) == 3


@pytest.mark.parametrize(
    "text", ["logit(target=1)", "probability(target=None)", "margin(target=0)"]
)
def test_scores_are_read_from_their_own_words(text):
    assert repr(parse(text, SCORES)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("logits(1)", "unknown 'logits': choose one of logit, probability, margin"),
        ("logit(", "write it as"),
        ("logit(klass=1)", "it takes logit"),
        ("logit(__import__('os'))", "unknown '__import__'"),
        ("logit((1).real)", "not a plain value"),
        ("logit(1).__class__", "not a plain value"),
    ],
)
def test_other_words_are_refused_and_never_run(text, message):
    with pytest.raises(InputError, match=message):
        parse(text, SCORES)


class Net(nnx.Module):
    """Normalised and dropped out, so that evaluation differs from training."""

    def __init__(self, rngs):
        self.convolution = nnx.Conv(3, 4, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.linear = nnx.Linear(4 * 8 * 8, 2, rngs=rngs)

    def trunk(self, x):
        """Features of a batch."""
        return jax.nn.relu(self.dropout(self.norm(self.convolution(x))))

    def head(self, features):
        """Logits of a batch: the reshape needs the batch axis."""
        return self.linear(features.reshape(features.shape[0], -1))


X = np.random.default_rng(0).random((5, 8, 8, 3), np.float32)


def test_nnx_module_is_adapted_in_evaluation_and_left_as_it_was():
    module = Net(nnx.Rngs(0))
    module.norm.mean[...] = jnp.arange(4.0)
    model, params = from_nnx(module)
    assert not module.norm.use_running_average
    module.eval()
    expected = module.head(module.trunk(X))
    found = jax.jit(jax.vmap(lambda x: model.logits(params, x)))(X)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert model.features(params, X[0]).shape == (8, 8, 4)
    changed = jax.tree.map(lambda a: a * 2, params)  # weights are an argument
    assert np.abs(model.logits(changed, X[0]) - found[0]).max() > 1e-3


def test_nnx_module_without_a_cut_is_all_head():
    layers = nnx.Sequential(lambda x: x.mean((1, 2)), nnx.Linear(3, 2, rngs=nnx.Rngs(0)))
    model, params = from_nnx(layers)
    np.testing.assert_array_equal(model.features(params, X[0]), X[0])
    np.testing.assert_allclose(model.logits(params, X[0]), layers(X)[0], rtol=1e-6)


class LinenNet(linen.Module):
    """Two layers with the cut between them."""

    def setup(self):
        self.convolution = linen.Conv(4, (3, 3))
        self.linear = linen.Dense(2)

    def trunk(self, x):
        """Features of a batch."""
        return linen.relu(self.convolution(x))

    def head(self, features):
        """Logits of a batch."""
        return self.linear(features.mean((1, 2)))

    def __call__(self, x):
        return self.head(self.trunk(x))


def test_linen_module():
    module = LinenNet()
    variables = module.init(jax.random.key(0), X)
    model = from_linen(module, classes=("a", "b"))
    found = jax.vmap(lambda x: model.logits(variables, x))(X)
    np.testing.assert_allclose(found, module.apply(variables, X), rtol=1e-5, atol=1e-6)
    cam = CAM()(model.score(variables, logit(1)), X[0], jax.random.key(0))
    features = model.features(variables, X[0])
    weights = variables["params"]["linear"]["kernel"][:, 1]
    np.testing.assert_allclose(cam[..., 0], features @ weights, rtol=1e-4, atol=1e-5)


class TappedNet(Net):
    """A net that taps what comes before its ReLU, at every other cell."""

    def tap(self, x):
        """Features of a batch, and tapped features on another grid."""
        before = self.norm(self.convolution(x))
        return jax.nn.relu(before), before[:, ::2, ::2]


class TappedLinen(LinenNet):
    """A net that taps what comes before its ReLU."""

    def tap(self, x):
        """Features and tapped features of a batch."""
        before = self.convolution(x)
        return linen.relu(before), before


def test_tapped_features_come_with_the_features():
    model, params = from_nnx(TappedNet(nnx.Rngs(0)))
    features, tapped = jax.jit(model.tapped)(params, X[0])
    np.testing.assert_allclose(features, model.features(params, X[0]), atol=1e-6)
    assert tapped.shape == (4, 4, 4)
    assert tapped.min() < 0
    np.testing.assert_allclose(np.maximum(tapped, 0), features[::2, ::2], atol=1e-6)
    module = TappedLinen()
    variables = module.init(jax.random.key(0), X)
    features, tapped = from_linen(module).tapped(variables, X[0])
    np.testing.assert_allclose(np.maximum(tapped, 0), features, atol=1e-6)
    np.testing.assert_allclose(features, from_linen(module).features(variables, X[0]), atol=1e-6)


def test_without_a_tap_the_features_come_twice():
    for module in (Net(nnx.Rngs(0)), nnx.Linear(3, 2, rngs=nnx.Rngs(0))):
        model, params = from_nnx(module)
        assert model.tap is None
        features, tapped = model.tapped(params, X[0])
        assert features is tapped
        np.testing.assert_array_equal(features, model.features(params, X[0]))


def test_linen_module_without_a_cut():
    module = linen.Sequential([lambda x: x.mean((1, 2)), linen.Dense(2)])
    variables = module.init(jax.random.key(0), X)
    model = from_linen(module)
    np.testing.assert_allclose(
        model.logits(variables, X[0]), module.apply(variables, X[:1])[0], rtol=1e-6
    )


def test_plain_function_and_one_output():
    model = from_function(lambda w, x: (x.mean((0, 1)) @ w)[None], preprocess=Preprocess((8, 8)))
    w = np.array([1.0, -2.0, 3.0], np.float32)
    z = X[0].mean((0, 1)) @ w
    np.testing.assert_allclose(model.logits(w, X[0]), [-z / 2, z / 2], rtol=1e-5)
    sigmoid = 1 / (1 + np.exp(-z))
    assert model.score(w, probability(1))(X[0]) == pytest.approx(sigmoid, rel=1e-5)
