"""Infidelity: against slow NumPy, exact on linear scores, its perturbations, and its laws."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.metrics import METRICS, infidelity
from salix.metrics.faithfulness.perturbation_infidelity import draw_square
from salix.perturb.host import call_on_host
from salix.typing import InputError, Passes, Score

rng = np.random.default_rng(0)
KEY = jax.random.key(0)
IMAGE = rng.uniform(0.5, 1, (7, 6, 2)).astype(np.float32)
WEIGHTS = rng.normal(size=IMAGE.shape).astype(np.float32)
ATTRIBUTION = rng.normal(size=IMAGE.shape).astype(np.float32)


def linear(image):
    return (image * WEIGHTS).sum()


def curved(image):
    return jnp.tanh(image * WEIGHTS).sum()


def draws(samples):
    return jax.random.split(jax.random.fold_in(KEY, 1), samples)


def slow(score, attribution, steps, normalise=False):
    predicted = np.array([(attribution * step).sum() for step in steps], float)
    changes = np.array([float(score(IMAGE)) - float(score(IMAGE - step)) for step in steps])
    if normalise:
        predicted = predicted * (predicted * changes).sum() / (predicted**2).sum()
    return np.mean((predicted - changes) ** 2)


@pytest.mark.slow
@pytest.mark.parametrize("normalise", [False, True])
def test_it_is_that_of_slow_numpy(normalise):
    score = Score(curved, black=(-1.0, 0.0), white=(1.0, 1.0))
    deviation = 0.3 * np.array([2, 1])
    noises = [deviation * np.asarray(jax.random.normal(key, IMAGE.shape)) for key in draws(4)]
    squares = [draw_square(key, IMAGE.shape[:-1], 3) for key in draws(4)]
    cases = (
        ({"noise": 0.3, "fill": 0.25}, [IMAGE - 0.25 - n for n in noises]),
        ({"noise": 0.3, "preset": "captum"}, noises),
        (
            {"preset": "quantus", "side": 3},
            [np.where(s, IMAGE - IMAGE.min(), 0) for s in squares],
        ),
        ({"perturbation": lambda x, key: x * jax.random.uniform(key)},
         [IMAGE * np.float32(jax.random.uniform(key)) for key in draws(4)]),
    )  # fmt: skip
    for options, steps in cases[:: 2 if normalise else 1]:
        metric = partial(infidelity, score, samples=4, normalise=normalise, **options)
        value = jax.jit(metric)(IMAGE, ATTRIBUTION, KEY)
        expected = slow(curved, ATTRIBUTION, np.asarray(steps), normalise)
        assert value == pytest.approx(expected, rel=2e-4)


@pytest.mark.slow
def test_the_gradient_of_a_linear_score_has_none():
    """So have its contributions, and any multiple of the gradient once it is normalised."""

    @jax.jit
    def measure(weights, image):
        call = partial(infidelity, linear, image, key=KEY, samples=5)
        product = image * weights
        return (
            call(weights),
            call(weights, perturbation="square", side=3),
            call(product, units="contribution", fill=0.0),
            call(product, units="contribution", perturbation="square", side=2),
            # a map of both channels' sums serves where all channels of a pixel are removed
            call(product.sum(-1), units="contribution", perturbation="square", side=2),
            call(-3 * weights, normalise=True),
            call(-3 * weights),
        )

    *exact, wrong = measure(WEIGHTS, IMAGE)
    np.testing.assert_allclose(exact, 0, atol=1e-5)
    assert wrong > 10


@pytest.mark.slow
def test_squares_lie_inside_at_every_place():
    draw = jax.jit(lambda key: draw_square(key, (5, 4), 2))
    total = np.zeros((5, 4, 1))
    for key in jax.random.split(KEY, 200):
        square = np.asarray(draw(key))
        assert square.sum() == 4
        assert square[np.argwhere(square)[0][0]].sum() == 2
        total += square
    assert (total > 0).all()
    assert np.asarray(draw_square(KEY, (3, 2), 9)).all()


@pytest.mark.slow
def test_maps_share_passes_keys_differ_and_what_is_not_finite_is_nan():
    assert METRICS["infidelity"].passes({}, IMAGE.shape) == Passes(101)
    assert METRICS["infidelity"].passes({"preset": "captum"}, IMAGE.shape) == Passes(11)
    passes = []

    def counted(image):
        def one(total):
            passes.append(total.size)
            return np.ones_like(total)

        total = image.sum()
        return linear(image) * call_on_host(one, jax.ShapeDtypeStruct((), jnp.float32), total)

    metric = jax.vmap(partial(infidelity, counted, samples=4, chunk=2), (None, 0, None))
    maps = np.stack([ATTRIBUTION, WEIGHTS, 0 * WEIGHTS, np.full_like(WEIGHTS, np.nan)])
    batch = jax.jit(metric)
    a = np.asarray(batch(IMAGE, maps, KEY))
    assert sum(passes) == 5  # of four maps
    b = batch(IMAGE, maps, jax.random.key(1))
    assert a[0] != b[0]
    assert a[0] == pytest.approx(float(infidelity(linear, IMAGE, maps[0], KEY, samples=4)))
    np.testing.assert_array_equal(np.isnan(a), [False, False, False, True])


def test_unusable_input_is_refused():
    for options, message in (
        ({"preset": "xplique"}, "choose one of paper, quantus, captum"),
        ({"perturbation": "blur"}, "choose one of noisy_baseline, square, noise, or give a fun"),
        ({"units": "logit"}, "units is 'logit': choose one of gradient, contribution"),
        ({"samples": 0}, "samples is 0"),
        ({"noise": 0}, "noise is 0: give a number above 0"),
        ({"map": ATTRIBUTION[:, :, 0].T}, "does not fit an image"),
    ):
        map = options.pop("map", ATTRIBUTION)
        with pytest.raises(InputError, match=message):
            jax.eval_shape(partial(infidelity, linear, **options), IMAGE, map, KEY)
