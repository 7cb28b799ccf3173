"""The promises of every attribution method.

A method in `METHODS` and `CATALOGUE` is tested here. One that needs arguments to be cheap on small
images has them in `SETTINGS`, and one whose number of passes is not one of the fields in `AMOUNTS`
names that field, with a cheap and a costly value, in `SCALED`.
"""

import math
import re
from dataclasses import fields
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salix.attribution import ARGUMENTS, CATALOGUE, METHODS, SmoothGrad, passes_of, pooling_of
from salix.perturb.partition import Grid, Superpixels
from salix.scores import logit
from salix.spec import parse
from salix.typing import InputError, Passes, Score
from tests.attribution.passes import PassCounter, temporary_bytes

KEYS = jax.random.split(jax.random.key(0), 2)
SPACE = (6, 4)
HOW = r"trunk: give from_function\(.*model.at\(cut\)|give model.score\(params, "
SETTINGS = {
    # In a loop over references the marks of gradients, at the image, are counted once.
    "DeepLIFTSHAP": {"references": 0.0},
    "AtCuts": {"cuts": ("linear", "features")},
    "XRAI": {"base": METHODS["IntegratedGradients"](steps=2), "scales": (50,)},
    "GuidedIG": {"steps": 20},
    "BlurIG": {"steps": 20},
    "AdaptiveIntegratedGradients": {"first": 2, "tolerance": 0},  # all its steps
    "AblationCAM": {"channels": 5},
    "ScoreCAM": {"channels": 5},
    "Occlusion": {"chunk": 1},
    "FeatureAblation": {"chunk": 1},
    "ShapleySampling": {"permutations": 3, "partition": Grid(3), "chunk": 1},
    "KernelSHAP": {"samples": 40, "partition": Grid(3), "chunk": 1},
    "LIME": {"samples": 40, "partition": Grid(3), "chunk": 1},
    "RISE": {"masks": 20, "chunk": 1},
    "Sobol": {"designs": 4, "partition": Grid(3), "chunk": 1},
    "HSIC": {"masks": 20, "partition": Grid(3), "chunk": 1},
}
AMOUNTS = ("steps", "samples", "masks", "evaluations")
SCALED: dict[str, tuple[str, object, object]] = {
    "AblationCAM": ("channels", 2, 5),
    "ScoreCAM": ("channels", 2, 5),
    "Occlusion": ("window", 16, 4),
    "FeatureAblation": ("partition", Grid(2), Grid(6)),
    "ShapleySampling": ("permutations", 1, 4),
    "Sobol": ("designs", 4, 16),
}
numbers = st.floats(-1e30, 1e30) | st.integers(-1000, 1000)
# Attention methods need a transformer: tests/attribution/test_attention.py has their conformance.
TESTED = [name for name in METHODS if CATALOGUE[name].family != "attention"]
per_method = pytest.mark.parametrize("name", TESTED)
CHUNKED = [name for name in TESTED if "chunk" in [f.name for f in fields(METHODS[name])]]


def method_of(name, **changes):
    return METHODS[name](**{**SETTINGS.get(name, {}), **changes})


def network(space, dtype: type = np.float32, channels=3):
    """A convolution to 5 features on a grid of half the size, their mean and a linear layer.

    The score is that of the first of two classes, as a model makes it, with two cuts.
    """
    rng, axes = np.random.default_rng(0), len(space)
    kernel = (rng.uniform(size=(*[2] * axes, channels, 5)) / 2**axes).astype(dtype)
    weights = rng.uniform(size=(5,)).astype(dtype)
    image = (0, axes + 1, *range(1, axes + 1))
    places = jax.lax.ConvDimensionNumbers(image, (axes + 1, axes, *range(axes)), image)

    def convolve(x):
        return jax.lax.conv_general_dilated(
            x[None], kernel, [2] * axes, "SAME", dimension_numbers=places
        )[0]

    def logits(features):
        # They are positive: the ReLU changes nothing, but some methods are defined at ReLUs.
        strength = jnp.tanh(jax.nn.relu(features).mean(tuple(range(axes))) @ weights)
        return jnp.stack([strength, -strength])

    def divide(score_of, cut):
        before, behind = (lambda x: x, jnp.tanh) if cut == "linear" else (jnp.tanh, lambda x: x)
        return Score(
            lambda features: score_of(logits(behind(features))),
            lambda x: before(convolve(x)),
            score_of=score_of,
            cuts=("linear", "features"),
            rebuild=divide,
        )

    return divide(logit(0), None)


def images(space, dtype: type = np.float32, count=1):
    return np.random.default_rng(1).uniform(size=(count, *space, 3)).astype(dtype)


def spaces(name, candidates):
    return [s for s in candidates if len(s) in (CATALOGUE[name].axes or (len(s),))]


def shape_of(name, space, channels=3):
    method = method_of(name)
    explain = partial(method, network(space, channels=channels))
    return jax.eval_shape(explain, jnp.ones((*space, channels)), KEYS[0])


@cache
def together(name):
    """Attributions of a batch, and the passes of all its examples.

    An image with two keys, a NaN, another image, and the first image again.
    """
    counter = PassCounter(network(SPACE))
    one, other = images(SPACE, count=2)
    batch = np.stack([one, one, np.full_like(one, np.nan), other, one])
    keys = KEYS[np.array([0, 1, 0, 1, 0])]
    method = method_of(name)

    def explain(image, key, one):
        return method(counter.score_of_example(one), image, key)

    ones = np.ones(len(batch), np.float32)
    return np.asarray(jax.jit(jax.vmap(explain))(batch, keys, ones)), counter.passes()


close = partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)


@per_method
def test_neighbours_have_no_influence_and_undefined_is_nan(name):
    first, _, nan, other, again = together(name)[0]
    np.testing.assert_array_equal(first, again)
    assert np.isnan(nan).all()
    assert np.isfinite(first).all()
    assert np.abs(first).max() > 0
    assert np.abs(first - other).max() > 0


@pytest.mark.slow
@per_method
def test_vmap_is_a_loop_and_so_are_its_passes(name):
    first, _, _, other, _ = together(name)[0]
    counter = PassCounter(network(SPACE))
    explain = jax.jit(partial(method_of(name), counter.score))
    for image, key, expected in zip(images(SPACE, count=2), KEYS, (first, other), strict=True):
        close(explain(image, key), expected)
        assert counter.passes() == passes_of(method_of(name), image.shape)


@pytest.mark.parametrize("name", CHUNKED)
def test_a_chunk_shortens_the_loops_and_changes_nothing(name):
    space = (20, 18)  # more than one window of occlusion
    (image,), maps, turns = images(space), [], []
    for chunk in (1, 4):
        explain = jax.jit(partial(method_of(name, chunk=chunk), network(space)))
        explain = explain.trace(image, KEYS[0])
        maps.append(explain.lower().compile()(image, KEYS[0]))
        turns.append(sum(int(n) for n in re.findall(r"\blength=(\d+)", str(explain.jaxpr))))
    close(*maps)
    assert turns[1] < turns[0]


@per_method
def test_random_methods_follow_their_key_and_others_ignore_it(name):
    first, another, *_ = together(name)[0]
    assert CATALOGUE[name].random == (np.abs(first - another).max() > 0)


@per_method
def test_compiled_passes_are_the_stated_ones(name):
    expected = passes_of(method_of(name), (*SPACE, 3))
    assert isinstance(expected, Passes)
    assert together(name)[1] == 5 * expected


@pytest.mark.slow
@per_method
def test_the_same_without_jit(name):
    (image,), method, score = images(SPACE), method_of(name), network(SPACE)
    close(method(score, image, jax.random.key_data(KEYS[0])), together(name)[0][0])


@per_method
def test_old_style_keys_are_taken_and_plain_functions_by_those_that_read_no_trunk(name):
    (image,), method, score = images(SPACE), method_of(name), network(SPACE)
    shape = lambda score: jax.eval_shape(partial(method, score), image, jax.random.PRNGKey(0))  # noqa: E731
    if not getattr(method, "reads_trunk", False):
        assert shape(lambda x: score(x)) == shape_of(name, SPACE)
        return
    assert shape(score) == shape_of(name, SPACE)
    for plain in (score.head, Score(score.head), Score(score.head, lambda x: x)):
        with pytest.raises(InputError, match=HOW):
            shape(plain)


@pytest.mark.slow
@per_method
def test_float64(name):
    with jax.enable_x64(True):
        (image,) = images(SPACE, np.float64)
        explain = jax.jit(partial(method_of(name), network(SPACE, np.float64)))
        double = np.asarray(explain(image, KEYS[0]))
    assert double.dtype == np.float64
    assert np.isfinite(double).all()
    if not CATALOGUE[name].random:  # draws differ between the two types
        np.testing.assert_allclose(together(name)[0][0], double, rtol=1e-4, atol=1e-6)


@st.composite
def shapes(draw):
    name = draw(st.sampled_from(sorted(TESTED)))
    axes = draw(st.sampled_from(CATALOGUE[name].axes or (1, 2, 3)))
    return name, (*draw(st.tuples(*[st.integers(4, 9)] * axes)), draw(st.integers(1, 4)))


def check_shape(name, image):
    out, grid = shape_of(name, image[:-1], image[-1]), tuple(-(-n // 2) for n in image[:-1])
    on_grid = getattr(method_of(name), "reads_trunk", False) and out.shape == (*grid, 1)
    assert on_grid or out.shape in (image, (*image[:-1], 1))
    assert out.dtype == jnp.float32
    # One channel of many has a meaningful sign.
    if out.shape[-1] != image[-1]:
        assert pooling_of(method_of(name)) == "signed_sum"
    assert passes_of(method_of(name), image) != Passes()


@settings(deadline=None, max_examples=15)
@given(shapes())
def test_shapes(drawn):
    check_shape(*drawn)


@pytest.mark.slow
@per_method
def test_every_number_of_axes(name):
    for space in spaces(name, [(6,), (6, 4), (4, 6, 2)]):
        check_shape(name, (*space, 3))


@pytest.mark.slow
@per_method
def test_values_for_sequences_and_volumes(name):
    for space in spaces(name, [(6,), (4, 6, 2)]):
        (image,) = images(space)
        out = jax.jit(partial(method_of(name), network(space)))(image, KEYS[0])
        assert np.isfinite(out).all()
        assert np.abs(out).max() > 0


@per_method
def test_images_with_other_numbers_of_axes_are_refused_by_those_that_have_a_number(name):
    for space in {(6,), (6, 4), (4, 6, 2)} - set(spaces(name, [(6,), (6, 4), (4, 6, 2)])):
        with pytest.raises(InputError, match=re.escape(str((*space, 3)))):
            shape_of(name, space)


def amounts():
    for name in METHODS:
        names = {f.name for f in fields(METHODS[name])}
        for field, few, many in [(a, 4, 32) for a in AMOUNTS if a in names]:
            yield name, field, few, many
        if name in SCALED:
            yield name, *SCALED[name]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "field", "few", "many"), list(amounts()))
def test_memory_is_flat(name, field, few, many):
    (image,) = images((32, 32))
    costs, bytes_ = zip(
        *(
            (
                passes_of(method, image.shape),
                temporary_bytes(partial(method, network((32, 32))), image, KEYS[0]),
            )
            for method in (method_of(name, **{field: amount}) for amount in (few, many))
        ),
        strict=True,
    )
    # A pass may leave its key, its node or its numbers, much less than an image.
    further = sum(vars(costs[1]).values()) - sum(vars(costs[0]).values())
    assert further > 0
    assert bytes_[1] - bytes_[0] < further * image.nbytes / 10


@per_method
def test_parameters_are_not_baked_into_the_program(name):
    def explain(weights, x):
        head = lambda f: (jax.nn.relu(f) * weights).sum()  # noqa: E731
        score = Score(head, jnp.tanh, rebuild=lambda *_: score)
        return method_of(name)(score, x, KEYS[0])

    (image,) = images((16, 16))
    program = jax.make_jaxpr(explain)(image, image)
    assert max((np.size(c) for c in program.consts), default=0) < image.size


@per_method
def test_catalogue(name):
    about = CATALOGUE[name]
    assert about.title
    reference = re.search(r"\b(arXiv:[\d.]+|doi:\S+|US [\d,]+)", about.source)
    assert reference, about.source
    assert re.search(r"\b(19|20)\d\d\b", about.source)
    documentation = " ".join((METHODS[name].__doc__ or "").split())
    assert reference[0] in documentation


def test_catalogue_and_methods_are_the_same():
    assert list(CATALOGUE) == list(METHODS)
    assert len({about.title for about in CATALOGUE.values()}) == len(CATALOGUE)


def test_a_method_without_a_stated_cost_is_an_error():
    with pytest.raises(InputError, match=r"passes\(shape\)"):
        SmoothGrad(lambda score, image, key: image).passes((4, 4, 3))


def test_passes_of_wrappers_multiply():
    inner = METHODS["IntegratedGradients"]("black_white", 5)
    assert SmoothGrad(inner, samples=3).passes((4, 4, 3)) == Passes(gradients=30)


FILLS = (
    st.sampled_from(["blur", "noise", "white"])
    | numbers
    | st.lists(numbers, min_size=1, max_size=3).map(tuple)
)
PIXELS = {"fill": FILLS, "chunk": st.integers(1, 100)}
SEGMENTS = {**PIXELS, "partition": st.sampled_from([Grid(5), Superpixels(9, 0.5)])}
FIELDS = {
    "Occlusion": {
        **PIXELS,
        "window": st.integers(9, 20) | st.tuples(st.integers(9, 20), st.integers(9, 20)),
        "stride": st.none() | st.integers(1, 9),
        "combine": st.sampled_from(["mean", "sum"]),
    },
    "FeatureAblation": SEGMENTS,
    "ShapleySampling": {**SEGMENTS, "permutations": st.integers(1, 100)},
    "KernelSHAP": {**SEGMENTS, "tolerance": st.floats(0, 1)},
    "LIME": {**SEGMENTS, "width": st.floats(0.1, 9), "ridge": st.floats(0.1, 9)},
    "RISE": {
        **PIXELS,
        "probability": st.floats(0.1, 0.9),
        "norm": st.just("masks"),
        "tolerance": st.floats(0, 1),
    },
    "Sobol": {**SEGMENTS, "sampler": st.sampled_from(["latin", "random"])},
    "HSIC": {**SEGMENTS, "masks": st.integers(2, 2**15)},
    "IntegratedGradients": {
        "baseline": numbers
        | st.lists(numbers, min_size=1, max_size=4).map(tuple)
        | st.just("black_white"),
        "steps": st.integers(2, 10**6),
        "rule": st.sampled_from(["midpoint", "trapezoid", "gauss_legendre"]),
        "chunk": st.integers(1, 100),
    },
    "SmoothGrad": {
        "method": st.deferred(lambda: recipes),
        "samples": st.integers(1, 10**6),
        "noise": numbers.map(abs),
    },
    "GradCAM": {"relu": st.booleans()},
    "ScoreCAM": {"channels": st.none() | st.integers(1, 10**6), "chunk": st.integers(1, 100)},
    "FinerCAM": {
        "method": st.deferred(lambda: recipes),
        "rivals": st.integers(1, 9) | st.lists(st.integers(0, 9), min_size=1).map(tuple),
        "alpha": numbers,
    },
    "AtCuts": {
        "method": st.deferred(lambda: recipes),
        "cuts": st.lists(st.text(), unique=True, max_size=3).map(tuple),
        "combine": st.sampled_from(["mean", "max"]),
    },
    "XRAI": {
        "base": st.deferred(lambda: recipes),
        "order": st.sampled_from(["full", "fast"]),
        "scales": st.lists(st.integers(1, 2000), min_size=1, max_size=4).map(tuple),
        "area": st.floats(0, 1),
    },
}
recipes = st.sampled_from(sorted(METHODS)).flatmap(
    lambda name: st.tuples(st.just(name), st.fixed_dictionaries({}, optional=strategies(name)))
)


def strategies(name):
    """Strategies of a method's flags and amounts, and those of `FIELDS`."""
    simple = {
        f.name: st.booleans() if isinstance(f.default, bool) else st.integers(16, 10**6)
        for f in fields(METHODS[name])
        if isinstance(f.default, bool) or f.name in AMOUNTS
    }
    return {**simple, **FIELDS.get(name, {})}


def build(recipe):
    name, fields = recipe
    return METHODS[name](
        **{k: build(v) if k in ("method", "base") else v for k, v in fields.items()}
    )


@settings(deadline=None)
@given(recipes)
def test_text_reads_back(recipe):
    method = build(recipe)
    read = parse(repr(method), METHODS, ARGUMENTS)
    assert read == method
    assert repr(read) == repr(method)
    assert hash(read) == hash(method)


@pytest.mark.parametrize(
    "text",
    [
        "IntegratedGradients(steps=0)",
        "IntegratedGradients(steps=2.0)",
        "IntegratedGradients(steps=True)",
        "IntegratedGradients(steps=1, rule='trapezoid')",
        "IntegratedGradients(rule='simpson')",
        "IntegratedGradients(baseline='black')",
        "IntegratedGradients(baseline=1e999)",
        "IntegratedGradients(baseline=(0.0, 'black'))",
        "SmoothGrad(samples=0)",
        "SmoothGrad(noise=-0.1)",
        "SmoothGrad(noise=1e999)",
        "SmoothGrad(method='Gradient')",
    ],
)
def test_hyper_parameters_that_make_no_sense_are_refused(text):
    with pytest.raises(InputError, match=r"(steps|rule|baseline|samples|noise|method)"):
        parse(text, METHODS)


def test_numpy_scalars_become_plain_numbers():
    method = METHODS["IntegratedGradients"](baseline=np.float32(0.5), steps=8)
    assert repr(method) == "IntegratedGradients(baseline=0.5, steps=8, rule='midpoint')"
    assert repr(SmoothGrad(noise=np.float64(0.5))).endswith("noise=0.5)")


@pytest.mark.parametrize("value", [math.nan, math.inf, np.float64(math.nan)])
def test_numbers_whose_text_does_not_read_back_are_refused(value):
    with pytest.raises(InputError, match="baseline"):
        METHODS["IntegratedGradients"](baseline=value)
    with pytest.raises(InputError, match="noise"):
        SmoothGrad(noise=value)


def test_a_class_is_not_a_method():
    with pytest.raises(InputError, match="Gradient"):
        SmoothGrad(method=METHODS["Gradient"])
