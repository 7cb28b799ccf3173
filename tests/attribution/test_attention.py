"""Attention rollout and attention x gradient against explicit matrices, on models of every form."""

from functools import partial, reduce

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.ad_checkpoint import checkpoint_name

from salix.adapters import from_nnx
from salix.attribution import (
    METHODS,
    AttentionGradient,
    AttentionRollout,
    GradCAM,
    SmoothGrad,
    pooling_of,
)
from salix.engine.traced_identity import traced_identity
from salix.engine.traced_model import traced_once
from salix.models.vit import ViT
from salix.nn.attention import attention
from salix.nn.conv import conv_form
from salix.preprocess import Preprocess
from salix.scores import logit
from salix.spec import parse
from salix.typing import InputError, Passes, Score
from tests.attribution.passes import PassCounter

KEY = jax.random.key(0)
rng = np.random.default_rng(0)
LAYERS, HEADS, WIDTH, TOKENS = 3, 2, 4, 7  # a class token and patches on a grid of 2 x 3
IMAGE = rng.normal(size=(4, 6, 3)).astype(np.float32)
PATCHES = rng.normal(size=(12, 8)).astype(np.float32)
MIXES = rng.normal(size=(LAYERS, 3, 8, 8)).astype(np.float32) / 2
HEAD = rng.normal(size=8).astype(np.float32)
close = partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6)
METHOD = {"rollout": AttentionRollout(), "gradient": AttentionGradient()}


def embed(x):
    patches = x.reshape(2, 2, 3, 2, 3).transpose(0, 2, 1, 3, 4).reshape(6, 12) @ PATCHES
    return jnp.concatenate([jnp.ones((1, 8), x.dtype), patches])


def split(x):
    return x.reshape(-1, HEADS, WIDTH)


def weights_of(tokens, mix):
    q, k = (split(tokens @ mix[i]) for i in (0, 1))
    return jax.nn.softmax(jnp.einsum("qhd,khd->hqk", q, k), axis=-1)


def labelled(tokens, mix):
    weights = checkpoint_name(weights_of(tokens, mix), "attention")
    return jnp.einsum("hqk,khd->qhd", weights, split(tokens @ mix[2])).reshape(-1, 8)


def other_axes(tokens, mix):
    weights = checkpoint_name(weights_of(tokens, mix).transpose(2, 1, 0), "attention k q h")
    return jnp.einsum("kqh,khd->qhd", weights, split(tokens @ mix[2])).reshape(-1, 8)


def dot_product(function, tokens, mix):
    q, k, v = (split(tokens @ mix[i])[None] for i in range(3))
    return function(q * np.float32(2), k, v)[0].reshape(-1, 8)  # undoes the scale by sqrt(d)


def in_form(form, tokens, mix):
    with conv_form(form):
        return dot_product(attention, tokens, mix)


FORMS = {
    "labelled": labelled,
    "axes": other_axes,
    "recognised": partial(dot_product, jax.nn.dot_product_attention),
    "explicit": partial(in_form, "explicit"),
    "xla": partial(in_form, "xla"),
}


def network(mixing=labelled, *, loop="python", head=lambda t: jnp.tanh(t[0] @ HEAD)):
    def body(tokens, mix):
        return tokens + jnp.tanh(mixing(tokens, mix)), None

    def score(x):
        tokens = embed(x)
        if loop == "scan":
            return head(jax.lax.scan(body, tokens, jnp.asarray(MIXES))[0])
        step = {"python": body, "jit": jax.jit(body), "remat": jax.checkpoint(body)}[loop]
        for mix in MIXES:
            tokens, _ = step(tokens, mix)
        return head(tokens)

    return score


def matrices(image=IMAGE, head=lambda t: jnp.tanh(t[0] @ HEAD)):
    """Weights and gradients of the layers, [L h q k], by perturbations added to the weights."""

    def forward(change):
        tokens, weights = embed(jnp.asarray(image)), []
        for mix, c in zip(MIXES, change, strict=True):
            weights.append(weights_of(tokens, mix))
            mixed = jnp.einsum("hqk,khd->qhd", weights[-1] + c, split(tokens @ mix[2]))
            tokens = tokens + jnp.tanh(mixed.reshape(-1, 8))
        return head(tokens), jnp.stack(weights)

    zero = jnp.zeros((LAYERS, HEADS, TOKENS, TOKENS))
    gradients, weights = jax.jit(jax.grad(forward, has_aux=True))(zero)
    return np.asarray(weights, np.float64), np.asarray(gradients, np.float64)


def slow(name, **options):
    """The product of whole matrices, as the papers write it."""
    result = np.eye(TOKENS)
    for weights, gradients in zip(*matrices(**options), strict=True):
        if name == "rollout":
            result = (weights.mean(0) / 2 + np.eye(TOKENS) / 2) @ result
        else:
            result = result + np.maximum(weights * gradients, 0).mean(0) @ result
    return result


def run(method, score, image=IMAGE):
    return np.asarray(jax.jit(partial(method, score))(image, KEY))


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", METHOD)
def test_the_row_of_the_class_token_for_weights_of_every_form(name, form):
    expected = slow(name)[0, 1:].reshape(2, 3, 1)
    assert expected.std() > 1e-3
    close(run(METHOD[name], network(FORMS[form])), expected)


@pytest.mark.parametrize("loop", ["jit", "scan", pytest.param("remat", marks=pytest.mark.slow)])
@pytest.mark.slow
def test_layers_in_calls_and_loops(loop):
    expected = slow("gradient")[0, 1:].reshape(2, 3, 1)
    close(run(AttentionGradient(), network(loop=loop)), expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", METHOD)
def test_without_a_class_token_the_mean_over_the_tokens(name):
    """Six tokens are the patches; the matrices come from the method's own layers of one."""
    score = lambda x: jnp.tanh(labelled(embed(x)[1:], MIXES[0]).mean(0) @ HEAD)  # noqa: E731
    out = run(METHOD[name], score)

    def forward(change):
        tokens = embed(jnp.asarray(IMAGE))[1:]
        weights = weights_of(tokens, MIXES[0])
        mixed = jnp.einsum("hqk,khd->qhd", weights + change, split(tokens @ MIXES[0][2]))
        return jnp.tanh(mixed.reshape(-1, 8).mean(0) @ HEAD), weights

    gradients, weights = jax.grad(forward, has_aux=True)(jnp.zeros((HEADS, 6, 6)))
    change = np.maximum(weights * gradients, 0).mean(0)
    matrix = (weights.mean(0) + np.eye(6)) / 2 if name == "rollout" else np.eye(6) + change
    close(out, np.asarray(matrix).mean(0).reshape(2, 3, 1))


@pytest.mark.slow
def test_rollout_adds_up_with_the_class_tokens_share_to_one_and_ignores_the_class():
    out = run(AttentionRollout(), network())
    assert out.min() >= 0
    close(out.sum() + slow("rollout")[0, 0], 1)
    other = network(head=lambda t: t[0] @ HEAD[::-1])
    np.testing.assert_array_equal(run(AttentionRollout(), other), out)
    assert (
        np.abs(run(AttentionGradient(), other) - run(AttentionGradient(), network())).max() > 1e-3
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", METHOD)
def test_conformance(name):
    """Batches, keys, passes, NaN, double precision and text, as of every method."""
    method, batch = METHOD[name], np.stack([IMAGE, -IMAGE, np.full_like(IMAGE, np.nan), IMAGE])
    counter = PassCounter(Score(lambda t: jnp.tanh(t[0] @ HEAD), network(head=lambda t: t)))
    explain = jax.jit(partial(method, counter.score))
    one = np.asarray(explain(IMAGE, KEY))
    assert counter.passes() == method.passes(IMAGE.shape)
    assert method.passes((4, 6, 3)) == (
        Passes(evaluations=1) if name == "rollout" else Passes(gradients=1)
    )
    np.testing.assert_array_equal(explain(IMAGE, jax.random.PRNGKey(1)), one)
    together = jax.jit(jax.vmap(partial(method, network()), in_axes=(0, None)))(batch, KEY)
    close(together[0], one)
    np.testing.assert_array_equal(together[0], together[3])
    assert np.isnan(together[2]).all()
    assert one.dtype == np.float32
    assert parse(repr(method), METHODS) == method
    assert pooling_of(method) == "signed_sum"


@pytest.mark.slow
@pytest.mark.parametrize("name", METHOD)
def test_double_precision_and_noisy_copies(name):
    with jax.enable_x64(True):
        single = network()
        double = run(METHOD[name], lambda x: single(x.astype(jnp.float32)), IMAGE.astype(float))
    close(double, run(METHOD[name], network()))
    assert run(SmoothGrad(METHOD[name], samples=2), network()).shape == (2, 3, 1)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["explicit", "xla"])
def test_vision_transformers_of_the_registry(form):
    """The last block's weights are the class token's row alone."""
    module = ViT(width=8, depth=3, heads=2, embedding=6, grid=2, patch=4, rngs=nnx.Rngs(0))
    model, params = from_nnx(module, preprocess=Preprocess(size=(8, 8)))
    image = rng.normal(size=(8, 8, 3)).astype(np.float32)
    score = traced_once(model, "float32").score(params, logit(1))

    def weights_in(block, tokens):
        layer, n = block.attention, block.norm1(tokens)
        q, k = (layer._split(part(n)) for part in (layer.query, layer.key))
        return jax.nn.softmax(jnp.einsum("bqhd,bkhd->bhqk", q, k) / np.float32(2), -1)[0].mean(0)

    with conv_form(form):
        out = run(AttentionRollout(), score, image)
        gradient = run(AttentionGradient(), score, image)
        tokens, expected = module._tokens(jnp.asarray(image)[None]), np.eye(5)
        for block in module.blocks:
            expected = (np.asarray(weights_in(block, tokens)) + np.eye(5)) / 2 @ expected
            tokens = block(tokens)
    close(out, expected[0, 1:].reshape(2, 2, 1))
    assert gradient.shape == (2, 2, 1)
    assert gradient.max() > 0
    assert run(GradCAM(), score, image).shape == (2, 2, 1)


def test_scores_without_attention_say_what_to_label():
    for score in (
        lambda x: x.sum(),
        lambda x: jnp.float32(0),
        lambda x: jax.nn.softmax(x[0, 0])[0],
    ):
        with pytest.raises(InputError, match=r'no attention weights: label .*"attention"'):
            AttentionRollout()(score, IMAGE, KEY)


def test_windows_other_numbers_of_tokens_and_names_that_do_not_fit_are_refused():
    def attend(x, shape, name="attention"):
        return checkpoint_name(jnp.exp(x.sum() * jnp.ones(shape, np.float32)), name).sum()

    for message, shapes in {
        "several images or windows": [(4, 2, 7, 7)],
        r"have \[7, 13\] tokens": [(2, 7, 7), (2, 13, 13)],
        "layer 1 of 1 .* 3 queries and 7 keys": [(2, 3, 7)],
        "layer 1 of 2 .* 1 queries and 7 keys": [(2, 1, 7), (2, 7, 7)],
        "10 tokens fit no grid": [(2, 10, 10)],
    }.items():
        score = lambda x, shapes=shapes: reduce(attend, shapes, x)  # noqa: E731
        with pytest.raises(InputError, match=message):
            jax.eval_shape(partial(AttentionRollout(), score), IMAGE, KEY)
    for name in ("attention b q k", "attention h q n w"):
        with pytest.raises(InputError, match="list each by a letter"):
            AttentionRollout()(lambda x, n=name: attend(x, (1, 2, 7, 7), n), IMAGE, KEY)


@pytest.mark.slow
def test_a_name_is_no_operation():
    """Attention and its gradient are the same program with and without the name."""
    x = rng.normal(size=(1, 5, 2, 4)).astype(np.float32)

    def program():
        with conv_form("explicit"):
            value = jax.value_and_grad(lambda q: attention(q, q, q).sum())
            lines = jax.jit(value).lower(x).as_text().splitlines()
        return [line for line in lines if "loc" not in line]

    import salix.nn.attention as module

    named = program()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "checkpoint_name", lambda weights, name: weights)
        jax.clear_caches()
        assert program() == named


def test_a_name_is_not_part_of_a_programs_identity():
    """Runs of transformers keep their identity; a value that is used twice keeps its place."""

    def program(name):
        return jax.make_jaxpr(lambda x: (name(jnp.exp(x)) @ jnp.exp(x)).sum())(np.eye(2))

    named = program(lambda x: checkpoint_name(x, "attention"))
    assert traced_identity(named) == traced_identity(program(lambda x: x))
    assert traced_identity(named) != traced_identity(program(lambda x: 2 * x))
