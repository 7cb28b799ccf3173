"""Layer-wise relevance propagation: each rule as matrices, conservation, gates and errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from salix.attribution import LRP, METHODS
from salix.models import load
from salix.nn import max_pool, relu
from salix.nn.attention import attention
from salix.nn.conv import conv
from salix.scores import logit
from salix.spec import parse
from salix.typing import InputError, Score

KEY = jax.random.key(0)
rng = np.random.default_rng(0)
IMAGE = rng.normal(size=(3, 2))
A, B, C = rng.normal(size=(6, 8)), rng.normal(size=(8, 7)), rng.normal(size=7)
SHIFTS = rng.normal(size=8), rng.normal(size=7)
SCALE = rng.normal(size=8)  # of both signs, as in a batch normalisation
EPSILON = 1e-3


def network(x, relu=jax.nn.relu):
    h = relu((x.reshape(-1) @ A) * SCALE + SHIFTS[0])
    return relu(h @ B + SHIFTS[1]) @ C


def away(z):
    return z + np.where(z >= 0, EPSILON, -EPSILON)


def by_epsilon(a, w, b, r):
    return a * (w @ (r / away(a @ w + b)))


def by_gamma(a, w, b, r):
    z = a[:, None] * w
    part = np.sign(a @ w + b)
    raised = z + 0.5 * np.where(z * part > 0, z, 0)
    shift = b + 0.5 * np.where(b * part > 0, b, 0)
    return raised @ (r / away(raised.sum(0) + shift))


def by_contributions(alpha):
    def rule(a, w, b, r):
        z = a[:, None] * w
        total = np.zeros_like(a)
        for j in range(len(r)):
            up, down = np.maximum(z[:, j], 0), np.minimum(z[:, j], 0)
            gain, loss = up.sum() + max(b[j], 0), down.sum() + min(b[j], 0)
            share = 1.0 if loss == 0 and alpha > 1 else 0.0 if gain == 0 and alpha > 1 else alpha
            total += share * up / away(gain) * r[j]
            total += (1 - share) * down / (loss - EPSILON) * r[j]
        return total

    return rule


def by_zero(a, w, b, r):
    return a * (w @ np.where(r == 0, 0, r / (a @ w + b)))


RULES = {
    "zero": by_zero,
    "epsilon": by_epsilon,
    "gamma": by_gamma,
    "alpha_beta": by_contributions(1.5),
    "z_plus": by_contributions(1),
}
FIRST = {
    "flat": lambda w: np.ones_like(w),
    "w_square": lambda w: (w / SCALE) ** 2,  # the scale cancels
    "box": lambda w: (
        IMAGE.reshape(-1, 1) * w
        - LOW.reshape(-1, 1) * np.maximum(w, 0)
        - HIGH.reshape(-1, 1) * np.minimum(w, 0)
    ),
}
LOW, HIGH = (np.broadcast_to(v, IMAGE.shape) for v in ((-4.0, -3.0), (4.0, 5.0)))
SCORE = Score(network, black=(-4.0, 5.0), white=(4.0, -3.0))


def by_hand(rule, first=None):
    """Propagate through the layers of `network` as matrices."""
    a = IMAGE.ravel()
    h = np.maximum(a @ (A * SCALE) + SHIFTS[0], 0)
    k = np.maximum(h @ B + SHIFTS[1], 0)
    r = rule(k, C[:, None], np.zeros(1), np.array([k @ C]))
    r = rule(h, B, SHIFTS[1], r)
    if first is None:
        return rule(a, A * SCALE, SHIFTS[0], r).reshape(IMAGE.shape)
    shares = FIRST[first](A * SCALE)
    total = np.array([away(s) for s in shares.sum(0)])
    return (shares @ (r / total)).reshape(IMAGE.shape)


def test_every_rule_is_its_matrix():
    options = {"epsilon": EPSILON, "gamma": 0.5, "beta": 0.5}

    def explain(x):
        rules = {name: LRP(name, **options)(SCORE, x, KEY) for name in RULES}
        return rules, {name: LRP(first=name, **options)(SCORE, x, KEY) for name in FIRST}

    with jax.enable_x64(True):
        rules, first = jax.jit(explain)(jnp.asarray(IMAGE))
    for name, out in rules.items():
        np.testing.assert_allclose(out, by_hand(RULES[name]), rtol=1e-9, err_msg=name)
    for name, out in first.items():
        expected = by_hand(by_epsilon, name)
        np.testing.assert_allclose(out, expected, rtol=1e-9, err_msg=name)


def test_gamma_is_bounded_for_outputs_below_zero_that_no_relu_follows():
    """A loss of 1 + gamma beside a gain of 1: with $w + \\gamma w^+$ the divisor is nearly 0."""
    weights = jnp.asarray([[1.0, 1.0], [-1.2500001, -0.9999999]])
    out = LRP("gamma", epsilon=0)(lambda x: (x @ weights).sum(), jnp.ones(2), KEY)
    below = np.array([1, -1.25 * 1.25]) * -0.25 / (1 - 1.25 * 1.25)
    above = np.array([1.25, -1]) * 1e-7 / (1.25 - 1)
    np.testing.assert_allclose(out, below + above, rtol=1e-5)
    assert np.abs(out).sum() <= (1 + 2 / 0.25) * (0.25 + 1e-7)


KERNELS = [rng.normal(size=s) for s in ((3, 3, 2, 6), (3, 3, 1, 6), (1, 1, 6, 4), (4, 3))]


def convolutional(x):
    """Strided, depthwise and pointwise convolutions, a max-pool and residual sums, no shifts."""
    kernels = [jnp.asarray(k) for k in KERNELS]
    h = relu(conv(x[None], kernels[0], strides=(2, 2)))
    h = h + relu(conv(h, kernels[1], groups=6) * 0.5)
    h = max_pool(h, 3, 2, padding=1)
    h = relu(conv(h, kernels[2]))
    return (h.mean((0, 1, 2)) @ kernels[3])[1]


@pytest.mark.slow
def test_relevance_is_conserved_without_shifts():
    image = rng.normal(size=(9, 8, 2))
    methods = [LRP(name, epsilon=1e-12) for name in RULES if name != "z_plus"]
    methods += [LRP(composite="epsilon_gamma_box", epsilon=1e-12)]
    methods += [LRP("gamma", first=name, epsilon=1e-12) for name in FIRST]
    score = Score(convolutional, black=(-4.0,), white=(4.0,))
    explain = lambda x: (score(x), [m(score, x, KEY) for m in methods], jax.grad(score)(x))  # noqa: E731
    with jax.enable_x64(True):
        value, maps, gradient = jax.device_get(jax.jit(explain)(jnp.asarray(image)))
    assert abs(value) > 1e-2
    for method, out in zip(methods, maps, strict=True):
        np.testing.assert_allclose(out.sum(), value, rtol=1e-6, err_msg=repr(method))
    np.testing.assert_allclose(maps[0], image * gradient, rtol=1e-9)
    assert all(np.abs(out - maps[0]).max() > 1e-3 for out in maps[2:])


def test_gates_are_constants():
    """Attention, normalisation and squeeze-and-excitation as gradients with their gates stopped."""
    image = rng.normal(size=(5, 8))
    weights = rng.normal(size=(4, 8, 8))
    hold = lax.stop_gradient

    def score(x, hold):
        q, k, v = (jnp.reshape(x @ m, (1, 5, 2, 4)) for m in jnp.asarray(weights[:3]))
        if hold is None:
            h = attention(q, k, v)
        else:
            shares = hold(jax.nn.softmax(jnp.einsum("bqhd,bnhd->bhqn", q, k) / 2))
            h = jnp.einsum("bhqn,bnhd->bqhd", shares, v)
        hold = hold or (lambda x: x)
        h = x + h.reshape(5, 8)
        centred = h - h.mean(-1, keepdims=True)
        h = centred * hold(lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5))
        h = h * hold(jax.nn.sigmoid(h.mean(0, keepdims=True) @ weights[3]))
        return (jax.nn.relu(h) / hold(jnp.linalg.norm(h))).sum()

    def explain(x):
        return LRP("zero")(lambda x: score(x, None), x, KEY), x * jax.grad(score)(x, hold)

    with jax.enable_x64(True):
        ours, expected = jax.jit(explain)(jnp.asarray(image))
    np.testing.assert_allclose(ours, expected, rtol=1e-9)


@pytest.mark.slow
def test_functions_of_one_value_pass_relevance_on_and_absorb_their_value_at_zero():
    with jax.enable_x64(True):
        for g in (jnp.tanh, jax.nn.silu, jax.nn.gelu, jax.nn.sigmoid, jnp.exp):
            out = LRP()(lambda x, g=g: g(x).sum(), IMAGE, KEY)
            np.testing.assert_allclose(out, g(IMAGE) - g(np.float64(0)), rtol=1e-10)


def test_text_reads_back_and_bad_fields_are_errors():
    for method in (LRP(), LRP("gamma", gamma=0.5), LRP(composite="epsilon_plus_flat", first="box")):
        assert parse(repr(method), METHODS) == method
    assert parse('LRP(composite="epsilon_gamma_box")', METHODS).composite == "epsilon_gamma_box"
    for bad in ({"rule": "delta"}, {"composite": "gamma"}, {"first": "zero"}, {"epsilon": -1}):
        with pytest.raises(InputError, match=next(iter(bad))):
            LRP(**bad)
    with pytest.raises(InputError, match="give one of them"):
        LRP("gamma", composite="epsilon_plus")
    with pytest.raises(InputError, match=r"'sort' at .*test_lrp\.py:\d+"):
        LRP()(lambda x: jnp.sort(x)[0, 0], IMAGE.astype(np.float32), KEY)


LARGE = ("densenet121", "efficientnet_b0", "nsfwjs_mobilenet_v2")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("cifar_resnet8", 32),
        ("meso4", 256),
        ("resnet18", 64),
        ("densenet121", 64),
        ("xception", 64),
        ("efficientnet_b0", 64),
        ("nsfwjs_mobilenet_v2", 64),
    ],
)
def test_conservation_on_the_architectures(name, side):
    """Initialised without shifts; with epsilon of 0 the zero rule conserves all relevance."""
    model, params = load(name)
    image = rng.uniform(-1, 1, (side, side, 3)).astype(np.float32)

    # Compiling takes nearly all the time, so the largest networks have the rule that conserves.
    composite = LRP(composite="epsilon_gamma_box")
    others = {"xception": [composite], **{large: [] for large in LARGE}}
    methods = [LRP("zero"), *others.get(name, [LRP("epsilon"), composite])]

    def explain(params, x):
        score = model.score(params, logit(0))
        return [method(score, x, KEY) for method in methods], score(x)

    (out, *further), value = jax.jit(explain)(params, image)
    out = np.asarray(out, np.float64)
    np.testing.assert_allclose(out.sum(), value, atol=1e-5 * np.abs(out).sum() + 1e-6)
    assert all(np.isfinite(o).all() and np.abs(o).max() > 0 for o in further)
    if name == "xception":  # with outputs below 0 before pointwise convolutions and sums
        assert np.abs(further[-1]).sum() < 10 * abs(value)
