"""The training loop: one compiled step, taken by any number of seeds one after another."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from salix.model import Model
from salix.typing import Params


@dataclass(frozen=True)
class Examples:
    """Pixels [n h w c] and guides [n *grid], 8-bit, with the index of each image's class."""

    pixels: np.ndarray
    labels: np.ndarray
    guides: np.ndarray


@dataclass(frozen=True)
class Recipe:
    """How a model is trained: a loss and Adam with a cosine schedule down to zero."""

    loss: Callable[..., Any]
    epochs: int = 25
    batch_size: int = 32
    learning_rate: float = 3e-3

    def optimiser(self, steps: int) -> optax.GradientTransformation:
        """Return the optimiser for that many steps."""
        return optax.adam(optax.cosine_decay_schedule(self.learning_rate, steps))


def train(
    model: Model,
    starts: list[Params],
    examples: Examples,
    recipe: Recipe,
    done: Callable[[int], None] = lambda steps: None,
) -> list[Params]:
    """Train a model from each start; seed k shuffles and flips by k. `done` counts the steps.

    A batch holds `recipe.batch_size` examples; the few left over by an epoch wait for the next
    one's shuffle. Images are mirrored left to right with probability one half, with their guides.
    """
    per_epoch = len(examples.labels) // recipe.batch_size
    optimiser = recipe.optimiser(per_epoch * recipe.epochs)
    # Not under scan or vmap: in a loop body, or with weights per seed, convolutions on the CPU
    # fall to paths several times slower.
    step = jax.jit(partial(_step, model, recipe, optimiser), donate_argnums=(0, 1))
    finished = []
    for seed, params in enumerate(starts):
        params = jax.tree.map(jnp.array, params)  # the step gives its buffers away
        state = optimiser.init(params)
        for batch in _batches(examples, recipe, seed):
            params, state = step(params, state, *batch)
            done(1)
        finished.append(params)
    return finished


def _step(
    model: Model,
    recipe: Recipe,
    optimiser: optax.GradientTransformation,
    params: Params,
    state: Any,
    pixels: Any,
    labels: Any,
    guides: Any,
) -> tuple[Params, Any]:
    def loss(params: Params, pixels: Any, label: Any, guide: Any) -> Any:
        features = model.features(params, model.preprocess(pixels))
        return recipe.loss(partial(model.classify, params), features, label, guide)

    def mean(params: Params) -> Any:
        marked = guides.astype(jnp.float32) / 255
        return jax.vmap(loss, (None, 0, 0, 0))(params, pixels, labels, marked).mean()

    gradient = jax.grad(mean)(params)
    with jax.numpy_dtype_promotion("standard"):  # Optax mixes types within; callers may be strict
        updates, state = optimiser.update(gradient, state, params)
        return optax.apply_updates(params, updates), state


def _batches(examples: Examples, recipe: Recipe, seed: int) -> Iterator[tuple[np.ndarray, ...]]:
    rng = np.random.default_rng(seed)
    count, size = len(examples.labels), recipe.batch_size
    for _ in range(recipe.epochs):
        order = rng.permutation(count)[: count // size * size].reshape(-1, size)
        for chosen in order:
            pixels, guides = examples.pixels[chosen], examples.guides[chosen]
            flip = rng.random(size) < 0.5
            pixels[flip], guides[flip] = pixels[flip, :, ::-1], guides[flip, :, ::-1]
            yield pixels, examples.labels[chosen], guides
