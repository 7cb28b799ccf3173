"""The table of architectures: building, loading, saving."""

import json
import zipfile
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx

from salix import models
from salix.adapters import from_nnx
from salix.models.checkpoints import formats
from salix.models.checkpoints.module_state import abstract
from salix.models.checkpoints.safetensors import write_safetensors
from salix.models.registry_transformers import ENTRIES
from salix.typing import InputError

# Transformers differ in their sizes alone
TOWERS = set(ENTRIES) - {"clip_vit_b32_pooled", "dinov2_s14_pooled", "siglip_b16"}
NAMES = sorted(set(models.MODELS) - TOWERS)
# The others run in files of their own: each program of theirs takes seconds to compile.
SMALL = [name for name in NAMES if models.MODELS[name].parameters < 100_000]


def same(a: Any, b: Any) -> bool:
    return jax.tree.all(jax.tree.map(lambda x, y: bool((x == y).all()), a, b))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_each_architecture_agrees_with_its_registry_entry(name: str) -> None:
    about = models.MODELS[name]
    assert about.source
    module = abstract(lambda rngs: about.build(rngs, len(about.classes)))
    trained = jax.tree.leaves(nnx.state(module, nnx.Param))
    assert sum(leaf.size for leaf in trained) == about.parameters
    model, params = from_nnx(module, preprocess=about.preprocess, classes=about.classes)
    image = jax.ShapeDtypeStruct((*about.preprocess.size, about.preprocess.channels), np.float32)
    assert jax.eval_shape(model.logits, params, image).shape == (len(about.classes),)
    features = jax.eval_shape(model.features, params, image)
    assert jax.eval_shape(model.classify, params, features).shape == (len(about.classes),)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_a_random_network_classifies(name: str) -> None:
    about = models.MODELS[name]
    model, params = models.load(name)
    assert (model.name, model.classes, model.preprocess) == (name, about.classes, about.preprocess)
    pixels = np.random.default_rng(0).integers(0, 256, (90, 70, 3), np.uint8)
    image = model.preprocess(pixels)
    logits = model.logits(params, image)
    assert np.isfinite(logits).all()
    np.testing.assert_array_equal(
        logits, model.classify(params, model.features(params, image)), strict=True
    )
    assert same(params, models.load(name)[1])  # seed 0, every time


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_saved_parameters_come_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / "net.safetensors"
    draw = np.random.default_rng(1)
    model, params = models.load(name)
    params = jax.tree.map(lambda x: np.asarray(draw.normal(size=x.shape), x.dtype), params)
    models.save(name, path, params, classes=("left", "right"))
    again, actual = models.load(name, path)
    assert again.classes == ("left", "right")
    assert jax.tree.structure(actual) == jax.tree.structure(params)
    assert same(actual, params)
    image = draw.uniform(size=(*model.preprocess.size, model.preprocess.channels))
    image = image.astype(np.float32)
    np.testing.assert_array_equal(again.logits(actual, image), model.logits(params, image))
    assert models.load(name, path, classes=("a", "b"))[0].classes == ("a", "b")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SMALL if models.MODELS[name].fixed])
def test_classes_must_fit(tmp_path: Path, name: str) -> None:
    path = tmp_path / "net.safetensors"
    _, params = models.load(name)
    models.save(name, path, params)
    for file in (None, path):
        for wrong in (("a",), ("a", "b", "c"), ("a", "a"), ()):
            with pytest.raises(InputError, match="classes"):
                models.load(name, file, classes=wrong)
    with pytest.raises(InputError, match="classes"):
        models.save(name, path, params, classes=("a", "b", "c"))


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    for call in (models.load, models.build):
        with pytest.raises(InputError, match=r"no architecture 'resnet': choose one of .*small"):
            call("resnet")


@pytest.mark.slow
def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    _, params = models.load("meso4")
    models.save("meso4", path, params)
    with pytest.raises(
        InputError, match=r"net\.safetensors contains weights of 'meso4', not of small"
    ):
        models.load("small", path)
    arrays = formats.read(path)
    about = {"architecture": "meso4", "classes": json.dumps(["a", "b"])}
    broken = dict(arrays)
    del broken["conv1.bias"]
    write_safetensors(path, broken, about)
    with pytest.raises(InputError, match=r"does not fit meso4: missing 1 \(conv1\.bias\)"):
        models.load("meso4", path)
    write_safetensors(path, arrays | {"dense2.bias": np.full(1, np.nan, np.float32)}, about)
    with pytest.raises(InputError, match=r"not finite 1 \(dense2\.bias\)"):
        models.load("meso4", path)
    for wrong in ("", "[1, 2]", '"ab"', "{}"):
        write_safetensors(path, arrays, about | {"classes": wrong})
        with pytest.raises(InputError, match="names no classes"):
            models.load("meso4", path)
    write_safetensors(path, arrays, {})
    with pytest.raises(InputError, match="no architecture"):
        models.load("meso4", path)
    path = tmp_path / "net.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", b"")
    with pytest.raises(InputError, match="no PyTorch weights of meso4 are known"):
        models.load("meso4", path)


@pytest.mark.slow
def test_diverged_parameters_are_not_saved(tmp_path: Path) -> None:
    _, params = models.load("small")
    bad = jax.tree.map(lambda x: x * np.float32("nan"), params)
    with pytest.raises(InputError, match="not finite"):
        models.save("small", tmp_path / "net.safetensors", bad)
    assert not list(tmp_path.iterdir())
