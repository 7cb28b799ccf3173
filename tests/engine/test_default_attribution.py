"""Attribution of a sweep that names none: Grad-CAM, in its released form for paper measures."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

import salix
from salix.attribution import GradCAM, IntegratedGradients
from salix.engine.image_run import default_attribution
from salix.measures import Noise, Regions
from salix.measures.presets import PRESETS

MODEL, PARAMS = salix.from_function(
    lambda w, f: f.mean((0, 1)) @ w,
    jnp.asarray(np.random.default_rng(1).normal(size=(4, 2)), jnp.float32),
    trunk=lambda w, x: jnp.maximum(jnp.concatenate([x, -x[..., :1]], -1)[::4, ::4] - 0.4, 0),
    preprocess=salix.Preprocess((32, 32)),
)
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
INPLACE = replace(MODEL, inplace_relu=True)


@pytest.mark.parametrize(
    ("model", "measures", "released"),
    [
        (MODEL, PRESETS["paper"], False),
        (INPLACE, PRESETS["standard"], False),
        (INPLACE, (), False),
        (INPLACE, PRESETS["paper"], True),
        (INPLACE, (Noise(), PRESETS["paper"][1]), True),
    ],
)
def test_only_paper_measures_of_an_in_place_relu_take_the_released_form(model, measures, released):
    assert default_attribution(model, measures) == GradCAM(before_relu=released)


def test_regions_take_integrated_gradients_against_black_and_white():
    expected = IntegratedGradients("black_white", steps=50)
    assert default_attribution(MODEL, (Noise(), Regions())) == expected
    assert default_attribution(MODEL, PRESETS["regions"]) == expected


@pytest.mark.slow
def test_a_sweep_uses_it_unless_it_names_a_method(tmp_path):
    paper = [PRESETS["paper"][2]]
    named, default = (
        salix.sweep(INPLACE, PARAMS, IMAGES, method, paper, out=tmp_path / str(i), maps="float32")
        for i, method in enumerate((GradCAM(), None))
    )
    assert named.manifest["config"]["attribution"] == repr(GradCAM())
    assert default.manifest["config"]["attribution"] == repr(GradCAM(before_relu=True))
    assert np.abs(named.rows["map"] - default.rows["map"]).max() > 0.01
