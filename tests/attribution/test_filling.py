"""Fills of perturbation methods: names, the score's black and white, and numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.attribution.filling import FILL, filled
from salix.hyperparameters import check_value
from salix.perturb.fills import fill_image
from salix.typing import InputError, Score

KEY = jax.random.key(0)
IMAGE = np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32)
SCORE = Score(jnp.sum, black=(-2.0, -1.5, -1.0), white=(2.0,))


@pytest.mark.parametrize("name", ["blur", "mean", "noise"])
def test_names_are_those_of_fill_image(name):
    out = jax.jit(lambda x: filled(name, jnp.sum, x, KEY))(IMAGE)
    np.testing.assert_allclose(out, fill_image(jnp.asarray(IMAGE), KEY, name), rtol=1e-5, atol=1e-6)
    other = filled(name, jnp.sum, IMAGE, jax.random.key(1))
    assert np.array_equal(other, filled(name, jnp.sum, IMAGE, KEY)) == (name != "noise")


@pytest.mark.parametrize(
    ("fill", "score", "value"),
    [
        ("black", SCORE, SCORE.black),
        ("white", SCORE, 2),
        ("black", jnp.sum, 0),
        ("white", jnp.sum, 1),
        (0.25, SCORE, 0.25),
        ((1, 2.5, -3), SCORE, (1, 2.5, -3)),
        (IMAGE + 1, SCORE, IMAGE + 1),
    ],
)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_values(fill, score, value, dtype):
    out = filled(check_value("fill", fill, FILL), score, IMAGE.astype(dtype), KEY)
    assert out.dtype == dtype
    np.testing.assert_array_equal(
        out, np.broadcast_to(np.asarray(value), IMAGE.shape).astype(dtype)
    )


@pytest.mark.parametrize("fill", [(1.0, 2.0), np.zeros((4, 5, 3), np.float32), np.zeros((5, 4, 1))])
def test_numbers_that_do_not_fit_the_image_are_refused(fill):
    with pytest.raises(InputError, match=r"fill has shape .* and the image \(5, 4, 3\)"):
        filled(fill, SCORE, IMAGE, KEY)


@pytest.mark.parametrize(
    "fill", ["grey", np.nan, None, True, (), ("black",), [np.inf], np.full(3, np.nan)]
)
def test_fills_that_are_none_are_refused(fill):
    with pytest.raises(InputError, match=r"fill .*choose one of blur, mean, black, noise, white"):
        check_value("fill", fill, FILL)
