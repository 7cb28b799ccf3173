"""Models as people have them: outputs, modes, leaves, layouts, types of functions and modules."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx
from jaxtyping import config

import salix
from salix import from_function, from_linen, from_nnx
from salix.attribution import GradCAM, Gradient, IntegratedGradients
from salix.preprocess import Preprocess
from salix.typing import InputError


@pytest.fixture(autouse=True)
def unchecked_types():
    """Turn the types off that tests check when a function is called: users have no such check."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


SIZE = Preprocess((8, 8))
X = np.random.default_rng(0).random((8, 8, 3), np.float32)
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
W = np.array([[1, -1], [0.5, 2], [-1, 0]], np.float32)
Z = X.mean((0, 1)) @ W


@jax.tree_util.register_dataclass
@dataclass
class Outputs:
    """Outputs of a library, a registered dataclass."""

    logits: jax.Array
    hidden: jax.Array


class ModelOutput(OrderedDict):
    """Outputs as Hugging Face has them: an ordered dict with attributes."""


@dataclass
class Plain:
    """Outputs that JAX does not know as a pytree."""

    hidden: object
    logits: object


Pair = namedtuple("Pair", "hidden logits")
RETURNS = {
    "dict": (lambda z, h: {"logits": z, "hidden": h}, "logits"),
    "nested": (lambda z, h: ModelOutput(loss=None, logits=z, hidden_states=(h,)), "logits"),
    "dataclass": (lambda z, h: Outputs(z, h), "logits"),
    "plain dataclass": (lambda z, h: Plain(h, z), "logits"),
    "tuple": (lambda z, h: (z, h), 0),
    "list": (lambda z, h: [h, z], 1),
    "named tuple": (lambda z, h: Pair(h, z), "logits"),
}


def mean_linear(w, x):
    return jnp.mean(x, (-3, -2)) @ w


@pytest.mark.parametrize("kind", RETURNS)
@pytest.mark.parametrize("batched", [False, True])
def test_the_logits_are_chosen_by_name(tmp_path, kind, batched):
    wrap, output = RETURNS[kind]

    def apply(w, x):
        assert x.ndim == 3 + batched
        return wrap(mean_linear(w, x), x)

    model, w = from_function(apply, W, preprocess=SIZE, output=output)
    np.testing.assert_allclose(model.logits(w, X), Z, rtol=1e-5)
    model, w = from_function(apply, W, preprocess=SIZE, name="net")
    with pytest.raises(
        InputError, match=r"net returns several .*float32.*for example output='?\w+"
    ):
        salix.sweep(model, w, IMAGES, Gradient(), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    model, w = from_function(apply, W, preprocess=SIZE, output="scores")
    with pytest.raises(InputError, match="returns no array 'scores'"):
        model.logits(w, X)


class Stateful(nnx.Module):
    """Dropout, batch statistics, a counter and a stream of keys, all changed by a call."""

    def __init__(self, rngs):
        self.norm = nnx.BatchNorm(3, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.linear = nnx.Linear(3, 2, rngs=rngs)
        self.calls = nnx.Variable(jnp.int32(0))
        self.rngs = rngs

    def __call__(self, x, train: bool = True):
        self.calls[...] += 1
        x = self.dropout(self.norm(x))
        x = x + jax.random.normal(self.rngs(), x.shape) if train else x
        return {"logits": self.linear(jnp.mean(x, (1, 2)))}


@pytest.mark.slow
def test_a_stateful_module_is_evaluated_and_never_changed(tmp_path):
    module = Stateful(nnx.Rngs(0))
    module.norm.mean[...] = jnp.array([0.5, 0.2, 0.1])
    module.train()
    before = jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(module, nnx.Not(nnx.RngKey))))
    model, params = from_nnx(module, preprocess=SIZE, output="logits")
    for _ in range(2):
        first = jax.jit(model.logits)(params, X)
        np.testing.assert_array_equal(jax.jit(model.logits)(params, X), first)
        salix.sweep(model, params, IMAGES, Gradient(), out=tmp_path / "run")
    after = jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(module, nnx.Not(nnx.RngKey))))
    jax.tree.map(np.testing.assert_array_equal, before, after)
    assert not module.dropout.deterministic
    module.eval()
    np.testing.assert_allclose(first, module(X[None], train=False)["logits"][0], rtol=1e-5)


class TrainLinen(linen.Module):
    """A linen module as tutorials write it, with train or deterministic as an argument."""

    argument: str = "train"

    @linen.compact
    def __call__(self, x, train=None, deterministic=None):
        training = train if self.argument == "train" else not deterministic
        x = linen.BatchNorm(use_running_average=not training)(x)
        x = linen.Dropout(0.5, deterministic=not training)(x)
        return linen.Dense(2)(jnp.mean(x, (1, 2)))


@pytest.mark.slow
@pytest.mark.parametrize("argument", ["train", "deterministic"])
def test_a_linen_module_is_called_for_evaluation(argument):
    module = TrainLinen(argument)
    variables = module.init(jax.random.key(0), X[None], train=False, deterministic=True)
    model, params = from_linen(module, variables, preprocess=SIZE)
    expected = module.apply(variables, X[None], train=False, deterministic=True)[0]
    np.testing.assert_allclose(model.logits(params, X), expected, rtol=1e-5)
    options = {"train": True, "deterministic": False, "mutable": ["batch_stats"]}
    options["rngs"] = {"dropout": jax.random.key(1)}
    training, _ = from_linen(module, variables, preprocess=SIZE, apply_options=options)
    assert np.abs(training.logits(params, X) - expected).max() > 1e-3
    with pytest.raises(InputError, match="are BatchNorm_0, Dense_0, without params: give all"):
        from_linen(module, variables["params"], preprocess=SIZE)


def channels_first(w, x):
    """A network of [c h w], as PyTorch's and Equinox's are."""
    assert x.shape[-3] == 3
    return jnp.mean(x, (-2, -1)) @ w


@pytest.mark.parametrize("batched", [None, False, True])
def test_channels_first(batched):
    size = Preprocess((8, 6))
    options = {"preprocess": size, "channels_first": True, "batched": batched}
    model, w = from_function(channels_first, W, **options)
    np.testing.assert_allclose(model.logits(w, X[:, :6]), X[:, :6].mean((0, 1)) @ W, rtol=1e-5)
    trunk = lambda w, x: jnp.tanh(x[..., ::2, ::2])  # noqa: E731
    model, w = from_function(channels_first, W, trunk=trunk, **options)
    features = np.tanh(X[::2, :6:2])
    np.testing.assert_allclose(model.features(w, X[:, :6]), features, rtol=1e-5)
    np.testing.assert_allclose(model.logits(w, X[:, :6]), features.mean((0, 1)) @ W, rtol=1e-5)
    score = model.score(w, salix.logit(1))
    assert GradCAM()(score, X[:, :6], jax.random.key(0)).shape == (4, 3, 1)


def test_a_function_of_batches_alone_is_recognised(tmp_path):
    def apply(w, x):
        n, h, width, c = x.shape
        return x.reshape(n, h * width, c).mean(1) @ w

    model, w = from_function(apply, W, preprocess=SIZE)
    np.testing.assert_allclose(model.logits(w, X), Z, rtol=1e-5)
    assert len(salix.sweep(model, w, IMAGES, Gradient(), out=tmp_path / "run").table) == 2
    model, w = from_function(apply, W, preprocess=SIZE, batched=False)
    with pytest.raises(InputError, match=r"fails on one input of shape \(8, 8, 3\)"):
        salix.sweep(model, w, IMAGES, Gradient(), out=tmp_path / "no")


def test_leaves_that_are_no_arrays_are_constants():
    params = {
        "w": W,
        "act": jnp.tanh,
        "name": "x",
        "gain": 2.0,
        "none": None,
        "key": jax.random.key(0),
    }

    def apply(p, x):
        assert p["name"] == "x"
        assert p["none"] is None
        assert isinstance(p["gain"], float)
        return p["act"](jnp.mean(x, (0, 1)) @ p["w"]) * p["gain"]

    model, arrays = from_function(apply, params, preprocess=SIZE)
    assert len(jax.tree.leaves(arrays)) == 1
    np.testing.assert_allclose(jax.jit(model.logits)(arrays, X), 2 * np.tanh(Z), rtol=1e-5)
    doubled = jax.tree.map(lambda a: 2 * a, arrays)
    np.testing.assert_allclose(model.logits(doubled, X), 2 * np.tanh(2 * Z), rtol=1e-5)


def test_parameters_that_are_no_arrays_are_refused_by_their_path(tmp_path):
    model, _ = from_function(lambda p, x: mean_linear(p["w"], x), {"w": W}, preprocess=SIZE)
    for value in ("relu", 3, jnp.tanh, np.array(["a"])):
        params = {"w": W, "a": {"b": value}}
        with pytest.raises(InputError, match=r"parameter \['a'\]\['b'\] is .*from_function"):
            salix.sweep(model, params, IMAGES, Gradient(), out=tmp_path / "run")


def test_equinox():
    equinox = pytest.importorskip("equinox")
    net = equinox.nn.Sequential(
        [
            equinox.nn.Conv2d(3, 4, 3, padding=1, key=jax.random.key(0)),
            equinox.nn.Lambda(jax.nn.relu),
            equinox.nn.AdaptiveAvgPool2d(1),
            equinox.nn.Lambda(jnp.ravel),
            equinox.nn.Linear(4, 2, key=jax.random.key(1)),
        ]
    )
    model, params = from_function(
        lambda net, x: net(x), net, preprocess=SIZE, channels_first=True, batched=False
    )
    np.testing.assert_allclose(
        jax.jit(model.logits)(params, X), net(X.transpose(2, 0, 1)), rtol=1e-4, atol=1e-6
    )
    with pytest.raises(InputError, match="Sequential is no Flax nnx module"):
        from_nnx(net, preprocess=SIZE)


def test_a_sequential_is_divided_behind_a_layer(tmp_path):
    net = nnx.Sequential(
        nnx.Conv(3, 8, (3, 3), rngs=nnx.Rngs(0)), nnx.relu,
        lambda x: jnp.mean(x, (1, 2)), nnx.Linear(8, 2, rngs=nnx.Rngs(1)),
    )  # fmt: skip
    model, params = from_nnx(net, preprocess=SIZE, name="net")
    np.testing.assert_allclose(model.logits(params, X), net(X[None])[0], rtol=1e-5)
    with pytest.raises(InputError, match="net can be divided at 0, 1, 2: give"):
        salix.sweep(model, params, IMAGES, out=tmp_path / "run")
    there = model.at("1")
    np.testing.assert_allclose(there.logits(params, X), net(X[None])[0], rtol=1e-5)
    features = nnx.relu(net.layers[0](X[None]))[0]
    np.testing.assert_allclose(there.features(params, X), features, rtol=1e-5)
    assert salix.sweep(there, params, IMAGES, out=tmp_path / "run").grid == (8, 8)
    with pytest.raises(InputError, match=r"the trunk of net returns \(8,\)"):
        salix.sweep(model.at("2"), params, IMAGES, out=tmp_path / "no")


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_16_bits_throughout(tmp_path, dtype):
    def trunk(w, x):
        return jnp.tanh(x.astype(dtype)) * jnp.asarray(300, dtype)

    model, w = from_function(
        lambda w, f: jnp.mean(f, (0, 1)) @ w, jnp.asarray(W, dtype), trunk=trunk, preprocess=SIZE
    )
    exact, v = from_function(
        lambda w, f: jnp.mean(f, (0, 1)) @ w, W,
        trunk=lambda w, x: jnp.tanh(x) * 300, preprocess=SIZE,
    )  # fmt: skip
    for i, method in enumerate((GradCAM(), IntegratedGradients(steps=3))):
        score = salix.margin(1)
        runs = [
            salix.sweep(m, p, IMAGES, method, out=tmp_path / f"{i}{j}", score=score)
            for j, (m, p) in enumerate(((model, w), (exact, v)))
        ]
        for name in ("logits", "score", "spatial_entropy"):
            assert runs[0].rows[name].dtype == np.float32
            np.testing.assert_allclose(runs[0].rows[name], runs[1].rows[name], rtol=0.03, atol=0.02)


@pytest.mark.parametrize(
    ("apply", "message"),
    [
        (lambda w, x: mean_linear(w, x)[None, None], r"in the shape \(1, 1, 2\): a model of one"),
        (
            lambda w, x: jnp.tile(mean_linear(w, x), 2),
            r"4 outputs for 2 classes \(real, fake\).*cl",
        ),
        (lambda w, x: jnp.argmax(mean_linear(w, x)), "returns int32: give logits in float32"),
        (lambda w, x: mean_linear(w, x).astype(jnp.float8_e4m3fn), "returns float8_e4m3fn: give"),
        (lambda w, x: x @ w.T, r"fails on one input of shape \(8, 8, 3\) \(TypeError: dot_general"),
        (lambda w, x: "real", "returns several values: str of nothing"),
        (lambda w, x: 1 / 0, "ZeroDivisionError: division by zero"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_by_shapes(tmp_path, apply, message):
    model, w = from_function(apply, W, preprocess=SIZE, batched=False)
    with pytest.raises(InputError, match=message) as error:
        salix.sweep(model, w, IMAGES, Gradient(), out=tmp_path / "run")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()
