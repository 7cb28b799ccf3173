"""Correlations over subsets and over single features: against slow NumPy, exact cases and laws."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from salix.metrics import (
    METRICS,
    faithfulness_correlation,
    faithfulness_estimate,
    monotonicity_correlation,
    mu_fidelity,
    sensitivity_n,
)
from salix.metrics.faithfulness.correlation import correlate, correlate_ranks
from salix.metrics.faithfulness.replacement import replacement_image
from salix.metrics.faithfulness.subset_correlation import draw_subset
from salix.perturb.host import call_on_host
from salix.perturb.partition import Grid, Labels, Patches
from salix.typing import InputError, Passes

rng = np.random.default_rng(0)
KEY = jax.random.key(0)
SPACE = (6, 9)
IMAGE = rng.uniform(0.5, 1, (*SPACE, 2)).astype(np.float32)
MAP = rng.normal(size=SPACE).astype(np.float32)
WEIGHTS = rng.normal(size=IMAGE.shape).astype(np.float32)
CHANNEL_SUMS = (WEIGHTS * IMAGE).sum(-1)
BLOCKS = np.indices(SPACE)[0] // 2 * 3 + np.indices(SPACE)[1] // 3


def linear(image):
    return (image * WEIGHTS).sum()


def curved(image):
    return jnp.tanh(image * WEIGHTS).sum() + (image[:-1] * image[1:]).sum() / 9


def effect_of(score, removed, other):
    """Fall of the score when the marked pixels are replaced."""
    return float(score(IMAGE)) - float(score(np.where(removed[..., None], other, IMAGE)))


@pytest.mark.slow
def test_subsets_are_random_and_of_the_exact_size():
    valid = np.arange(40) < 33
    draw = jax.jit(lambda key, size: draw_subset(key, size, valid))
    counts = np.zeros(40)
    for key in jax.random.split(KEY, 300):
        chosen = np.asarray(draw(key, jnp.int32(11)))
        assert chosen.sum() == 11
        counts += chosen
    np.testing.assert_allclose(counts[:33] / 300, 11 / 33, atol=0.12)
    assert (counts[33:] == 0).all()
    assert draw(KEY, jnp.int32(33))[:33].all()


def slow_subsets(score, map, labels, share, samples, keys, other):
    """Attributions and effects of the subsets that the keys draw, one by one."""
    count = labels.max() + 1
    size = max(1, round(share * count))
    sums, effects = [], []
    for key in keys:
        chosen = np.asarray(draw_subset(key, jnp.int32(size), np.ones(count, bool)))[labels]
        sums.append(map[chosen].astype(float).sum())
        effects.append(effect_of(score, chosen, other))
    assert len(sums) == samples
    return sums, effects


@pytest.mark.slow
def test_correlations_are_those_of_slow_numpy():
    samples, shares, subset_key = 7, (0.2, 0.6), jax.random.split(KEY)[1]
    options = {"partition": Patches(2), "samples": samples, "fill": 0.3}
    labels = np.indices(SPACE)[0] // 2 * 5 + np.indices(SPACE)[1] // 2
    keys = jax.random.split(subset_key, 2 * samples)
    curve = jax.jit(partial(sensitivity_n, curved, fractions=shares, **options))(IMAGE, MAP, KEY)
    expected = []
    for j, share in enumerate(shares):
        own = keys[j * samples : (j + 1) * samples]
        pairs = slow_subsets(curved, MAP, labels, share, samples, own, 0.3)
        expected.append(stats.pearsonr(*pairs)[0])
    np.testing.assert_allclose(curve.values, expected, atol=1e-4)
    assert curve.area == pytest.approx(np.mean(expected), abs=1e-4)
    pairs = slow_subsets(
        curved, MAP, labels, 0.6, samples, jax.random.split(subset_key, samples), 0.3
    )
    for metric, reference in (
        (faithfulness_correlation, stats.pearsonr),
        (mu_fidelity, stats.spearmanr),
    ):
        value = jax.jit(partial(metric, curved, fraction=0.6, **options))(IMAGE, MAP, KEY)
        assert value == pytest.approx(reference(*pairs)[0], abs=1e-4)


@pytest.mark.slow
def test_single_features_are_those_of_slow_numpy():
    count, n = BLOCKS.max() + 1, 4
    sums = [MAP[i == BLOCKS].astype(float).sum() for i in range(count)]
    effects = [effect_of(curved, i == BLOCKS, IMAGE.min()) for i in range(count)]
    options = {"preset": "quantus", "partition": Grid(3)}
    value = jax.jit(partial(faithfulness_estimate, curved, **options))(IMAGE, MAP, KEY)
    assert value == pytest.approx(stats.pearsonr(sums, effects)[0], abs=1e-4)
    draws = [replacement_image("uniform", curved, IMAGE, key) for key in jax.random.split(KEY, n)]
    changes = [
        np.mean([effect_of(curved, i == BLOCKS, draw) ** 2 for draw in draws]) for i in range(count)
    ]
    options = {"partition": Grid(3), "samples": n}
    value = jax.jit(partial(monotonicity_correlation, curved, **options))(IMAGE, MAP, KEY)
    assert value == pytest.approx(stats.spearmanr(np.abs(sums), changes)[0], abs=1e-4)


@pytest.mark.slow
def test_input_times_gradient_of_a_linear_score_is_exact():
    """Sums of attributions are the effects: every correlation is 1, and -1 for the negated map."""

    @jax.jit
    def measure(map):
        arguments = linear, IMAGE, map, KEY
        return (
            sensitivity_n(*arguments, samples=5, fractions=(0.1, 0.5)).values,
            sensitivity_n(linear, IMAGE, IMAGE * WEIGHTS, KEY, samples=5).area,
            faithfulness_correlation(*arguments, samples=5, fill=0.0),
            mu_fidelity(*arguments, samples=5),
            faithfulness_estimate(*arguments),
        )

    for sign in (1, -1):
        values = measure(sign * CHANNEL_SUMS)
        np.testing.assert_allclose(values[0], sign, atol=1e-5)
        assert values[1] == pytest.approx(1, abs=1e-5)  # of an attribution with its channels
        np.testing.assert_allclose(values[2:], sign, atol=1e-5)


@pytest.mark.slow
def test_subsets_are_not_growing_sets_of_the_most_relevant():
    """Growing sets, as Quantus has them, correlate for any positive map of a positive score."""
    weights = np.abs(CHANNEL_SUMS)
    map = rng.permutation(weights.ravel()).reshape(SPACE)
    order = np.argsort(-map.ravel())
    sums, effects = (np.cumsum(a.ravel()[order]) for a in (map, weights))
    assert stats.pearsonr(sums, effects)[0] > 0.9
    score = lambda x: (x[..., 0] * weights).sum()  # noqa: E731
    options = {"samples": 300, "fractions": (0.3, 0.5)}
    curve = jax.jit(partial(sensitivity_n, score, **options))(np.ones((*SPACE, 1), "f"), map, KEY)
    exact = stats.pearsonr(map.ravel(), weights.ravel())[0]  # of sums over subsets of one size
    assert abs(exact) < 0.5
    np.testing.assert_allclose(curve.values, exact, atol=0.2)


METHODS = {
    "sensitivity_n": {"samples": 3, "fractions": (0.2, 0.5)},
    "faithfulness_correlation": {"samples": 5},
    "mu_fidelity": {"samples": 5},
    "faithfulness_estimate": {"partition": Grid(2)},
    "monotonicity_correlation": {"partition": Grid(2), "samples": 2},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_maps_of_one_image_share_the_passes(name):
    """Perturbations depend on the key alone, so that a batch of maps evaluates the score once."""
    passes = []

    def counted(image):
        def one(total):
            passes.append(total.size)
            return np.ones_like(total)

        total = image.sum()
        return linear(image) * call_on_host(one, jax.ShapeDtypeStruct((), jnp.float32), total)

    metric = partial(METRICS[name].function, counted, chunk=2, **METHODS[name])
    maps = np.stack([MAP, CHANNEL_SUMS, 0 * MAP, np.where(MAP > 1, np.nan, MAP)])
    batch = jax.jit(jax.vmap(metric, (None, 0, None)))
    result = batch(IMAGE, maps, KEY)
    jax.effects_barrier()
    assert Passes(sum(passes)) == METRICS[name].passes(METHODS[name], IMAGE.shape)
    values = np.asarray(getattr(result, "area", result))
    assert np.isfinite(values[:2]).all()
    assert np.isnan(values[2:]).all()
    if name == "mu_fidelity":
        alone = jax.jit(metric)(IMAGE, MAP, KEY)
        assert values[0] == pytest.approx(float(alone), abs=1e-6)
        other = batch(IMAGE, maps, jax.random.key(1))
        assert other[0] != values[0]


def test_costs_of_defaults_and_presets():
    def passes(name, **options):
        return METRICS[name].passes(options, (224, 224, 3)).evaluations

    assert passes("sensitivity_n") == 701
    assert passes("faithfulness_correlation", preset="quantus") == 101
    assert passes("mu_fidelity", preset="xplique") == 201
    assert passes("faithfulness_estimate") == 197
    assert passes("faithfulness_estimate", preset="quantus") == 50177
    assert passes("monotonicity_correlation") == 491


@pytest.mark.slow
def test_correlations_leave_invalid_entries_out():
    a, b = rng.normal(size=(2, 12)).astype(np.float32)
    a[3] = a[5]
    valid = np.arange(12) < 8
    assert correlate(a, b, valid) == pytest.approx(stats.pearsonr(a[:8], b[:8])[0], abs=1e-6)
    ranks = correlate_ranks(a, b, valid)
    assert ranks == pytest.approx(stats.spearmanr(a[:8], b[:8])[0], abs=1e-6)
    for constant in (np.full(12, 0.1, np.float32), np.where(valid, 0.1, a).astype(np.float32)):
        assert np.isnan(correlate(constant, b, valid))
        assert np.isnan(correlate_ranks(constant, b, valid))
    assert np.isnan(correlate_ranks(np.where(a > 1, np.nan, a), b, np.ones(12, bool)))
    # labels that the caller gives have no empty segment, and are measured as a grid is
    value = faithfulness_estimate(curved, IMAGE, MAP, KEY, partition=Labels(BLOCKS))
    grid = faithfulness_estimate(curved, IMAGE, MAP, KEY, partition=Grid(3))
    assert value == pytest.approx(float(grid), abs=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_unusable_options_are_refused(name):
    own = {"samples": 0} if "samples" in METHODS[name] else {"fill": "grey"}
    for options, message in (
        ({"preset": "captum"}, "preset is 'captum': choose one of paper"),
        (own, "samples is 0|fill is 'grey'"),
        ({"map": MAP[:, :5].repeat(2, 0)}, "does not fit an image"),
    ):
        map = options.pop("map", MAP)
        metric = partial(METRICS[name].function, linear, **{**METHODS[name], **options})
        with pytest.raises(InputError, match=message):
            jax.eval_shape(metric, IMAGE, map, KEY)
    if name != "sensitivity_n" and "fraction" in dict(METRICS[name].options):
        with pytest.raises(InputError, match=r"fraction is 0.*in \(0, 1\]"):
            jax.eval_shape(partial(METRICS[name].function, linear, fraction=0), IMAGE, MAP, KEY)
