"""Scores against closed forms; adapters, cuts and scores of models against their modules."""

import jax
import numpy as np
import pytest
from flax import linen, nnx
from jax import numpy as jnp
from scipy.special import log_softmax

from salix import from_function, from_linen, from_nnx, logit, margin, probability
from salix.attribution import CAM, GradCAM
from salix.preprocess import Preprocess
from salix.scores import SCORES, fix
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


def test_a_score_of_the_predicted_class_is_fixed_to_a_target():
    assert fix(margin(), jnp.int32(1)) == margin(jnp.int32(1))
    assert fix(margin(0), jnp.int32(1)) == margin(0)
    assert fix(jnp.sum, jnp.int32(1)) is jnp.sum  # a plain function has no class


def test_gradients_of_the_scores():
    for score in (logit(1), probability(1), margin(1)):
        gradient = np.asarray(jax.grad(score)(Z))
        steps = np.eye(3, dtype=np.float32) * 0.01
        differences = [(float(score(Z + s)) - float(score(Z - s))) / 0.02 for s in steps]
        np.testing.assert_allclose(gradient, differences, atol=1e-3)


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
def test_score_text_round_trips(text):
    assert repr(parse(text, SCORES)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("logits(1)", "unknown 'logits': choose one of logit, probability, margin, difference"),
        ("logit(", "write it as"),
        ("logit(klass=1)", "it takes logit"),
        ("logit(__import__('os'))", "unknown '__import__'"),
        ("logit((1).real)", "not a plain value"),
        ("logit(1).__class__", "not a plain value"),
    ],
)
def test_other_score_text_is_refused_and_never_run(text, message):
    with pytest.raises(InputError, match=message):
        parse(text, SCORES)


class Net(nnx.Module):
    """Network with batch normalisation and dropout: evaluation differs from training."""

    def __init__(self, rngs):
        self.convolution = nnx.Conv(3, 4, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.linear = nnx.Linear(4 * 8 * 8, 2, rngs=rngs)

    def trunk(self, x):
        """Return features of a batch."""
        return jax.nn.relu(self.dropout(self.norm(self.convolution(x))))

    def head(self, features):
        """Return logits of a batch: the reshape needs the batch axis."""
        return self.linear(features.reshape(features.shape[0], -1))


X = np.random.default_rng(0).random((5, 8, 8, 3), np.float32)


def test_nnx_module_is_evaluated_and_not_changed():
    module = Net(nnx.Rngs(0))
    module.norm.mean[...] = jnp.arange(4.0)
    model, params = from_nnx(module)
    assert not module.norm.use_running_average
    module.eval()
    expected = module.head(module.trunk(X))
    logits = jax.jit(jax.vmap(lambda x: model.logits(params, x)))(X)
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-6)
    assert model.features(params, X[0]).shape == (8, 8, 4)
    changed = jax.tree.map(lambda a: a * 2, params)  # weights are an argument
    assert np.abs(model.logits(changed, X[0]) - logits[0]).max() > 1e-3


def test_nnx_module_without_trunk_and_head_is_all_head():
    layers = nnx.Sequential(lambda x: x.mean((1, 2)), nnx.Linear(3, 2, rngs=nnx.Rngs(0)))
    model, params = from_nnx(layers)
    np.testing.assert_array_equal(model.features(params, X[0]), X[0])
    np.testing.assert_allclose(model.logits(params, X[0]), layers(X)[0], rtol=1e-6)


class LinenNet(linen.Module):
    """Two layers, cut between them."""

    def setup(self):
        self.convolution = linen.Conv(4, (3, 3))
        self.linear = linen.Dense(2)

    def trunk(self, x):
        """Return features of a batch."""
        return linen.relu(self.convolution(x))

    def head(self, features):
        """Return logits of a batch."""
        return self.linear(features.mean((1, 2)))

    def __call__(self, x):
        return self.head(self.trunk(x))


def test_linen_module():
    module = LinenNet()
    variables = module.init(jax.random.key(0), X)
    model, params = from_linen(module, variables, classes=("a", "b"), name="linen")
    assert (model.classes, model.name) == (("a", "b"), "linen")
    assert params is variables
    logits = jax.vmap(lambda x: model.logits(params, x))(X)
    np.testing.assert_allclose(logits, module.apply(variables, X), rtol=1e-5, atol=1e-6)
    cam = CAM()(model.score(variables, logit(1)), X[0], jax.random.key(0))
    features = model.features(variables, X[0])
    weights = variables["params"]["linear"]["kernel"][:, 1]
    np.testing.assert_allclose(cam[..., 0], features @ weights, rtol=1e-4, atol=1e-5)


class TappedNet(Net):
    """Network that taps the input of its ReLU, at every other grid position."""

    def tap(self, x):
        """Return features of a batch, and tapped features on another grid."""
        before = self.norm(self.convolution(x))
        return jax.nn.relu(before), before[:, ::2, ::2]


class TappedLinen(LinenNet):
    """Network that taps the input of its ReLU."""

    def tap(self, x):
        """Return features and tapped features of a batch."""
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
    model, params = from_linen(module, variables)
    features, tapped = model.tapped(params, X[0])
    np.testing.assert_allclose(np.maximum(tapped, 0), features, atol=1e-6)
    np.testing.assert_allclose(features, model.features(params, X[0]), atol=1e-6)


def test_without_a_tap_the_features_come_twice():
    for module in (Net(nnx.Rngs(0)), nnx.Linear(3, 2, rngs=nnx.Rngs(0))):
        model, params = from_nnx(module)
        assert model.tap is None
        features, tapped = model.tapped(params, X[0])
        assert features is tapped
        np.testing.assert_array_equal(features, model.features(params, X[0]))


def test_linen_module_without_trunk_and_head():
    module = linen.Sequential([lambda x: x.mean((1, 2)), linen.Dense(2)])
    variables = module.init(jax.random.key(0), X)
    model, params = from_linen(module, variables)
    np.testing.assert_allclose(
        model.logits(params, X[0]), module.apply(variables, X[:1])[0], rtol=1e-6
    )


def test_plain_function_and_one_output():
    w = np.array([1.0, -2.0, 3.0], np.float32)
    size = Preprocess((8, 8))
    model, params = from_function(lambda w, x: (x.mean((0, 1)) @ w)[None], w, preprocess=size)
    assert params is w
    z = X[0].mean((0, 1)) @ w
    np.testing.assert_allclose(model.logits(w, X[0]), [-z / 2, z / 2], rtol=1e-5)
    sigmoid = 1 / (1 + np.exp(-z))
    assert model.score(w, probability(1))(X[0]) == pytest.approx(sigmoid, rel=1e-5)


class Cut(nnx.Module):
    """Three stages, cut behind the first, the second (other size, other channels) and the third."""

    cuts = ("first", "second", "third")

    def __init__(self, rngs):
        widths = [(3, 4), (4, 6), (6, 5)]
        self.stages = nnx.List([nnx.Conv(i, o, (3, 3), rngs=rngs) for i, o in widths])
        self.linear = nnx.Linear(5, 2, rngs=rngs)

    def trunk(self, x, cut=None):
        """Return the features of a batch at a cut, by default the last."""
        for name, stage in zip(self.cuts, self.stages, strict=True):
            x = jax.nn.relu(stage(x))[:, ::2]
            if name == cut:
                break
        return x

    def head(self, features, cut=None):
        """Return the logits of a batch of features at a cut."""
        behind = self.cuts.index(cut or self.cuts[-1]) + 1
        for stage in list(self.stages)[behind:]:
            features = jax.nn.relu(stage(features))[:, ::2]
        return self.linear(features.mean((1, 2)))


class CutLinen(linen.Module):
    """Two stages, cut behind each."""

    cuts = ("first", "second")

    def setup(self):
        self.first = linen.Conv(4, (3, 3))
        self.second = linen.Conv(6, (3, 3), strides=2)
        self.linear = linen.Dense(2)

    def trunk(self, x, cut=None):
        """Return the features of a batch at a cut, by default the last."""
        first = linen.relu(self.first(x))
        return first if cut == "first" else linen.relu(self.second(first))

    def head(self, features, cut=None):
        """Return the logits of a batch of features at a cut."""
        if cut == "first":
            features = linen.relu(self.second(features))
        return self.linear(features.mean((1, 2)))

    def __call__(self, x):
        return self.head(self.trunk(x))


def cut_models():
    module = CutLinen()
    return [
        (
            *from_nnx(Cut(nnx.Rngs(0))),
            {"first": (4, 8, 4), "second": (2, 8, 6), "third": (1, 8, 5)},
        ),
        (
            *from_linen(module, module.init(jax.random.key(0), X)),
            {"first": (8, 8, 4), "second": (4, 4, 6)},
        ),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "params", "shapes"), cut_models(), ids=["nnx", "linen"])
def test_a_model_is_cut_at_each_named_place(model, params, shapes):
    assert model.cuts == tuple(shapes)
    assert model.cut is None
    logits = model.logits(params, X[0])
    score = model.score(params, margin(1))(X[0])
    for cut, shape in shapes.items():
        there = model.at(cut)
        assert (there.cut, there.name, there.cuts) == (cut, model.name, model.cuts)
        features = there.features(params, X[0])
        assert features.shape == shape
        np.testing.assert_allclose(there.logits(params, X[0]), logits, rtol=1e-6)
        cut_score = there.score(params, margin(1))
        np.testing.assert_allclose(cut_score(X[0]), score, rtol=1e-5)
        assert there.tapped(params, X[0])[1].shape == shape
        again = there.at(model.cuts[-1]).features(params, X[0])  # from one cut to another
        np.testing.assert_array_equal(again, model.features(params, X[0]))
        for method in (CAM(), GradCAM()):
            cam = method(cut_score, X[0], jax.random.key(0))
            assert cam.shape == (*shape[:2], 1)
            assert np.isfinite(cam).all()


def test_grad_cam_at_a_cut_is_that_of_its_features():
    model, params = from_nnx(Cut(nnx.Rngs(0)))
    there = model.at("second")
    features = there.features(params, X[0])
    slopes = jax.grad(lambda f: margin(1)(there.classify(params, f)))(features)
    expected = np.maximum((features * slopes.mean((0, 1), keepdims=True)).sum(-1), 0)
    cam = GradCAM()(there.score(params, margin(1)), X[0], jax.random.key(0))
    np.testing.assert_allclose(cam[..., 0], expected, rtol=1e-5, atol=1e-7)


def test_an_unknown_cut_lists_the_cuts():
    model, _ = from_nnx(Cut(nnx.Rngs(0)), name="three")
    with pytest.raises(InputError, match="three has no cut 'x': choose one of first, second, thi"):
        model.at("x")
    model, _ = from_nnx(Net(nnx.Rngs(0)))
    with pytest.raises(InputError, match="model has no cut 'first': it names no cuts"):
        model.at("first")


def test_a_cut_elsewhere_has_no_tap():
    class CutAndTapped(Cut):
        def tap(self, x):
            """Return the features twice."""
            return self.trunk(x), self.trunk(x)

    model, _ = from_nnx(CutAndTapped(nnx.Rngs(0)))
    assert model.tap is not None
    assert model.at("first").tap is None
