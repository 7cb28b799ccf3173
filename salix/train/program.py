"""The compiled step of training and that of validation, for one seed or several at once."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from math import gcd
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from salix.compiler import compile_traced
from salix.precision import precision
from salix.preprocess import Preprocess
from salix.train.network import Network, Weights
from salix.train.recipe import Precision, Recipe

Arguments = dict[str, Any]  # pixels, labels, reference masks, hashes of a batch


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class State:
    """What a step changes: weights and the state of the optimiser."""

    weights: Weights
    optimiser: Any


@dataclass(frozen=True)
class Program:
    """Compiles each step once for each size of batch; the seeds share it, in turn or stacked.

    With `together` each leaf of the state and of a batch has a leading axis of seeds.
    """

    network: Network
    recipe: Recipe
    to: Preprocess
    rule: optax.GradientTransformation
    together: bool
    guided: bool  # whether the loss uses reference masks
    compiled: dict[Any, Any] = field(default_factory=dict)
    seconds: dict[Any, float] = field(default_factory=dict)  # spent on compiling each

    def start(self, weights: Weights) -> State:
        """Return the state before the first step."""
        init = jax.vmap(self.rule.init) if self.together else self.rule.init
        return self.place(State(weights, init(weights.params)))

    def place(self, state: State) -> State:
        """Put a state where the steps expect it: whole, on every device."""
        placed = jax.device_put(state, NamedSharding(self._mesh, P()))
        return jax.tree.map(jnp.copy, placed)  # a step gives its buffers away

    def step(self, state: State, batch: Arguments, step: int, seeds: Any) -> tuple[State, Any]:
        """Take a step; returns the new state and the numbers of the batch, not waited for."""
        return self._call(True, state, batch, np.uint32(step), seeds)

    def evaluate(self, weights: Weights, batch: Arguments) -> dict[str, Any]:
        """Return the parts of the loss of each image, in evaluation, and its logits."""
        return self._call(False, weights, batch)

    @property
    def _mesh(self) -> Mesh:
        count = gcd(self.recipe.batch_size, jax.device_count())
        return Mesh(np.array(jax.devices()[:count]), ("batch",))

    def _call(self, training: bool, state: Any, batch: Arguments, *rest: Any) -> Any:
        mesh, axis = self._mesh, 1 if self.together and training else 0
        whole = NamedSharding(mesh, P())
        size = batch["labels"].shape[axis]
        # A smaller last batch may not divide among the devices: each then takes all of it.
        split = P(*[None] * axis, "batch") if size % mesh.size == 0 else P()
        batch = jax.device_put(batch, NamedSharding(mesh, split))
        rest = jax.device_put(rest, whole)
        key = (training, size)
        if key not in self.compiled:
            function = self._training() if training else self._evaluating()
            given = {"donate_argnums": 0, "out_shardings": whole} if training else {}
            began = time.monotonic()
            traced = jax.jit(function, **given).trace(state, batch, *rest)
            self.compiled[key] = compile_traced(traced, training=training)
            self.seconds[key] = time.monotonic() - began
        return self.compiled[key](state, batch, *rest)

    def _training(self) -> Callable[..., Any]:
        one = partial(train_step, self.network, self.recipe, self.to, self.rule, self.guided)
        return jax.vmap(one, (0, 0, None, 0)) if self.together else one

    def _evaluating(self) -> Callable[..., Any]:
        one = partial(evaluate_step, self.network, self.recipe, self.to, self.guided)
        return jax.vmap(one, (0, None)) if self.together else one


def train_step(
    network: Network,
    recipe: Recipe,
    to: Preprocess,
    rule: optax.GradientTransformation,
    guided: bool,
    state: State,
    batch: Arguments,
    step: Any,
    seed: Any,
) -> tuple[State, dict[str, Any]]:
    """Take one step on a batch; returns the new state and means over the batch."""
    weights = state.weights

    def total(params: Any) -> tuple[Any, Any]:
        held = replace(weights, params=params)
        images, reference_masks = _prepared(recipe, to, batch, step // recipe.accumulate, seed)
        with computed_in(recipe.precision):
            features, tapped, stats = network.forward(held, images, step, recipe.precision)

        reference_masks = _fitting(reference_masks, tapped, guided)

        def one(features: Any, tapped: Any, label: Any, reference_mask: Any, example: Any) -> Any:
            head = partial(network.classify, held, step=step, example=example)
            return recipe.loss(head, features, tapped, label, reference_mask)

        axes = (0, 0, 0, None if reference_masks is None else 0, 0)
        with computed_in("float32"):
            parts = jax.vmap(one, axes)(
                features, tapped, batch["labels"], reference_masks, batch["hashes"]
            )
            return recipe.loss.combine(parts), (parts, stats)

    (loss, (parts, stats)), gradient = jax.value_and_grad(total, has_aux=True)(weights.params)
    with jax.numpy_dtype_promotion("standard"):  # Optax mixes types within; callers may be strict
        updates, optimiser = rule.update(gradient, state.optimiser, weights.params)
        params = optax.apply_updates(weights.params, updates)
    new = State(replace(weights, params=params, stats=stats), optimiser)
    return new, _means(parts, batch["labels"]) | {"loss": loss}


def evaluate_step(
    network: Network,
    recipe: Recipe,
    to: Preprocess,
    guided: bool,
    weights: Weights,
    batch: Arguments,
) -> dict[str, Any]:
    """Return the parts of the loss of each image of a batch, and its logits."""
    images = jax.vmap(to)(batch["pixels"])
    with computed_in(recipe.precision):
        features, tapped = network.evaluate(weights, images, recipe.precision)

    def one(features: Any, tapped: Any, label: Any, reference_mask: Any) -> Any:
        head = partial(network.classify, weights)
        return recipe.loss(head, features, tapped, label, reference_mask)

    reference_masks = _fitting(_marked(batch["reference_masks"]), tapped, guided)
    axes = (0, 0, 0, None if reference_masks is None else 0)
    with computed_in("float32"):
        return jax.vmap(one, axes)(features, tapped, batch["labels"], reference_masks)


@contextmanager
def computed_in(policy: Precision) -> Iterator[None]:
    """Trace products of every kind in a precision: the library's own and Salix's convolutions.

    Matrix products that do not state theirs are rounded by default on some devices.
    """
    names = {"float32": "highest", "tf32": "tensorfloat32", "bfloat16": "default"}
    # bfloat16 leaves normalisations in float32, as it must: types are mixed within the module.
    mixed = jax.numpy_dtype_promotion("standard") if policy == "bfloat16" else nullcontext()
    with precision(policy), jax.default_matmul_precision(names[policy]), mixed:
        yield


def _prepared(recipe: Recipe, to: Preprocess, batch: Arguments, update: Any, seed: Any) -> Any:
    images, reference_masks = jax.vmap(to)(batch["pixels"]), _marked(batch["reference_masks"])
    augment = recipe.augment
    if augment is None:
        return images, reference_masks
    key = jax.random.fold_in(jax.random.key(seed), update)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, batch["hashes"])
    axes = (0, None if reference_masks is None else 0, 0)
    change = jax.vmap(
        lambda image, reference_mask, key: augment(image, reference_mask, to, key), axes
    )
    return change(images, reference_masks, keys)


def _marked(reference_masks: Any) -> Any:
    return None if reference_masks is None else reference_masks.astype(jnp.float32) / 255


def _fitting(reference_masks: Any, tapped: Any, guided: bool) -> Any:
    """Leave out reference masks that no map is to be compared with, where the loss does without them."""
    return (
        reference_masks
        if reference_masks is None or guided or reference_masks.ndim == tapped.ndim - 1
        else None
    )


def _means(parts: dict[str, Any], labels: Any) -> dict[str, Any]:
    right = (jnp.argmax(parts["logits"], -1) == labels).astype(jnp.float32)
    told = {name: part.mean() for name, part in parts.items() if name != "logits"}
    return told | {"accuracy": right.mean()}
