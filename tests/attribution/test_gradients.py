"""Gradient and InputXGradient against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np

from salix.attribution import Gradient, InputXGradient

KEY = jax.random.key(0)
rng = np.random.default_rng(0)
WEIGHTS, IMAGE = rng.normal(size=(2, 5, 4, 3)).astype(np.float32)


def linear(x):
    return (WEIGHTS * x).sum()


def test_gradient_of_a_linear_score_is_its_weights():
    np.testing.assert_array_equal(Gradient()(linear, IMAGE, KEY), WEIGHTS)


def test_gradient_agrees_with_finite_differences():
    with jax.enable_x64(True):
        image, h = IMAGE.astype(np.float64), 1e-6
        score = lambda x: jnp.sin(x).prod() + (x**3).sum()  # noqa: E731
        slow = np.zeros_like(image)
        for pixel in np.ndindex(image.shape):
            step = np.zeros_like(image)
            step[pixel] = h
            slow[pixel] = (score(image + step) - score(image - step)) / (2 * h)
        np.testing.assert_allclose(Gradient()(score, image, KEY), slow, rtol=1e-6, atol=1e-8)


def test_input_x_gradient_of_a_linear_score_shares_it_out():
    out = InputXGradient()(linear, IMAGE, KEY)
    np.testing.assert_array_equal(out, IMAGE * WEIGHTS)
    np.testing.assert_allclose(out.sum(), linear(IMAGE), rtol=1e-5)


def test_input_x_gradient_is_complete_without_biases_and_not_with_them():
    def relu(x, bias):
        return jax.nn.relu(jnp.tensordot(x, WEIGHTS, 3) + bias) * 2

    positive = np.abs(IMAGE) * np.sign(WEIGHTS)
    for bias, complete in ((0.0, True), (1.0, False)):
        score = lambda x, bias=bias: relu(x, bias)  # noqa: E731
        total = InputXGradient()(score, positive, KEY).sum()
        assert bool(np.isclose(total, score(positive), rtol=1e-5)) is complete
