"""A network of one output z: rows have the released definitions, sigmoid(z) and the margin z."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit

import salix
from salix import logit, margin, probability
from salix.attribution import CAM
from salix.measures import Noise

W = np.array([4.0, -7.0, 5.0], np.float32)
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)
Z = (IMAGES / 255).mean((1, 2)) @ W
SHAPES = {"[1]": lambda z: z[None], "[]": lambda z: z}


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_the_released_score_is_the_sigmoid_of_the_output(tmp_path, shape):
    model, w = salix.from_function(
        lambda w, f: SHAPES[shape](f.mean((0, 1)) @ w), W,
        trunk=lambda w, x: jnp.abs(x), preprocess=salix.Preprocess((16, 16)),
    )  # fmt: skip
    expected = {margin(1): Z, margin("real"): -Z, probability(1): expit(Z), logit(1): Z / 2}
    for i, (score, values) in enumerate(expected.items()):
        run = salix.sweep(
            model, w, IMAGES, CAM(), [Noise(levels=(0, 0.5))], out=tmp_path / str(i), score=score
        )
        np.testing.assert_allclose(run.rows["score"], values, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(run.rows["salt_and_pepper_score"][:, 0], expit(Z), rtol=1e-4)
        np.testing.assert_allclose(run.rows["logits"], np.c_[-Z, Z] / 2, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_that_of_two_outputs_is_the_sigmoid_of_the_last_as_released(tmp_path):
    both = np.stack([W, -W / 2], 1)
    model, w = salix.from_function(
        lambda w, f: f.mean((0, 1)) @ w, both,
        trunk=lambda w, x: jnp.abs(x), preprocess=salix.Preprocess((16, 16)),
    )  # fmt: skip
    run = salix.sweep(model, w, IMAGES, CAM(), [Noise(levels=(0,))], out=tmp_path / "run")
    np.testing.assert_allclose(run.rows["salt_and_pepper_score"][:, 0], expit(-Z / 2), rtol=1e-4)
