"""Training of small classifiers, deterministic by seed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from salix.hyperparameters import check_fields, integer, number
from salix.studies.chaosmining.signals.data import SignalSet

POSITIVE = number(lambda n: n > 0, remedy="give a number above 0")


@dataclass(frozen=True)
class TrainingSetting:
    """Epochs, batch and peak rate of AdamW, with a warm-up of a tenth and a cosine decay."""

    epochs: int = 8
    batch: int = 50
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2

    def __post_init__(self) -> None:
        check_fields(self, epochs=integer(1), batch=integer(1), learning_rate=POSITIVE)


def train_classifier(
    build: Callable[[nnx.Rngs], nnx.Module], data: SignalSet, setting: TrainingSetting, *, seed: int
) -> nnx.Module:
    """Return a module trained on a set by cross-entropy, initialised and shuffled by the seed.

    The last examples of an epoch that fill no batch are left out.
    """
    module = build(nnx.Rngs(seed))
    graph, params, rest = nnx.split(module, nnx.Param, ...)
    batch = min(setting.batch, len(data.y))
    steps = setting.epochs * (len(data.y) // batch)
    rate = optax.warmup_cosine_decay_schedule(0.0, setting.learning_rate, steps // 10, steps)
    optimiser = optax.adamw(rate, weight_decay=setting.weight_decay)
    memory, x, y = optimiser.init(params), jnp.asarray(data.x), jnp.asarray(data.y)

    def loss(params: Any, rest: Any, rows: Any, classes: Any) -> Any:
        # New variables belong to this trace, in which batch normalisation updates them.
        merged = nnx.merge(graph, params, jax.tree.map(lambda a: a, rest))
        losses = optax.softmax_cross_entropy_with_integer_labels(merged(rows), classes)
        return losses.mean(), nnx.state(merged, nnx.Not(nnx.Param))

    @jax.jit
    def step(params: Any, rest: Any, memory: Any, x: Any, y: Any, rows: Any) -> Any:
        with jax.numpy_dtype_promotion("standard"):  # Optax mixes types; callers may be strict
            (value, rest), slope = jax.value_and_grad(loss, has_aux=True)(
                params, rest, x[rows], y[rows]
            )
            change, memory = optimiser.update(slope, memory, params)
            return optax.apply_updates(params, change), rest, memory, value

    rng = np.random.default_rng([seed, 2])
    for _ in range(setting.epochs):
        order = rng.permutation(len(y))
        for start in range(0, len(order) - batch + 1, batch):
            rows = jnp.asarray(order[start : start + batch])
            params, rest, memory, _ = step(params, rest, memory, x, y, rows)
    return nnx.merge(graph, params, rest)
