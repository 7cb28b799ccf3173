"""Expected gradients: their draws, closed forms and completeness in expectation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.attribution import METHODS, ExpectedGradients, IntegratedGradients, completeness_residual
from salix.spec import parse
from salix.typing import InputError, Score

KEY = jax.random.key(0)
rng = np.random.default_rng(0)
IMAGE = rng.uniform(0.2, 1, size=(4, 3, 2)).astype(np.float32)
REFERENCES = rng.uniform(size=(5, 4, 3, 2)).astype(np.float32)


def explain(method, score, image=IMAGE, key=KEY):
    return np.asarray(jax.jit(lambda x, key: method(score, x, key))(image, key))


def draws(count):
    """The points of the draws as the score sees them, and the attribution of a square."""
    points = []

    def score(x):
        jax.debug.callback(lambda v: points.append(np.asarray(v)), x)
        return (x**2).sum()

    out = ExpectedGradients(REFERENCES, count)(score, IMAGE, KEY)
    jax.effects_barrier()
    return np.array(points), np.asarray(out)


def test_draws_are_on_paths_from_references_and_the_result_is_their_mean():
    points, out = draws(400)
    assert len(points) == 400
    # Each point is x' + t (x - x') for one of the references, and t and x' are uniform.
    path = IMAGE - REFERENCES
    t = ((points[:, None] - REFERENCES) * path).sum((2, 3, 4)) / (path**2).sum((1, 2, 3))
    off = np.abs(points[:, None] - REFERENCES - t[..., None, None, None] * path).max((2, 3, 4))
    which = off.argmin(1)
    assert off.min(1).max() < 1e-5
    np.testing.assert_allclose(np.bincount(which, minlength=5), 80, atol=5 * np.sqrt(400 * 0.16))
    along = np.sort(t[np.arange(400), which])
    assert np.abs(along - np.arange(400) / 400).max() < 2 / np.sqrt(400)  # Kolmogorov-Smirnov
    slow = np.mean([path[w] * 2 * p for w, p in zip(which, points, strict=True)], 0)
    np.testing.assert_allclose(out, slow, rtol=1e-4, atol=1e-6)


def test_closed_form_of_a_square():
    # A = x^2 - E x'^2 pixel by pixel; a draw's is (x - x') 2 (x' + t (x - x')).
    out = explain(ExpectedGradients(REFERENCES, 4096), lambda x: (x**2).sum())
    expected = IMAGE**2 - (REFERENCES**2).mean(0)
    assert np.abs(out - expected).max() < 5 * 2 / np.sqrt(4096)


def test_a_linear_score_and_one_reference_are_exact():
    weights = rng.normal(size=IMAGE.shape).astype(np.float32)
    score = lambda x: (weights * x).sum()  # noqa: E731
    for reference in (0.25, (0.1, -0.2), REFERENCES[1]):
        out = explain(ExpectedGradients(reference, 3), score)
        expected = weights * (IMAGE - np.asarray(reference, np.float32))
        np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)


def test_it_is_the_mean_of_integrated_gradients_over_the_references():
    score = lambda x: jnp.tanh(x.sum() / 10) + (jnp.sin(2 * x) * x[::-1]).sum()  # noqa: E731
    integrated = jax.jit(jax.vmap(lambda b: IntegratedGradients(b, 16)(score, IMAGE, KEY)))
    expected = np.asarray(integrated(REFERENCES)).mean(0)
    out = explain(ExpectedGradients(REFERENCES, 4096), score)
    np.testing.assert_allclose(out, expected, atol=0.1)
    assert np.corrcoef(out.ravel(), expected.ravel())[0, 1] > 0.99


@pytest.mark.slow
def test_completeness_residual_falls_with_the_samples():
    score = lambda x: jnp.exp(x.mean())  # noqa: E731

    def error(samples):
        method = ExpectedGradients(REFERENCES, samples)
        attribute = jax.jit(jax.vmap(lambda key: method(score, jnp.asarray(IMAGE), key)))
        outs = attribute(jax.random.split(KEY, 32))
        off = [float(completeness_residual(method, score, IMAGE, out)) for out in outs]
        return np.sqrt(np.mean(np.square(off)))

    assert error(64) / error(1024) == pytest.approx(4, rel=0.5)  # samples^-1/2


def test_default_references_are_black_and_white():
    score = Score(lambda x: x.sum(), black=(-1.0,), white=(3.0, 5.0))
    out = explain(ExpectedGradients(samples=4096), score)
    np.testing.assert_allclose(out, IMAGE - np.float32([1.0, 2.0]), atol=5 * 3 / np.sqrt(4096))
    ends = ExpectedGradients().baselines(score, IMAGE)
    assert [b[0, 0].tolist() for b in ends] == [[-1, -1], [3, 5]]


def test_noise_smooths_the_image():
    # For a square and black A = E 2t (x + e)^2 = x^2 + sigma^2.
    sigma = 0.5 * np.ptp(IMAGE)
    out = explain(ExpectedGradients(0.0, 4096, noise=0.5), lambda x: (x**2).sum())
    assert np.mean(out - IMAGE**2) == pytest.approx(sigma**2, rel=0.1)


def test_text_and_unusable_references():
    assert parse("ExpectedGradients((0.5, 0.25, 0.0), samples=8)", METHODS).samples == 8
    for bad in (np.zeros((4, 3)), np.zeros((5, 4, 3, 3)), (0.0, 0.0, 0.0)):
        with pytest.raises(InputError, match=r"\(4, 3, 2\)"):
            ExpectedGradients(bad)(jnp.sum, IMAGE, KEY)
    with pytest.raises(InputError, match=r"references .*reference images"):
        ExpectedGradients(np.full((2, 4, 3, 2), np.nan))
    with pytest.raises(InputError, match="references is 'mean'"):
        ExpectedGradients("mean")
