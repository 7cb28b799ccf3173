"""Compiled training and evaluation steps, for one seed or several together."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from salix.compiler import compile_traced
from salix.preprocess import Preprocess
from salix.train.network import Network, Weights
from salix.train.placement import batch_mesh, local_rows, put_batch, replicate
from salix.train.recipe import Recipe
from salix.train.step import Arguments, ModelState, evaluate_step, train_step

StepFunction = Callable[..., Any]


@dataclass(eq=False)
class TrainingProgram:
    """Training and evaluation steps, compiled once for each batch size and shared by seeds.

    With `together` each leaf of the state and of a batch has a leading axis of seeds.
    """

    network: Network
    recipe: Recipe
    preprocess: Preprocess
    rule: optax.GradientTransformation
    together: bool
    needs_reference_masks: bool  # of the loss
    compiled: dict[Any, Any] = field(default_factory=dict)
    seconds: dict[Any, float] = field(default_factory=dict)  # of compilation

    def initial(self, weights: Weights) -> ModelState:
        """Return the state before the first step."""
        init = jax.vmap(self.rule.init) if self.together else self.rule.init
        return self.place(ModelState(weights, init(weights.params)))

    def place(self, state: ModelState) -> ModelState:
        """Copy a state to every device, as the steps expect it."""
        placed = replicate(state, self._mesh)
        return jax.tree.map(jnp.copy, placed)  # a step donates its buffers

    def step_function(self, *, training: bool) -> StepFunction:
        """Return the function of a training step, or of an evaluation step."""
        setting, masks = (self.network, self.recipe, self.preprocess), self.needs_reference_masks
        if training:
            return partial(train_step, *setting, self.rule, masks)
        return partial(evaluate_step, *setting, masks)

    def part(self, positions: np.ndarray) -> np.ndarray:
        """Return the positions in a batch that this process loads."""
        return positions[local_rows(self._mesh, len(positions))]

    def step(
        self, state: ModelState, batch: Arguments, step: int, seeds: Any, size: int | None = None
    ) -> tuple[ModelState, Any]:
        """Start a step; returns the new state and the means over the batch, without waiting.

        `batch` has this process's rows of a batch of `size` images.
        """
        return self._call(True, state, batch, np.uint32(step), seeds, size=size)

    def evaluate(
        self, weights: Weights, batch: Arguments, size: int | None = None
    ) -> dict[str, Any]:
        """Return the loss parts and logits of each image, in evaluation mode.

        `batch` has this process's rows of a batch of `size` images; the result has all.
        """
        return self._call(False, weights, batch, size=size)

    @property
    def _mesh(self) -> Mesh:
        return batch_mesh(self.recipe.batch_size)

    def _call(
        self, training: bool, state: Any, batch: Arguments, *rest: Any, size: int | None
    ) -> Any:
        mesh, axis = self._mesh, 1 if self.together and training else 0
        size = int(batch["labels"].shape[axis]) if size is None else size
        # A smaller last batch that does not divide among the devices is replicated.
        batch = put_batch(batch, mesh, size, axis)
        rest = replicate(rest, mesh)
        replicated = NamedSharding(mesh, P())
        key = (training, size)
        if key not in self.compiled:
            function = self.step_function(training=training)
            options: dict[str, Any] = {}
            if training:
                options = {"donate_argnums": 0, "out_shardings": replicated}
            elif jax.process_count() > 1:
                options = {"out_shardings": replicated}
            if self.together:  # training batches differ between seeds, evaluation batches do not
                function = jax.vmap(function, (0, 0, None, 0) if training else (0, None))
            start = time.monotonic()
            traced = jax.jit(function, **options).trace(state, batch, *rest)
            self.compiled[key] = compile_traced(traced, training=training)
            self.seconds[key] = time.monotonic() - start
        return self.compiled[key](state, batch, *rest)
