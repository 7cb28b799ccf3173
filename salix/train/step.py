"""Training and evaluation steps on one batch, as pure functions."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

from salix.precision import computed_in
from salix.preprocess import Preprocess
from salix.train.network import Network, Weights
from salix.train.recipe import Recipe, TrainingPrecision

Arguments = dict[str, Any]  # pixels, labels, reference masks, hashes of a batch


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ModelState:
    """Weights and optimiser state: what a training step updates."""

    weights: Weights
    optimiser: Any


def train_step(
    network: Network,
    recipe: Recipe,
    preprocess: Preprocess,
    rule: optax.GradientTransformation,
    needs_reference_masks: bool,
    state: ModelState,
    batch: Arguments,
    step: Any,
    seed: Any,
) -> tuple[ModelState, dict[str, Any]]:
    """Update the weights on one batch; returns the new state and means over the batch."""
    weights = state.weights

    def total(params: Any) -> tuple[Any, Any]:
        current = replace(weights, params=params)
        update = step // recipe.accumulate
        images, masks = _augmented(recipe, preprocess, batch, update, seed)
        with _traced_in(recipe.precision):
            features, tapped, stats = network.forward(current, images, step, recipe.precision)
        masks = _comparable(masks, tapped, needs_reference_masks)

        def image_loss(features: Any, tapped: Any, label: Any, mask: Any, example: Any) -> Any:
            head = partial(network.classify, current, step=step, example=example)
            return recipe.loss(head, features, tapped, label, mask)

        axes = (0, 0, 0, None if masks is None else 0, 0)
        with _traced_in("float32"):
            parts = jax.vmap(image_loss, axes)(
                features, tapped, batch["labels"], masks, batch["hashes"]
            )
            return recipe.loss.combine(parts), (parts, stats)

    (loss, (parts, stats)), gradient = jax.value_and_grad(total, has_aux=True)(weights.params)
    with jax.numpy_dtype_promotion("standard"):  # Optax mixes types within; callers may be strict
        updates, optimiser = rule.update(gradient, state.optimiser, weights.params)
        params = optax.apply_updates(weights.params, updates)
    updated = ModelState(replace(weights, params=params, stats=stats), optimiser)
    correct = (jnp.argmax(parts["logits"], -1) == batch["labels"]).astype(jnp.float32)
    means = {name: part.mean() for name, part in parts.items() if name != "logits"}
    return updated, means | {"accuracy": correct.mean(), "loss": loss}


def evaluate_step(
    network: Network,
    recipe: Recipe,
    preprocess: Preprocess,
    needs_reference_masks: bool,
    weights: Weights,
    batch: Arguments,
) -> dict[str, Any]:
    """Return the loss parts and logits of each image of a batch, in evaluation mode."""
    images = jax.vmap(preprocess)(batch["pixels"])
    with _traced_in(recipe.precision):
        features, tapped = network.evaluate(weights, images, recipe.precision)

    def image_loss(features: Any, tapped: Any, label: Any, mask: Any) -> Any:
        return recipe.loss(partial(network.classify, weights), features, tapped, label, mask)

    masks = _comparable(_as_float(batch["reference_masks"]), tapped, needs_reference_masks)
    axes = (0, 0, 0, None if masks is None else 0)
    with _traced_in("float32"):
        return jax.vmap(image_loss, axes)(features, tapped, batch["labels"], masks)


@contextmanager
def _traced_in(policy: TrainingPrecision) -> Iterator[None]:
    """Trace products in a precision; in bfloat16 normalisations stay in float32, so types mix."""
    mixed = jax.numpy_dtype_promotion("standard") if policy == "bfloat16" else nullcontext()
    with computed_in(policy), mixed:
        yield


def _augmented(
    recipe: Recipe, preprocess: Preprocess, batch: Arguments, update: Any, seed: Any
) -> tuple[Any, Any]:
    """Return the preprocessed images of a batch and their reference masks, augmented."""
    images, masks = jax.vmap(preprocess)(batch["pixels"]), _as_float(batch["reference_masks"])
    augment = recipe.augment
    if augment is None:
        return images, masks
    key = jax.random.fold_in(jax.random.key(seed), update)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, batch["hashes"])
    axes = (0, None if masks is None else 0, 0)
    return jax.vmap(lambda image, mask, key: augment(image, mask, preprocess, key), axes)(
        images, masks, keys
    )


def _as_float(masks: Any) -> Any:
    return None if masks is None else masks.astype(jnp.float32) / 255


def _comparable(masks: Any, tapped: Any, required: bool) -> Any:
    """Drop reference masks that no map can be compared with, unless the loss requires them."""
    has_map = masks is not None and masks.ndim == tapped.ndim - 1
    return masks if required or has_map else None
