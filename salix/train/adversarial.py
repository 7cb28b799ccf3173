"""Adversarial training of a generator and a discriminator, in the loop of other trainings."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import optax

from salix.profiler import Profiler
from salix.progress import Progress
from salix.store import circumstances, digest, open_run, weights_digest
from salix.store.claim import Claim
from salix.train.examples import TrainingImages
from salix.train.history import Record
from salix.train.network import Weights
from salix.train.program import StepFunction, TrainingProgram
from salix.train.step import Arguments, ModelState
from salix.train.trainer import Trainer
from salix.typing import InputError, PRNGKey

GENERATOR, DISCRIMINATOR = "generator", "discriminator"


@dataclass(frozen=True)
class Adam:
    """Adam at a constant rate, for both networks of an adversarial training.

    Kingma and Ba (2015), arXiv:1412.6980; the rate and first moment as released with TP-GAN.
    """

    learning_rate: float = 1e-4
    first_moment: float = 0.9

    def __post_init__(self):
        if not self.learning_rate > 0 or not 0 <= self.first_moment < 1:
            raise InputError(f"{self!r}: give a rate above 0 and a moment in [0, 1)")

    def schedule(self, per_epoch: int, epochs: int) -> optax.Schedule:
        """Return the learning rate of each update."""
        del per_epoch, epochs
        return optax.constant_schedule(self.learning_rate)

    def transformation(self, schedule: optax.Schedule) -> optax.GradientTransformation:
        """Return the Optax transformation of gradients into updates."""
        return optax.adam(schedule, b1=self.first_moment)


@runtime_checkable
class AdversarialLosses(Protocol):
    """The two losses of an adversarial training, functions of both networks' weights.

    Each returns the loss, means by name, the new statistics of its own network, and the generator
    also its images: the discriminator learns from them.
    """

    def generator(
        self, params: Any, weights: Weights, batch: Arguments, key: PRNGKey
    ) -> tuple[Any, tuple[dict[str, Any], Any, Any]]:
        """Return the loss of the generator with `params`, means, statistics and images."""
        ...

    def discriminator(
        self, params: Any, weights: Weights, batch: Arguments, images: Any
    ) -> tuple[Any, tuple[dict[str, Any], Any]]:
        """Return the loss of the discriminator with `params`, means and statistics."""
        ...


@dataclass(eq=False, kw_only=True)
class AdversarialProgram(TrainingProgram):
    """Alternating updates: `generator_steps` of the generator, then one of the discriminator.

    The discriminator learns from the images of the generator's last pass, so that none is made
    for it alone. `Weights.params` and `stats` have both networks by name, and `streams` what is
    read and never trained, such as a recogniser.
    """

    losses: AdversarialLosses
    generator_steps: int = 1

    def initial(self, weights: Weights) -> ModelState:
        """Return the state before the first step."""
        memory = {name: self.rule.init(params) for name, params in weights.params.items()}
        return self.place(ModelState(weights, memory))

    def step_function(self, *, training: bool) -> StepFunction:
        """Return the function of a step."""
        if not training:
            raise InputError("an adversarial training has no validation loss: judge its images")
        return self._alternate

    def _alternate(
        self, state: ModelState, batch: Arguments, step: Any, seed: Any
    ) -> tuple[ModelState, dict[str, Any]]:
        key = jax.random.fold_in(jax.random.key(seed), step)
        means: dict[str, Any] = {}
        images: Any = None
        for number in range(self.generator_steps):
            source = jax.random.fold_in(key, number)
            state, parts, (images,) = self._update(GENERATOR, state, batch, source)
            means |= parts
        images = jax.lax.stop_gradient(images)
        state, parts, _ = self._update(DISCRIMINATOR, state, batch, images)
        means |= {f"discriminator_{name}": value for name, value in parts.items()}
        # A discriminator that diverges stops the training too
        means["loss"] = means["loss"] + 0.0 * means["discriminator_loss"]
        return state, means | {"has_reference_mask": jnp.zeros((), jnp.float32)}

    def _update(
        self, name: str, state: ModelState, batch: Arguments, source: Any
    ) -> tuple[ModelState, dict[str, Any], tuple[Any, ...]]:
        """Update one network and its statistics, from a key or from images."""
        weights, params = state.weights, state.weights.params[name]
        slope = jax.value_and_grad(getattr(self.losses, name), has_aux=True)
        (loss, (parts, stats, *rest)), gradient = slope(params, weights, batch, source)
        with jax.numpy_dtype_promotion("standard"):  # Optax mixes types; callers may be strict
            updates, memory = self.rule.update(gradient, state.optimiser[name], params)
            params = optax.apply_updates(params, updates)
        updated = Weights(
            {**weights.params, name: params}, {**weights.stats, name: stats}, weights.streams
        )
        memory = {**state.optimiser, name: memory}
        return ModelState(updated, memory), {**parts, "loss": loss}, tuple(rest)


@dataclass(frozen=True)
class AdversarialResult:
    """Weights of both networks after the last epoch, and the record of each epoch."""

    weights: Weights
    history: tuple[Record, ...]


def train_adversarially(
    program: AdversarialProgram,
    weights: Weights,
    examples: TrainingImages,
    *,
    seed: int,
    classes: Sequence[str],
    config: dict[str, Any],
    name: str,
    out: Path | None = None,
    on_epoch: Callable[[int, Weights], None] | None = None,
    progress: bool = False,
    log: Callable[[str], None] = lambda line: None,
) -> AdversarialResult:
    """Train both networks from `weights`; call it again with the same `out` to resume.

    Checkpoints, history, interruption and the order of images are those of `salix.train.train`.
    `config` names everything that decides the numbers besides data, weights and recipe.
    `on_epoch(epoch, weights)` is called after each epoch, from 1. Raises `InputError` for fewer
    images than a batch, an `out` of another configuration, and a loss that is not finite, with its
    step and the ids of its batch.
    """
    recipe, count = program.recipe, len(examples.labels)
    if not recipe.batches(count):
        raise InputError(
            f"{count} images make no batch of {recipe.batch_size}: give a smaller batch, or more "
            "images"
        )
    configuration = {
        "kind": "adversarial training",
        "start": weights_digest((weights.params, weights.stats)),
        "recipe": repr(recipe),
        "seeds": [seed],
        "generator steps": program.generator_steps,
        "data": examples.fingerprint(),
        **config,
    }
    steps = recipe.batches(count) * recipe.epochs
    with (
        Progress(name, steps, show=progress, unit="steps") as bar,
        Profiler(None) as profiler,
        ExitStack() as stack,
    ):
        if out is not None:
            open_run(out, configuration, {"name": name, **circumstances()})
            stack.enter_context(Claim(out))
        trainer = Trainer(
            program,
            examples=examples,
            validation=None,
            seeds=(seed,),
            classes=tuple(classes),
            path=out,
            owner=digest(configuration),
            bar=bar,
            log=log,
            profiler=profiler,
            on_epoch=on_epoch,
        )
        result = trainer.run([weights])
    return AdversarialResult(result.last, result.history)
