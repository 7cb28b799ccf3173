"""Models that do not fit are refused by their shapes, before any work."""

import re
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import salix
from salix.attribution import CAM, GradCAM, Gradient, SmoothGrad
from salix.preprocess import Preprocess
from salix.typing import InputError, as_score

SIZE = Preprocess((8, 8))
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
WEIGHTS = np.array([[1, -1], [0.5, 2], [-1, 0]], np.float32)


def mean_linear(weights, x):
    return jnp.mean(x, (0, 1)) @ weights


@dataclass(frozen=True)
class OwnCAM:
    """A class activation map outside Salix, which states that it reads the trunk."""

    reads_trunk: ClassVar[bool] = True

    def __call__(self, score, image, key):
        score = as_score(score)
        features = score.trunk(image)
        return (jax.grad(score.head)(features) * features).sum(-1, keepdims=True)


def refused(message, out, model, params, method=None, data=IMAGES):
    """Check that a sweep stops before its directory exists."""
    with pytest.raises(InputError, match=message) as error:
        salix.sweep(model, params, data, method or Gradient(), out=out)
    assert not out.exists()
    assert "\n" not in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    "method", [GradCAM(), CAM(), SmoothGrad(GradCAM()), SmoothGrad(SmoothGrad(CAM())), OwnCAM()]
)
@pytest.mark.parametrize("trunk", [None, lambda w, x: x, jax.jit(lambda w, x: x)])
def test_cams_refuse_a_model_without_a_trunk(tmp_path, method, trunk):
    model, w = salix.from_function(mean_linear, WEIGHTS, trunk=trunk, preprocess=SIZE, name="flat")
    remedy = r"flat has none: give from_function\(head, params, trunk=trunk\), .*model\.at\(cut\)"
    refused(remedy, tmp_path / "run", model, w, method)
    run = salix.sweep(model, w, IMAGES, Gradient(), out=tmp_path / "pixels")
    assert run.grid == (8, 8)


def test_cams_refuse_features_without_a_grid(tmp_path):
    model, w = salix.from_function(
        lambda w, f: f @ w, WEIGHTS, trunk=lambda w, x: x.mean((0, 1)), preprocess=SIZE
    )
    message = re.escape("the trunk of model returns (3,): divide it before features are pooled")
    refused(message, tmp_path / "run", model, w, GradCAM())


def test_a_model_with_cuts_names_them(tmp_path):
    model, w = salix.from_function(mean_linear, WEIGHTS, preprocess=SIZE, name="net")
    object.__setattr__(model, "cuts", ("first", "second"))
    refused("net can be divided at first, second: give", tmp_path / "run", model, w, GradCAM())
