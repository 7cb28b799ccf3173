"""DeepLIFT: completeness of every rule, Shapley values of small networks, and a slow version."""

from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from salix.attribution import DeepLIFT, DeepLIFTSHAP
from salix.models import load
from salix.nn import max_pool, relu
from salix.nn.attention import attention
from salix.nn.conv import conv, conv_form
from salix.scores import logit, margin, probability
from salix.typing import InputError, Score

KEY = jax.random.key(0)
rng = np.random.default_rng(0)
IMAGE, BASELINE, WEIGHTS = rng.normal(size=(3, 5, 8))
MATRICES = rng.normal(size=(3, 8, 8))


def attend(x):
    q, k, v = (jnp.reshape(x @ m, (1, 5, 2, 4)) for m in jnp.asarray(MATRICES))
    return (attention(q, k, v).reshape(5, 8) * WEIGHTS).sum()


def attend_in_xla(x):
    with conv_form("xla"), jax.numpy_dtype_promotion("standard"):
        return attend(x)


def normalise(x):
    centred = x - x.mean(-1, keepdims=True)
    variance = (centred**2).mean(-1, keepdims=True)
    return ((centred * lax.rsqrt(variance + 1e-5)) * WEIGHTS).sum()


def weighted(function):
    return lambda x: (function(x) * WEIGHTS).sum()


def gated(x):
    squeezed = jax.nn.silu(x.mean(0, keepdims=True) @ MATRICES[0])
    return (x * jax.nn.sigmoid(squeezed) * WEIGHTS).sum()


def pooled(form):
    def score(x):
        with conv_form(form):
            return (max_pool(x[None, ..., None], 3, 2, padding=1) ** 2).sum()

    return score


def padded_convolution(x):
    kernel = jnp.asarray(MATRICES[0, :3, :6].reshape(3, 3, 1, 2))
    h = relu(conv(x[None, ..., None], kernel, strides=(2, 1)))
    return (jax.nn.gelu(h) @ jnp.asarray(MATRICES[1, :2, :1])).sum()


def scanned(x):
    step = lambda h, row: (jnp.tanh(h @ MATRICES[0] + row), h)  # noqa: E731
    h, states = lax.scan(step, jnp.zeros(8), x)
    return (h**2).sum() + (states * WEIGHTS).sum()


FUNCTIONS = {
    "tanh": weighted(jnp.tanh),
    "gelu": weighted(jax.nn.gelu),
    "exact gelu": weighted(lambda x: jax.nn.gelu(x, approximate=False)),
    "silu": weighted(jax.nn.silu),
    "mish": weighted(jax.nn.mish),
    "relu6": weighted(lambda x: jax.nn.relu6(4 * x)),
    "leaky relu": weighted(jax.nn.leaky_relu),
    "hard swish": weighted(lambda x: jax.nn.hard_swish(4 * x)),
    "softplus": weighted(jax.nn.softplus),
    "elu": weighted(jax.nn.elu),
    "abs": weighted(jnp.abs),
    "sign": weighted(jnp.sign),
    "power": weighted(lambda x: jnp.exp(x) ** 1.5),
    "quotient": weighted(lambda x: x / (1 + x[::-1] ** 2)),
    "square of products": lambda x: ((x @ x.T) ** 2).sum(),
    "convolved with itself": lambda x: jnp.convolve(x[0], x[1]).sum(),
    "softmax": weighted(jax.nn.softmax),
    "log softmax": weighted(jax.nn.log_softmax),
    "masked softmax": weighted(lambda x: jax.nn.softmax(jnp.where(jnp.arange(8) < 5, x, -jnp.inf))),
    "logsumexp": lambda x: jax.nn.logsumexp(x),
    "layer norm": normalise,
    "unit vector": weighted(lambda x: x / jnp.linalg.norm(x, axis=-1, keepdims=True)),
    "gate": gated,
    "attention": attend,
    "attention in xla": attend_in_xla,
    "maxima and minima": lambda x: x.max() * x.min(0).sum() + jnp.maximum(x[0], x[1]).sum(),
    "running maximum": lambda x: lax.cummax(x, 1).sum(),
    "max-pool": pooled("explicit"),
    "max-pool in xla": pooled("xla"),
    "convolution": padded_convolution,
    "loop": scanned,
    "logit": lambda x: logit(2)(x[0] * x[1]),
    "probability": lambda x: probability(2)(x[0] * x[1]),
    "margin": lambda x: margin(2)(x[0] * x[1]),
    "indices": lambda x: jnp.take(x, jnp.asarray([3, 1, 1]), axis=1).sum() ** 2 + x[::2, 1].sum(),
}


@pytest.fixture(scope="module")
def attributions():
    """Attribution, score of the image and of the baseline, of each of `FUNCTIONS`."""

    def explain(x, y):
        return {name: (DeepLIFT(y)(f, x, KEY).sum(), f(x), f(y)) for name, f in FUNCTIONS.items()}

    with jax.enable_x64(True), jax.numpy_rank_promotion("allow"):
        return jax.device_get(jax.jit(explain)(jnp.asarray(IMAGE), jnp.asarray(BASELINE)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_attributions_add_up_to_the_difference_from_the_baseline(name, attributions):
    total, score, reference = attributions[name]
    assert abs(score - reference) > 1e-3
    # JAX computes the softmax of its own attention in 32 bits.
    rtol = 1e-6 if name == "attention in xla" else 1e-10
    np.testing.assert_allclose(total, score - reference, rtol=rtol)


def shapley(f, x, y):
    """Shapley values of the pixels of x, absent ones those of y, over all orders."""
    values = np.zeros(x.size)
    orders = list(permutations(range(x.size)))
    for order in orders:
        point = y.copy()
        for i in order:
            before = f(point)
            point[i] = x[i]
            values[i] += (f(point) - before) / len(orders)
    return values


def test_shapley_values_of_small_additive_networks():
    """One unit for each input, and products of two: the mean over orders is exact."""
    x, y, w, b, v = rng.normal(size=(5, 5))

    def network(x, np=jnp):
        units = np.tanh(w * x + b) * v + np.maximum(w * x - b, 0) + np.exp(-(x**2))
        return units.sum() + x[0] * x[3] + np.tanh(x[1]) / (1 + np.exp(x[4]))

    with jax.enable_x64(True):
        ours = jax.jit(lambda x, y: DeepLIFT(y)(network, x, KEY))(x, y)
    np.testing.assert_allclose(ours, shapley(lambda x: network(x, np), x, y), rtol=1e-10)


def test_two_layers_by_hand():
    """ReLU and sigmoid with the rescale rule, as a product of matrices."""
    a, b, c = MATRICES[0], MATRICES[1], WEIGHTS[0]
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    h, h0 = IMAGE @ a, BASELINE @ a
    h[0] = h0[0] = 0.3  # equal: the derivative
    k, k0 = np.maximum(h, 0) @ b, np.maximum(h0, 0) @ b
    first = np.where(
        h == h0, h > 0, (np.maximum(h, 0) - np.maximum(h0, 0)) / np.where(h == h0, 1, h - h0)
    )
    second = np.where(
        k == k0,
        sigmoid(k) * (1 - sigmoid(k)),
        (sigmoid(k) - sigmoid(k0)) / np.where(k == k0, 1, k - k0),
    )
    expected = ((second * c) @ b.T * first) @ a.T * (IMAGE - BASELINE)

    def score(x):
        hidden = (x @ a).at[0].set(0.3)
        return (jax.nn.sigmoid(jax.nn.relu(hidden) @ b) @ c).sum()

    with jax.enable_x64(True):
        ours = jax.jit(lambda x, y: DeepLIFT(y)(score, x, KEY))(
            jnp.asarray(IMAGE), jnp.asarray(BASELINE)
        )
    np.testing.assert_allclose(ours[1:], expected[1:], rtol=1e-10)
    np.testing.assert_array_equal(ours[0], 0)


def test_linear_in_the_mean_over_references_and_black_and_white():
    score = Score(lambda f: (f**3).sum(), lambda x: 2 * x, (-1.0,), (2.0,))
    references = rng.normal(size=(4, *IMAGE.shape)).astype(np.float32)
    image = IMAGE.astype(np.float32)
    mean = np.mean([DeepLIFT(r)(score, image, KEY) for r in references], 0)
    np.testing.assert_allclose(
        DeepLIFTSHAP(references)(score, image, KEY), mean, rtol=1e-4, atol=1e-4
    )
    assert DeepLIFTSHAP(references).passes(image.shape).gradients == 4
    ends = [DeepLIFT(v)(score, image, KEY) for v in (-1.0, 2.0)]
    for method in (DeepLIFT("black_white"), DeepLIFTSHAP()):
        np.testing.assert_allclose(
            method(score, image, KEY), np.mean(ends, 0), rtol=1e-4, atol=1e-4
        )
        assert len(method.baselines(score, image)) == 2


def test_the_image_itself_as_baseline_is_zero_and_finite():
    chosen = ("layer norm", "attention", "max-pool", "softplus", "quotient")
    explain = lambda x: [DeepLIFT(x)(FUNCTIONS[name], x, KEY) for name in chosen]  # noqa: E731
    with jax.enable_x64(True), jax.numpy_rank_promotion("allow"):
        for out in jax.jit(explain)(jnp.asarray(IMAGE)):
            np.testing.assert_array_equal(out, 0)


def test_stopped_gradients_are_not_attributed_and_the_predicted_class_is_kept():
    x, y = IMAGE[0], BASELINE[0]
    with jax.enable_x64(True):
        stopped = DeepLIFT(y)(lambda x: (x * lax.stop_gradient(x)).sum(), x, KEY)
        np.testing.assert_allclose(stopped, (x - y) * (x + y) / 2)
        chosen = DeepLIFT(y)(lambda x: (x**2)[(x**2).argmax()], x, KEY)
        best = int((x**2).argmax())
        fixed = DeepLIFT(y)(lambda x: (x**2)[best], x, KEY)
    np.testing.assert_array_equal(chosen, fixed)


def test_what_has_no_rule_or_does_not_fit_is_an_error():
    image = IMAGE.astype(np.float32)
    choice = lambda x: jnp.where(x[0] > x[1], x[2], x[3]).sum()  # noqa: E731
    with pytest.raises(InputError, match=r"'select_n' at .*test_deeplift\.py:\d+"):
        DeepLIFT()(choice, image, KEY)
    with pytest.raises(InputError, match=r"'sort' at .*test_deeplift\.py:\d+"):
        DeepLIFTSHAP(0.0)(lambda x: jnp.sort(x)[0, 0], image, KEY)
    with pytest.raises(InputError, match="baseline has shape"):
        DeepLIFT((0.0, 1.0))(lambda x: x.sum(), image, KEY)
    with pytest.raises(InputError, match="baseline is"):
        DeepLIFT("grey")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("cifar_resnet8", 32),
        ("meso4", 256),
        ("resnet18", 64),
        ("densenet121", 64),
        ("inception_v3", 96),
        ("xception", 64),
        ("efficientnet_b0", 64),
        ("nsfwjs_mobilenet_v2", 64),
        ("clip_vit_b16", 224),
    ],
)
def test_completeness_on_the_architectures(name, side):
    model, params = load(name)
    x, y = rng.uniform(-1, 1, (2, side, side, 3)).astype(np.float32)
    score = lambda params: model.score(params, logit(0))  # noqa: E731

    def explain(params, x, y):
        return DeepLIFT(y)(score(params), x, KEY), score(params)(x) - score(params)(y)

    out, difference = jax.jit(explain)(params, x, y)
    out = np.asarray(out, np.float64)
    assert np.abs(out).max() > 0
    np.testing.assert_allclose(out.sum(), difference, atol=2e-6 * np.abs(out).sum() + 1e-5)
