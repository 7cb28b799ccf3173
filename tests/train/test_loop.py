"""The loop learns what can be learnt, the same way each time, and counts its steps."""

import jax
import numpy as np
import pytest

from salix.train import CYBORG, CrossEntropy, Examples, Recipe, train


@pytest.fixture(scope="module")
def examples():
    """Faces of noise: a fake one is brighter in its upper half, which the guide marks."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(60, 120, (64, 16, 16, 3)).astype(np.uint8)
    labels = np.arange(64, dtype=np.int32) % 2
    pixels[labels == 1, :8] += 60
    guides = np.zeros((64, 8, 8), np.uint8)
    guides[labels == 1, :4] = 255
    return Examples(pixels, labels, guides)


def accuracy(model, params, examples):
    logits = jax.vmap(lambda p: model.logits(params, model.preprocess(p)))(examples.pixels)
    return float((np.argmax(logits, 1) == examples.labels).mean())


@pytest.mark.parametrize("loss", [CrossEntropy(), CYBORG(0.5, "true")], ids=repr)
def test_training_learns_and_repeats(tinies, examples, loss):
    model, recipe = tinies[0][0], Recipe(loss, epochs=50, batch_size=24, learning_rate=0.02)
    params = [p for _, p in tinies]
    assert accuracy(model, params[0], examples) < 0.8
    steps = []
    first = train(model, params, examples, recipe, steps.append)
    assert sum(steps) == 2 * 50 * 2
    assert all(accuracy(model, p, examples) > 0.95 for p in first)
    again = train(model, params[:1], examples, recipe)
    equal = jax.tree.map(lambda a, b: bool((a == b).all()), first[0], again[0])
    assert all(jax.tree.leaves(equal))  # alone or with others: the same to the last bit
