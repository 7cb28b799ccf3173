"""Adversarial training: alternation, resumption to the same numbers, and the stop at NaN."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from salix.preprocess import Preprocess
from salix.train import CrossEntropy, Recipe, TrainingImages
from salix.train.adversarial import Adam, AdversarialProgram, train_adversarially
from salix.train.network import Network, Weights
from salix.typing import InputError

RATE = 0.05


@dataclass(frozen=True, eq=False)
class Toy:
    """A generator g and a discriminator d of one number each, on the means of images."""

    divisor: float = 1.0

    def generator(self, params, weights, batch, key):
        del key
        image = params["w"] * batch["pixels"].astype(jnp.float32).mean((1, 2, 3)) / 255
        d = weights.params["discriminator"]["w"]
        loss = (image * d).mean() + params["w"] ** 2
        loss = loss / self.divisor
        return loss, ({"accuracy": loss * 0, "cross_entropy": loss * 0}, {}, image)

    def discriminator(self, params, weights, batch, images):
        del weights, batch
        return (params["w"] - images.mean()) ** 2, ({}, {})


def setting(*, epochs=2, divisor=1.0):
    recipe = Recipe(CrossEntropy(), Adam(RATE), epochs=epochs, batch_size=2)
    network, _ = Network.split(nnx.Linear(1, 1, rngs=nnx.Rngs(0)))
    program = AdversarialProgram(
        network, recipe, Preprocess((2, 2)), recipe.transformation(6), together=False,
        needs_reference_masks=False, losses=Toy(divisor),
    )  # fmt: skip
    pixels = np.random.default_rng(0).integers(0, 255, (6, 2, 2, 3), dtype=np.uint8)
    examples = TrainingImages(pixels, np.array([0, 1, 0, 1, 0, 1]))
    params = {"generator": {"w": jnp.ones(())}, "discriminator": {"w": jnp.full((), 0.5)}}
    weights = Weights(params, {"generator": {}, "discriminator": {}}, {"frozen": jnp.zeros(2)})
    return program, weights, examples


def train(out=None, on_epoch=None, **options):
    program, weights, examples = setting(**options)
    return train_adversarially(
        program, weights, examples, seed=3, classes=("a", "b"), config={}, name="toy", out=out,
        on_epoch=on_epoch,
    )  # fmt: skip


def test_each_step_updates_the_generator_and_then_the_discriminator():
    from salix.train.sampler import epoch_batches

    program, _, examples = setting(epochs=1)
    rule = optax.adam(RATE)
    g, d = 1.0, 0.5
    memory = rule.init(jnp.zeros(())), rule.init(jnp.zeros(()))
    for rows in epoch_batches(program.recipe, examples.labels, 3, 0):
        mean = examples.pixels[rows].mean((1, 2, 3)) / 255
        image = (g * mean).mean()  # of the generator before its update
        with jax.numpy_dtype_promotion("standard"):  # within Optax
            change, first = rule.update(jnp.float32(mean.mean() * d + 2 * g), memory[0])
            g += float(change)
            change, second = rule.update(jnp.float32(2 * (d - image)), memory[1])
            d += float(change)
        memory = first, second
    last = train(epochs=1).weights.params
    assert float(last["generator"]["w"]) == pytest.approx(g, abs=1e-5)
    assert float(last["discriminator"]["w"]) == pytest.approx(d, abs=1e-5)


def test_a_stopped_training_resumes_to_the_same_numbers(tmp_path):
    class Stopped(Exception):
        pass

    def stop(epoch, weights):
        if epoch == 2:
            raise Stopped

    epochs = []
    with pytest.raises(Stopped):
        train(tmp_path / "a", on_epoch=stop, epochs=3)
    resumed = train(tmp_path / "a", on_epoch=lambda e, w: epochs.append(e), epochs=3)
    straight = train(epochs=3)
    assert epochs == [2, 3]  # the epoch that was cut short is repeated
    assert jax.tree.leaves(resumed.weights.params) == jax.tree.leaves(straight.weights.params)
    assert [r["train_loss"] for r in resumed.history] == [r["train_loss"] for r in straight.history]
    with pytest.raises(InputError, match="another"):
        train(tmp_path / "a", epochs=4)


def test_a_loss_that_is_not_finite_stops_with_its_step():
    with pytest.raises(InputError, match=r"loss of seed 3 is .* in step 0 .*images 0000000"):
        train(divisor=0.0)


def test_too_few_images_for_a_batch_are_refused():
    program, weights, examples = setting()
    with pytest.raises(InputError, match="1 images make no batch of 2"):
        train_adversarially(
            program, weights, examples.subset(np.array([0])), seed=0, classes=("a", "b"),
            config={}, name="toy",
        )  # fmt: skip
