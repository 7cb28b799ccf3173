"""Parameter randomisation tests and random logit against explicit loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import spearmanr

import salix
from salix.attribution import Gradient, InputXGradient
from salix.engine import ModelExplainer
from salix.metrics import Similarity, efficient_mprt, mprt, pearson, random_logit, smooth_mprt, ssim
from salix.metrics.randomisation.layer_order import layer_groups
from salix.metrics.randomisation.parameter_randomisation import randomise
from salix.scores import logit
from salix.typing import Explainer, Explanation, InputError

KEY = jax.random.key(0)
rng = np.random.default_rng(0)
IMAGE = jnp.asarray(rng.uniform(size=(8, 8, 3)), jnp.float32)


def normal(*shape):
    return rng.normal(size=shape).astype(np.float32)


# Names in the reverse of their order of use, and a scale that meets its kernel before the image.
PARAMS = {
    "z first": {"kernel": normal(3, 4), "scale": normal(4), "steps": np.int32(3)},
    "m middle": {"kernel": normal(4, 6)},
    "a last": {"kernel": normal(8, 8, 6, 3), "bias": normal(3)},
    "unused": {"kernel": normal(2)},
}


def head(params, x):
    folded = params["a last"]["kernel"].astype(jnp.float32)  # cast before the first layer
    first = params["z first"]["kernel"] * params["z first"]["scale"][None]
    x = jax.jit(lambda w, x: jnp.tanh(x @ w))(first, x)
    x = jnp.tanh(x @ params["m middle"]["kernel"])
    return jnp.einsum("hwk,hwkc->c", x, folded) + params["a last"]["bias"]


MODEL, _ = salix.from_function(
    head,
    PARAMS,
    preprocess=salix.Preprocess((8, 8)),
    classes=("a", "b", "c"),
)


def explainer(method=Gradient(), **options):  # noqa: B008 - it is frozen
    return ModelExplainer(MODEL, PARAMS, method, **options).explainer()


def group_names(explain, image=IMAGE, depth=1):
    paths = [
        jax.tree_util.keystr(p) for p, _ in jax.tree_util.tree_leaves_with_path(explain.params)
    ]
    return [[paths[i] for i in group] for group in layer_groups(explain, image, depth)]


def test_layers_are_in_the_order_of_their_use():
    first, middle, last = group_names(explainer())
    assert first == ["['z first']['kernel']", "['z first']['scale']"]
    assert middle == ["['m middle']['kernel']"]
    assert sorted(last) == ["['a last']['bias']", "['a last']['kernel']"]
    assert [len(group) for group in group_names(explainer(), depth=2)] == [1, 1, 1, 1, 1]


def test_parameters_that_no_pass_uses_are_refused():
    head = lambda params, x: x.sum((0, 1))  # noqa: E731
    model, params = salix.from_function(
        head, {"w": np.ones(2, "f")}, preprocess=salix.Preprocess((8, 8)), classes=("a", "b", "c")
    )
    with pytest.raises(InputError, match="no array of the parameters is used"):
        mprt(ModelExplainer(model, params, Gradient()).explainer(), IMAGE, KEY)


def test_layers_of_a_network(tiny):
    explain = ModelExplainer(*tiny, Gradient()).explainer()
    image = jnp.ones((16, 16, 3))
    first, second = group_names(explain, image)
    assert all("convolution" in name for name in first)
    assert all("linear" in name for name in second)

    @jax.jit
    def count(params, image):
        return jnp.int32(len(layer_groups(explain.with_params(params), image)))

    assert int(count(explain.params, image)) == 2  # though a compiled function sorts names


@pytest.mark.slow
@pytest.mark.parametrize("randomiser", ["permutation", "gaussian"])
def test_randomised_arrays_keep_their_values_or_moments(randomiser):
    params = {"a": normal(60, 50), "b": np.abs(normal(4000)), "c": normal(5), "d": np.ones(4, "f")}
    a, b, c, d = randomise(params, [0, 1, 3], KEY, randomiser)
    assert c is params["c"]
    np.testing.assert_array_equal(d, params["d"])
    assert np.mean(np.asarray(a) == params["a"]) < 0.01
    if randomiser == "permutation":
        np.testing.assert_array_equal(np.sort(a, None), np.sort(params["a"], None))
    else:
        assert np.mean(a) == pytest.approx(np.mean(params["a"]), abs=0.08)
        assert np.std(a) == pytest.approx(np.std(params["a"]), rel=0.08)
        assert np.min(b) >= 0


FIRST, MIDDLE, LAST = [4, 5], [2], [0, 1]  # places among the arrays, which are sorted by name


def by_hand(stages):
    """Mean similarity of the stages, each a list of places, by SciPy."""
    explain = explainer()
    attribution = jax.jit(
        lambda params: jnp.abs(explain.with_params(params)(IMAGE, target).attribution).sum(-1)
    )
    target = jnp.argmax(MODEL.logits(PARAMS, IMAGE)).astype(jnp.int32)
    clean = np.asarray(attribution(PARAMS))
    arrays = randomise(PARAMS, FIRST + MIDDLE + LAST, jax.random.key(0), "permutation")
    values = []
    for places in stages:
        leaves = jax.tree.leaves(PARAMS)
        for i in places:
            leaves[i] = arrays[i]
        a = np.asarray(attribution(jax.tree.unflatten(jax.tree.structure(PARAMS), leaves)))
        values.append(spearmanr(clean.ravel(), a.ravel()).statistic)
    return np.mean(values)


@pytest.mark.parametrize(
    ("order", "stages", "places"),
    [
        ("top_down", 10, [LAST, LAST + MIDDLE, LAST + MIDDLE + FIRST]),
        pytest.param(
            "bottom_up", 2, [FIRST + MIDDLE, FIRST + MIDDLE + LAST], marks=pytest.mark.slow
        ),
        pytest.param("independent", 3, [LAST, MIDDLE, FIRST], marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_mprt_is_that_of_a_loop(order, stages, places):
    value = jax.jit(lambda x: mprt(explainer(), x, KEY, order=order, stages=stages))(IMAGE)
    assert float(value) == pytest.approx(by_hand(places), abs=1e-4)


@pytest.mark.slow
def test_a_map_that_ignores_the_model_stays_the_same():
    blind = explainer(lambda score, image, key: image)
    assert float(mprt(blind, IMAGE, KEY, stages=1)) == pytest.approx(1, abs=1e-6)
    assert float(efficient_mprt(blind, IMAGE, KEY)) == 0
    assert np.isnan(mprt(explainer(lambda s, x, k: 0 * x), IMAGE, KEY, stages=1))
    assert np.isnan(efficient_mprt(explainer(lambda s, x, k: 0 * x), IMAGE, KEY))


@pytest.mark.slow
def test_efficient_mprt_is_that_of_numpy():
    explain = explainer(InputXGradient())
    arrays = randomise(PARAMS, FIRST + MIDDLE + LAST, jax.random.key(5), "gaussian")
    other = explain.with_params(jax.tree.unflatten(jax.tree.structure(PARAMS), arrays))

    def entropy(a):
        p = np.histogram(np.asarray(a), 20)[0] / a.size
        return -(p[p > 0] * np.log(p[p > 0])).sum()

    clean = explain(IMAGE)
    before, after = entropy(clean.attribution), entropy(other(IMAGE, clean.target).attribution)
    options = {"bins": 20, "seed": 5, "randomiser": "gaussian"}
    value = jax.jit(lambda x: efficient_mprt(explain, x, KEY, **options))(IMAGE)
    assert float(value) == pytest.approx((after - before) / before, abs=0.02)  # a value at an edge


@pytest.mark.slow
def test_smooth_mprt_is_that_of_the_averaged_attribution():
    samples, noise = 3, 0.2
    spread = noise * (IMAGE.max() - IMAGE.min())

    def smooth(score, image, key):
        total = 0
        for i in range(samples):
            u = jax.random.normal(jax.random.fold_in(KEY, i), image.shape)
            total = total + jax.grad(score)(image + spread * u) / samples
        return total

    options = {"order": "bottom_up", "stages": 3}
    value = jax.jit(
        lambda x: smooth_mprt(explainer(), x, KEY, samples=samples, noise=noise, stages=3)
    )(IMAGE)
    expected = jax.jit(lambda x: mprt(explainer(smooth), x, KEY, **options))(IMAGE)
    assert float(value) == pytest.approx(float(expected), abs=1e-4)


@pytest.mark.slow
def test_random_logit_compares_with_each_other_class():
    explain = explainer(InputXGradient())
    clean = explain(IMAGE)
    others = [i for i in range(3) if i != int(clean.target)]
    for metric, similarity in ((ssim, None), (pearson, Similarity("pearson", eight_bit=False))):
        options = {} if similarity is None else {"similarity": similarity}
        call = jax.jit(lambda key, o=options: random_logit(explain, IMAGE, key, **o))
        values = {round(float(call(jax.random.key(i))), 4) for i in range(12)}
        maps = [explain(IMAGE, jnp.int32(i)).map for i in others]
        assert values == {round(float(metric(clean.map, map)), 4) for map in maps}
    blind = explainer(lambda score, image, key: image)
    assert float(random_logit(blind, IMAGE, KEY)) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("metric", [mprt, efficient_mprt])
def test_memory_does_not_hold_a_model_for_each_image(metric):
    shape = jax.ShapeDtypeStruct((16, 8, 8, 3), np.float32)
    program = jax.jit(jax.vmap(lambda x: metric(explainer(), x, KEY)))
    text = program.lower(shape).as_text()
    assert "16x8x8x4x3" not in text
    assert "16x8x8x6x3" not in text  # the last kernel is randomised once for all images


def test_bad_input_is_refused():
    plain = Explainer(lambda image, target: Explanation(jnp.ones(2), jnp.int32(0), image[..., 0]))
    fixed = explainer(score=logit(1))
    for call, message in (
        (lambda: mprt(plain, IMAGE, KEY), "the parameters need a model"),
        (lambda: mprt(explainer(), IMAGE, KEY, order="x"), "order is 'x'.*top_down"),
        (lambda: mprt(explainer(), IMAGE, KEY, randomiser="x"), "permutation, gaussian"),
        (lambda: mprt(explainer(), IMAGE, KEY, stages=0), "stages is 0"),
        (lambda: random_logit(fixed, IMAGE, KEY), "same for every class"),
    ):
        with pytest.raises(InputError, match=message):
            call()
