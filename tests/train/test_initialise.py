"""Initial weights: drawn by seed, or from a checkpoint with a new or the same head."""

import jax
import numpy as np
import pytest
from flax import nnx

from salix.adapters import from_nnx
from salix.models import MODELS, Architecture, save
from salix.preprocess import Preprocess
from salix.train.initialise import initialiser
from salix.typing import InputError


class Two(nnx.Module):
    """A convolution with normalisation and a linear head of any number of classes."""

    def __init__(self, rngs, classes):
        self.norm = nnx.BatchNorm(3, rngs=rngs)
        self.fc = nnx.Linear(3, classes, rngs=rngs)

    def __call__(self, x):
        """Return logits."""
        return self.fc(self.norm(x).mean((1, 2)))


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A checkpoint of three classes, of an architecture with a head."""
    about = Architecture(Two, Preprocess((4, 4)), ("real", "fake"), 14, "made up", head="fc.bias")
    monkeypatch.setitem(MODELS, "two", about)
    module = Two(nnx.Rngs(9), 3)
    module.norm.mean[...] = np.arange(3, dtype=np.float32)
    _, params = from_nnx(module)
    save("two", tmp_path / "two.safetensors", params, classes=("a", "b", "c"))
    return tmp_path / "two.safetensors", module


def test_a_new_head_is_drawn_by_the_seed(file):
    path, module = file
    build, about = initialiser("two", path, classes=("real", "fake"))
    assert about == {"preprocess": Preprocess((4, 4)), "classes": ("real", "fake"), "name": "two"}
    first, second = build(0), build(1)
    assert (first.norm.mean[...] == module.norm.mean[...]).all()
    assert first.fc.kernel.shape == (3, 2)
    assert (first.fc.kernel[...] != second.fc.kernel[...]).any()


def test_the_same_classes_keep_the_head(file):
    path, module = file
    build, about = initialiser("two", path)
    assert about["classes"] == ("a", "b", "c")
    for a, b in zip(
        jax.tree.leaves(nnx.state(build(4))), jax.tree.leaves(nnx.state(module)), strict=True
    ):
        assert (a == b).all()


def test_without_weights_everything_is_drawn(file):
    build, about = initialiser("two")
    assert about["classes"] == ("real", "fake")
    assert (build(0).fc.kernel[...] == Two(nnx.Rngs(0), 2).fc.kernel[...]).all()


def test_unknown_architectures_and_fixed_classes_are_refused(tmp_path):
    with pytest.raises(InputError, match="no architecture 'three'"):
        initialiser("three")
    _, params = from_nnx(MODELS["small"].build(nnx.Rngs(0), 2))
    save("small", tmp_path / "small.safetensors", params)
    with pytest.raises(InputError, match="small has 2 classes and cannot have 3"):
        initialiser("small", tmp_path / "small.safetensors", classes=("a", "b", "c"))
