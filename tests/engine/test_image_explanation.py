"""Explanations of single images: those of a sweep, from arrays, pictures and files."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import salix
from salix.engine import image_explainer, model_pixels
from salix.typing import InputError

MODEL, PARAMS = salix.from_function(
    lambda w, f: f.mean((0, 1)) @ w,
    jnp.asarray(np.random.default_rng(1).normal(size=(3, 2)), jnp.float32),
    trunk=lambda w, x: jnp.sin(3 * x[::4, ::4]),
    preprocess=salix.Preprocess((32, 32)),
)
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 48, 40, 3), np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("method", [None, salix.attribution.Gradient()], ids=repr)
def test_an_explanation_is_that_of_a_sweep(tmp_path, method):
    rows = salix.sweep(MODEL, PARAMS, IMAGES, method, out=tmp_path, maps="float32").rows
    for i, image in enumerate(IMAGES):
        explanation = salix.explain(MODEL, PARAMS, image, method)
        map = np.asarray(explanation.map)
        np.testing.assert_allclose(explanation.logits, rows["logits"][i], rtol=1e-5)
        assert explanation.target == rows["target"][i]
        np.testing.assert_allclose(
            (map - map.min()) / np.ptp(map), rows["map"][i], rtol=1e-4, atol=1e-5
        )


def test_a_file_a_picture_and_an_array_are_one_image(tmp_path):
    Image.fromarray(IMAGES[0]).save(tmp_path / "face.png")
    explain = image_explainer(MODEL, PARAMS, salix.attribution.CAM(), score=salix.probability(1))
    maps = [
        explain(model_pixels(MODEL, image)).map
        for image in (
            IMAGES[0],
            Image.fromarray(IMAGES[0]),
            tmp_path / "face.png",
            f"{tmp_path}/face.png",
        )
    ]
    for map in maps[1:]:
        np.testing.assert_array_equal(map, maps[0])
    assert float(np.ptp(maps[0])) > 0


def test_a_file_that_is_no_image_is_named(tmp_path):
    (tmp_path / "notes.png").write_text("no image")
    for name, reason in (("notes.png", "not an image"), ("none.png", "No such file")):
        with pytest.raises(InputError, match=f"{name} cannot be explained: .*{reason}"):
            salix.explain(MODEL, PARAMS, tmp_path / name)
    with pytest.raises(InputError, match="the image cannot be explained"):
        salix.explain(MODEL, PARAMS, IMAGES[0].astype(np.int32) * 1000)


@pytest.mark.parametrize(
    ("changes", "method", "text"),
    [
        ({"classes": ("a", "b", "c")}, None, r"2 outputs for 3 classes \(a, b, c\)"),
        ({"head": lambda w, f: {"z": f.mean((0, 1)) @ w}}, None, "not an array of logits"),
        ({"trunk": lambda w, x: x}, None, "needs the features of a trunk"),
        ({}, salix.attribution.Gradient(), "the parameter .* is 'text', not an array"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_as_in_a_sweep(tmp_path, changes, method, text):
    model, params = replace(MODEL, **changes), PARAMS if changes else {"w": "text"}
    for call in (
        lambda: salix.explain(model, params, IMAGES[0], method),
        lambda: salix.sweep(model, params, IMAGES, method, out=tmp_path / "run"),
    ):
        with pytest.raises(InputError, match=text):
            call()
