"""Guided backpropagation and deconvolution by slow networks written out in NumPy."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from salix.attribution import Deconvnet, GuidedBackprop
from salix.attribution.program.relu import is_relu
from salix.attribution.program.tracing import trace
from salix.attribution.program.walk import in_order
from salix.nn import max_pool, relu
from salix.nn.conv import conv, conv_form
from salix.typing import InputError, Score

KEY = jax.random.key(0)
rng = np.random.default_rng(0)
MATRICES = [rng.normal(size=s).astype(np.float32) for s in ((6, 8), (8, 7), (7,))]
IMAGE = rng.normal(size=(2, 3)).astype(np.float32)
GUIDED = (GuidedBackprop(), lambda h, r: np.where((h > 0) & (r > 0), r, 0))
DECONV = (Deconvnet(), lambda h, r: np.maximum(r, 0))
both = pytest.mark.parametrize(("method", "rule"), [GUIDED, DECONV], ids=["guided", "deconvnet"])

RELUS = {
    "relu": jax.nn.relu,
    "maximum": lambda x: jnp.maximum(x, 0),
    "maximum, swapped": lambda x: jnp.maximum(0, x),
    "where": lambda x: jnp.where(x > 0, x, 0),
    "where of zeros": lambda x: jnp.where(x <= 0, jnp.zeros_like(x), x),
    "product": lambda x: x * (x > 0).astype(x.dtype),
    "clip": lambda x: jnp.clip(x, 0, None),
    "salix": relu,
    "jit": jax.jit(jax.nn.relu),
    "checkpoint": jax.checkpoint(jax.nn.relu),
    "bounded": lambda x: jnp.clip(x, 0, 1e3),
    "relu6": jax.nn.relu6,
}
OTHERS = {
    "silu": jax.nn.silu,
    "gelu": jax.nn.gelu,
    "exact gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "leaky": jax.nn.leaky_relu,
    "elu": jax.nn.elu,
    "softplus": jax.nn.softplus,
    "hard swish": jax.nn.hard_swish,
    "tanh": jnp.tanh,
    "absolute": jnp.abs,
    "square": jnp.square,
    "learned slope": lambda x: jnp.where(
        x > 0, x, x * jnp.linspace(0.1, 0.5, x.size).reshape(x.shape)
    ),
}


def by_hand(rule):
    """Propagate through the two ReLUs of the network of `MATRICES`."""
    a, b, c = MATRICES
    h = IMAGE.ravel() @ a
    k = np.maximum(h, 0) @ b
    return (a @ rule(h, b @ rule(k, c))).reshape(IMAGE.shape)


@both
@pytest.mark.parametrize("name", RELUS)
def test_a_relu_however_it_is_written(method, rule, name):
    a, b, c = MATRICES
    act = RELUS[name]
    score = lambda x: act(act(x.reshape(-1) @ a / 8) @ b / 8) @ c * 64  # noqa: E731
    out = jax.jit(lambda x: method(score, x, KEY))(IMAGE)
    np.testing.assert_allclose(out, by_hand(rule), rtol=1e-4, atol=1e-4)


def test_other_functions_are_no_relus_and_alone_are_an_error():
    for name, act in OTHERS.items():
        score = lambda x, act=act: act(x).sum()  # noqa: E731
        _, output = trace(score, IMAGE)
        assert not any(map(is_relu, in_order(output))), name
    for method in (GuidedBackprop(), Deconvnet()):
        with pytest.raises(InputError, match=rf"{type(method).__name__} .*none: use Gradient\(\)"):
            method(lambda x: jnp.tanh(x).sum(), IMAGE, KEY)


def test_other_functions_have_their_derivative():
    """A ReLU whose input and signal are positive changes nothing."""

    def score(x):
        h = jax.nn.gelu(x) * jax.nn.sigmoid(x[::-1]) / (1 + jnp.exp(x))
        h = jax.nn.softmax(h) + jnp.sort(lax.stop_gradient(x)) + x.max() * x
        return jax.nn.relu(jnp.tanh(h) + 2).mean() ** 3

    methods = (GuidedBackprop(), Deconvnet())
    explain = lambda x: [jax.grad(score)(x), *(method(score, x, KEY) for method in methods)]  # noqa: E731
    expected, *maps = jax.jit(explain)(IMAGE)
    for map in maps:
        np.testing.assert_allclose(map, expected, atol=1e-6)


@pytest.mark.parametrize("form", ["explicit", pytest.param("xla", marks=pytest.mark.slow)])
def test_convolutional_network_in_both_forms(form):
    """Max-pool, batch normalisation, depthwise, pointwise and strided convolutions, softmax."""
    draw = lambda *s: rng.normal(size=s).astype(np.float32)  # noqa: E731
    kernels = [draw(3, 3, 2, 6), draw(3, 3, 1, 6), draw(1, 1, 6, 4)]
    linear, image = draw(4, 3), draw(9, 9, 2)

    def network(x, rectify):
        h = rectify(conv(x[None], kernels[0], strides=(2, 2)))
        h = max_pool(rectify(conv(h, kernels[1], groups=6) * 0.5 + 0.1), 3, 2, padding=1)
        h = rectify(conv(h, kernels[2]))
        return jax.nn.softmax(h.mean((0, 1, 2)) @ linear)[1]

    @jax.custom_vjp
    def guided(x):
        return jnp.maximum(x, 0)

    guided.defvjp(
        lambda x: (jnp.maximum(x, 0), x), lambda x, g: (jnp.where((x > 0) & (g > 0), g, 0),)
    )

    def explain(x):
        ours = GuidedBackprop()(lambda x: network(x, relu), x, KEY)
        return ours, jax.grad(lambda x: network(x, guided))(x)

    with conv_form(form):
        ours, expected = jax.jit(explain)(image)
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-6)


def test_loops_of_fixed_length_are_unrolled():
    a, b, _ = MATRICES
    square = (b @ b.T).astype(np.float32)

    def score(x, loop):
        h = x.reshape(-1) @ a
        step = lambda h: jax.nn.relu(h @ square) / 30  # noqa: E731
        if loop:
            h, steps = lax.scan(lambda h, w: (step(h) * w, h), h, jnp.arange(1.0, 4))
        else:
            steps = []
            for w in (1.0, 2.0, 3.0):
                steps.append(h)
                h = step(h) * w
            steps = jnp.stack(steps)
        return h.sum() + (steps**2).sum()

    for method in (GuidedBackprop(), Deconvnet()):
        explain = lambda x, m=method: [m(partial(score, loop=n), x, KEY) for n in (True, False)]  # noqa: E731
        looped, unrolled = jax.jit(explain)(IMAGE)
        np.testing.assert_allclose(looped, unrolled, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "function", "advice"),
    [
        ("sort", jnp.sort, "IntegratedGradients"),
        ("while", lambda x: lax.while_loop(lambda y: y.sum() < 9, lambda y: y + 1, x), "fixed"),
        ("cond", lambda x: lax.cond(x[0] > 0, jnp.sin, jnp.cos, x), "jnp.where"),
        ("cumprod", jnp.cumprod, "primitives"),
    ],
)
def test_a_primitive_without_a_rule_is_named_with_its_line(name, function, advice):
    score = lambda x: jax.nn.relu(function(x.reshape(-1))).sum()  # noqa: E731
    for method in (GuidedBackprop(), Deconvnet()):
        with pytest.raises(InputError, match=rf"'{name}' at .*test_relu_rules\.py:\d+.*{advice}"):
            method(score, IMAGE, KEY)


def test_a_primitive_without_influence_needs_no_rule():
    unused = lambda x: (jnp.sort(x), jax.nn.relu(x).sum())[1]  # noqa: E731
    np.testing.assert_array_equal(GuidedBackprop()(unused, IMAGE, KEY), IMAGE > 0)
    score = lambda x: jax.nn.relu(x).sum() + jnp.sort(lax.stop_gradient(x)).sum()  # noqa: E731
    np.testing.assert_array_equal(Deconvnet()(score, IMAGE, KEY), np.ones_like(IMAGE))


def test_the_predicted_class_is_kept_at_the_image():
    a, b, _ = MATRICES
    logits = lambda x: jax.nn.relu(x.reshape(-1) @ a) @ b  # noqa: E731
    best = int(logits(IMAGE).argmax())
    for index in (lambda z: z[z.argmax()], lambda z: z[lax.stop_gradient(z).argmax()]):
        chosen = GuidedBackprop()(lambda x, f=index: f(logits(x)), IMAGE, KEY)
        fixed = GuidedBackprop()(lambda x: logits(x)[best], IMAGE, KEY)
        np.testing.assert_array_equal(chosen, fixed)


@both
def test_scores_without_influence_or_of_several_numbers(method, rule):
    del rule
    np.testing.assert_array_equal(method(lambda x: jnp.float32(3), IMAGE, KEY), 0 * IMAGE)
    for score in (lambda x: x, lambda x: (x.sum(), x.sum()), lambda x: x.sum().astype(int)):
        with pytest.raises(InputError, match="one real number"):
            method(score, IMAGE, KEY)


@both
def test_nan_is_not_silent(method, rule):
    del rule
    score = Score(lambda f: jax.nn.relu(f).sum(), lambda x: x * 2)
    assert np.isnan(method(score, np.full_like(IMAGE, np.nan), KEY)).all()
