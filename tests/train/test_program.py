"""Training step: statistics, accumulation, precision, dropout, devices, compilations."""

import os
import subprocess
import sys

import jax
import numpy as np
import pytest
from flax import nnx
from jax import numpy as jnp

from salix.preprocess import Preprocess
from salix.train import TrainingImages, train
from salix.train.augment import Augment
from salix.train.losses import CYBORG, CrossEntropy
from salix.train.network import Network
from salix.train.program import TrainingProgram
from salix.train.recipe import SGD, Recipe

TO = Preprocess((16, 16))
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (32, 16, 16, 3), np.uint8)
LABELS = np.arange(32, dtype=np.int32) % 2
REFERENCE_MASKS = RNG.integers(0, 256, (32, 16, 16), np.uint8)
EXAMPLES = TrainingImages(PIXELS, LABELS, REFERENCE_MASKS)


class Net(nnx.Module):
    """A convolution, with or without normalisation and dropout, and a linear layer."""

    passes = 0  # traced

    def __init__(self, seed, norm=True, dropout=0.0):
        rngs = nnx.Rngs(seed)
        self.conv = nnx.Conv(3, 4, (3, 3), strides=4, use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(4, momentum=0.9, rngs=rngs) if norm else nnx.data(None)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)
        self.linear = nnx.Linear(4, 2, rngs=rngs)

    def tap(self, x):
        """Return features, and the convolution's output."""
        Net.passes += 1
        y = self.conv(x)
        return jax.nn.relu(y if self.norm is None else self.norm(y)), y

    def trunk(self, x):
        """Return features."""
        return self.tap(x)[0]

    def head(self, features):
        """Return logits."""
        return self.linear(self.dropout(jnp.mean(features, axis=(1, 2))))


def leaves(params):
    return {
        jax.tree_util.keystr(p): np.asarray(a)
        for p, a in jax.tree_util.tree_leaves_with_path(params)
    }


def largest_difference(a, b):
    return max(
        np.abs(x - y).max() for x, y in zip(leaves(a).values(), leaves(b).values(), strict=True)
    )


def train_one(recipe, examples=EXAMPLES, build=Net, **more):
    return train(build, examples, recipe, preprocess=TO, **more)[0]


def batch(part=slice(None)):
    hashes = np.arange(32, dtype=np.uint32)
    return {
        "pixels": PIXELS[part],
        "labels": LABELS[part],
        "reference_masks": REFERENCE_MASKS[part],
        "hashes": hashes[part],
    }


@pytest.mark.slow
@pytest.mark.parametrize("loss", [CrossEntropy(), CYBORG(0.5)], ids=repr)
def test_statistics_are_those_of_the_batch_once_a_step(loss):
    kernel = np.asarray(Net(0).conv.kernel[...], np.float64)
    x = PIXELS.astype(np.float64) / 255
    y = np.zeros((32, 4, 4, 4))
    for i, j in np.ndindex(4, 4):  # kernel 3, stride 4: "SAME" adds nothing to 16 pixels
        y[:, i, j] = np.einsum("bhwc,hwco->bo", x[:, 4 * i : 4 * i + 3, 4 * j : 4 * j + 3], kernel)
    recipe = Recipe(loss, SGD(1e-30), epochs=2, batch_size=32)
    trained = leaves(train_one(recipe).params)
    mean, var = np.zeros(4), np.ones(4)
    for _ in range(2):
        mean, var = 0.9 * mean + 0.1 * y.mean((0, 1, 2)), 0.9 * var + 0.1 * y.var((0, 1, 2))
    np.testing.assert_allclose(trained["['norm']['mean'].value"], mean, rtol=1e-4)
    np.testing.assert_allclose(trained["['norm']['var'].value"], var, rtol=1e-4)


@pytest.mark.slow
def test_the_gradient_is_that_of_the_batch():
    recipe = Recipe(
        CYBORG(0.5, "true"), SGD(1.0, momentum=0.0, weight_decay=0.0), epochs=1, batch_size=32
    )
    module = Net(0)
    module.train()
    graph, params, rest = nnx.split(module, nnx.Param, ...)

    def total(params):
        network = nnx.merge(graph, params, jax.tree.map(lambda a: a, rest))
        features, tapped = network.tap(PIXELS.astype(np.float32) / 255)
        kernel, bias = network.linear.kernel[...], network.linear.bias[...]
        head = lambda f: f.mean((0, 1)) @ kernel + bias  # noqa: E731
        each = jax.vmap(lambda *of: recipe.loss(head, *of)["loss"])
        return each(features, tapped, LABELS, REFERENCE_MASKS.astype(np.float32) / 255).mean()

    gradient = jax.jit(jax.grad(total))(params)
    expected = jax.tree.map(lambda p, g: p - g, params, gradient)
    trained = leaves(train_one(recipe).params)
    for name, value in leaves(expected).items():
        np.testing.assert_allclose(trained[name], value, atol=2e-6)


@pytest.mark.slow
def test_two_half_batches_are_one():
    plain = lambda seed: Net(seed, norm=False)  # noqa: E731
    loss, rule = CYBORG(0.5, "true"), SGD(0.05)
    augment = Augment(shift=0.1, brightness=0.1)
    full = Recipe(loss, rule, epochs=3, batch_size=16, augment=augment)
    halves = Recipe(loss, rule, epochs=3, batch_size=8, accumulate=2, augment=augment)
    a, b = train_one(full, build=plain).params, train_one(halves, build=plain).params
    assert largest_difference(a, b) < 1e-6
    assert largest_difference(a, Network.split(plain(0))[1].params) > 1e-3


@pytest.mark.slow
def test_seeds_together_equal_seeds_alone():
    recipe = Recipe(CYBORG(0.5, "true"), SGD(0.05), epochs=3, batch_size=8, validation=0.25)
    alone, stacked = (
        train(
            lambda s: Net(s, dropout=0.2),
            EXAMPLES,
            recipe,
            preprocess=TO,
            seeds=(0, 3),
            together=together,
        )
        for together in (False, True)
    )
    for a, b in zip(alone, stacked, strict=True):
        assert (a.seed, a.best_epoch) == (b.seed, b.best_epoch)
        assert largest_difference(a.params, b.params) < 1e-5
        assert largest_difference(a.last_params, b.last_params) < 1e-5
        for x, y in zip(a.history, b.history, strict=True):
            for name in set(x) - {"images_per_second", "waiting"}:
                assert x[name] == pytest.approx(y[name], abs=1e-5, nan_ok=True)
    assert largest_difference(alone[0].params, alone[1].params) > 0.1


@pytest.mark.slow
def test_seeds_share_one_compilation():
    recipe = Recipe(CrossEntropy(), epochs=2, batch_size=10, validation=0.375)
    Net.passes = 0
    train(Net, EXAMPLES, recipe, preprocess=TO, seeds=(0, 1, 2), together=False)
    assert Net.passes == 2  # the step of training, and that of validation


def test_dropout_follows_the_step_the_seed_and_the_image():
    network, weights = Network.split(Net(0, dropout=0.5))
    features = jnp.ones((4, 4, 4))

    def logits(step, example):
        return np.asarray(
            network.classify(weights, features, jnp.uint32(step), jnp.uint32(example))
        )

    assert (logits(1, 2) == logits(1, 2)).all()
    assert len({tuple(logits(s, e).tolist()) for s in range(4) for e in range(4)}) > 4
    evaluated = network.classify(weights, features)
    assert (evaluated == network.classify(weights, features)).all()
    np.testing.assert_allclose(
        evaluated, weights.params["linear"]["kernel"][...].sum(0), rtol=1e-5, atol=1e-6
    )


@pytest.mark.slow
def test_a_module_without_a_cut_and_with_one_output():
    class Whole(nnx.Module):
        def __init__(self, seed):
            self.linear = nnx.Linear(3, 1, rngs=nnx.Rngs(seed))

        def __call__(self, x):
            return self.linear(jnp.mean(x, axis=(1, 2)))

    pixels = PIXELS // 2
    pixels[LABELS == 1] += 100
    recipe = Recipe(CrossEntropy(), SGD(1.0), epochs=30, batch_size=16)
    trained = train(Whole, TrainingImages(pixels, LABELS), recipe, preprocess=TO)[0]
    assert trained.history[-1]["train_accuracy"] == 1
    assert trained.model.logits(trained.params, TO(pixels[1])).shape == (2,)


@pytest.mark.slow
def test_precisions_agree_and_leave_weights_in_float32():
    losses = {}
    for precision in ("float32", "tf32", "bfloat16"):
        recipe = Recipe(CYBORG(0.5), SGD(0.05), epochs=2, batch_size=16, precision=precision)
        trained = train_one(recipe)
        assert all(a.dtype == np.float32 for a in leaves(trained.params).values())
        losses[precision] = trained.history[-1]["train_loss"]
    assert losses["tf32"] == losses["float32"]  # the CPU does not have it
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.02)


DEVICES = """
import numpy as np, jax
from flax import nnx
from salix.preprocess import Preprocess
from salix.train import TrainingImages, train
from salix.train.losses import CYBORG
from salix.train.recipe import SGD, Recipe

class Net(nnx.Module):
    def __init__(self, seed):
        rngs = nnx.Rngs(seed)
        self.conv = nnx.Conv(3, 4, (3, 3), strides=4, use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(4, momentum=0.9, rngs=rngs)
        self.linear = nnx.Linear(4, 2, rngs=rngs)

    def trunk(self, x):
        return jax.nn.relu(self.norm(self.conv(x)))

    def head(self, features):
        return self.linear(features.mean((1, 2)))

pixels = np.random.default_rng(0).integers(0, 256, (21, 16, 16, 3), np.uint8)
examples = TrainingImages(pixels, np.arange(21) % 2, pixels[..., 0])
recipe = Recipe(CYBORG(0.5, "true"), SGD(0.05), epochs=2, batch_size=4, partial=True)
results = [train(Net, examples, recipe, preprocess=Preprocess((16, 16)), together=together)[0]
           for together in (False, True)]
arrays = [np.asarray(a) for result in results for a in jax.tree.leaves(result.params)]
"""
SAVED = """
assert jax.device_count() == 2
import sys
np.savez(sys.argv[1], *arrays)
"""


@pytest.mark.slow
def test_devices_share_a_batch(tmp_path):
    file = tmp_path / "two.npz"
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    command = [sys.executable, "-c", DEVICES + SAVED, str(file)]
    here = {}
    with subprocess.Popen(command, env=os.environ | flags) as process:
        exec(DEVICES, here)
        assert process.wait(300) == 0
    two = np.load(file)
    assert len(two.files) == len(here["arrays"])
    for one, name in zip(here["arrays"], two.files, strict=True):
        np.testing.assert_allclose(one, two[name], atol=1e-5)


@pytest.mark.slow
def test_a_batch_is_split_among_devices_where_it_divides():
    recipe = Recipe(CrossEntropy(), batch_size=8)
    network, weights = Network.split(Net(0))
    program = TrainingProgram(network, recipe, TO, recipe.transformation(32), False, False)
    state = program.initial(weights)
    state, means = program.step(state, batch(slice(8)), 0, np.uint32(0))
    assert np.isfinite(means["loss"])
    assert list(program.compiled) == [(True, 8)]
    program.step(state, batch(slice(3)), 1, np.uint32(0))
    assert list(program.compiled) == [(True, 8), (True, 3)]
