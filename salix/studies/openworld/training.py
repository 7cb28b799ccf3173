"""Training of a network in stages on labelled and unlabelled images, deterministic by seed."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Bool, Float, Int

from salix.hyperparameters import check_fields, integer, number
from salix.models.cifar import CifarResNet
from salix.studies.openworld.batches import alternating_batches, augmented_views
from salix.studies.openworld.data import OpenWorldSet
from salix.studies.openworld.losses import CPL
from salix.studies.openworld.network import NeckedNetwork
from salix.studies.pixels import signed_pixels
from salix.typing import AnyArray, InputError, PRNGKey, Scalar

POSITIVE = number(lambda n: n > 0, remedy="give a number above 0")
FEATURES = 64  # channels of the trunk
SUPERVISED = CPL(voting=0, pseudo=0, entropy=0)  # cross-entropy of labelled images alone


@runtime_checkable
class BatchLoss(Protocol):
    """A loss of a batch: a frozen dataclass; `views` of each image are in the batch."""

    views: ClassVar[int]

    def __call__(
        self,
        logits: Float[AnyArray, "n c"],
        global_features: Float[AnyArray, "n d"],
        local_features: Float[AnyArray, "n parts d"],
        labels: Int[AnyArray, " n"],
        labelled: Bool[AnyArray, " n"],
        key: PRNGKey,
    ) -> dict[str, Scalar]:
        """Return `loss` and its terms by name."""
        ...


@dataclass(frozen=True)
class OpenWorldTraining:
    """Steps of each stage, batch, and Adam with a rate that falls to 0 along a cosine in each.

    The stages: `supervised` steps with labels alone, `steps` of a loss, and `iterative` steps with
    pseudo-labels for each iteration. The released code trains a larger network, trained before, for
    50 epochs at 2e-4.
    """

    supervised: int = 100
    steps: int = 300
    iterative: int = 150
    batch: int = 64
    learning_rate: float = 2e-3

    def __post_init__(self) -> None:
        least = {"supervised": 0, "steps": 0, "iterative": 0, "batch": 4}
        limits = {name: integer(n) for name, n in least.items()}
        check_fields(self, learning_rate=POSITIVE, **limits)


def build_network(classes: int, *, seed: int) -> NeckedNetwork:
    """Return a ResNet of 8 layers with necks and a classifier of `classes`."""
    rngs = nnx.Rngs(params=seed, dropout=seed + 1)
    return NeckedNetwork(CifarResNet(1, 2, rngs=rngs), FEATURES, classes, rngs=rngs)


def train_stage(
    network: NeckedNetwork,
    data: OpenWorldSet,
    loss: BatchLoss,
    steps: int,
    setting: OpenWorldTraining,
    *,
    seed: int,
    log: Callable[[str], None] = lambda line: None,
) -> NeckedNetwork:
    """Return the network after `steps` of a loss on batches of the training images.

    Half of a batch is labelled. Raises `InputError` where a loss is not finite, with the step.
    """
    network.train()
    graph, params, rest = nnx.split(network, nnx.Param, ...)
    state, key = (params, rest, optax.scale_by_adam().init(params)), jax.random.key(seed)
    train, batch = np.flatnonzero(~data.test), setting.batch // loss.views
    draw, change = (np.random.default_rng([seed, i]) for i in (1, 2))
    flags = data.labels[train], data.labelled[train]
    rows = alternating_batches(*flags, batch, draw, data.names)
    start, name = time.monotonic(), type(loss).__name__
    for i in range(steps):
        chosen = np.tile(train[next(rows)], loss.views)
        x = augmented_views(data.x[chosen[:batch]], loss.views, change)
        images = x, data.labels[chosen].astype(np.int32), data.labelled[chosen]
        size = np.float32(setting.learning_rate * 0.5 * (1 + np.cos(np.pi * i / steps)))
        state, parts = _step(graph, loss, state, images, jax.random.fold_in(key, i), size)
        if (i + 1) % 100 == 0 or i + 1 == steps:
            values = {name: float(value) for name, value in parts.items()}
            if not np.isfinite(values["loss"]):
                raise InputError(f"the loss is {values['loss']} at step {i + 1}: lower the rate")
            rate = (i + 1) / (time.monotonic() - start)
            left = f"{rate:.1f} steps/s, {(steps - i - 1) / rate:.0f} s left"
            log(f"{name}: step {i + 1} of {steps}, loss {values['loss']:.3f}, {left}")
    return nnx.merge(graph, state[0], state[1])


@partial(jax.jit, static_argnums=(0, 1))
def _step(graph: Any, loss: BatchLoss, state: Any, images: Any, key: Any, rate: Any) -> Any:
    """Return parameters, other state and moments after a step, and the terms of the loss."""

    def objective(params: Any) -> Any:
        network = nnx.merge(graph, params, jax.tree.map(lambda a: a, rest))
        x, labels, labelled = images
        out = network.outputs(x)
        features = out.global_features, out.local_features
        parts = loss(out.logits, *features, labels, labelled, key)
        return parts["loss"], (parts, nnx.state(network, nnx.Not(nnx.Param)))

    params, rest, memory = state
    with jax.numpy_dtype_promotion("standard"):  # Optax mixes types; callers may be strict
        slope, (parts, rest_after) = jax.grad(objective, has_aux=True)(params)
        change, memory = optax.scale_by_adam().update(slope, memory, params)
        params = jax.tree.map(lambda p, c: p - rate * c, params, change)
    return (params, rest_after, memory), parts


def predict(
    network: NeckedNetwork, pixels: np.ndarray, *, batch: int = 200
) -> tuple[Float[np.ndarray, "n c"], Float[np.ndarray, "n k"]]:
    """Return the logits and global features of images, in evaluation."""
    network.eval()
    graph, state = nnx.split(network)
    parts = []
    for start in range(0, len(pixels), batch):
        rows = np.minimum(np.arange(start, start + batch), len(pixels) - 1)  # one program for all
        parts.append(
            jax.device_get(_outputs(graph, state, jnp.asarray(signed_pixels(pixels[rows]))))
        )
    logits, features = (np.concatenate(p)[: len(pixels)] for p in zip(*parts, strict=True))
    return logits, features


@partial(jax.jit, static_argnums=0)
def _outputs(graph: Any, state: Any, x: Any) -> Any:
    out = nnx.merge(graph, state).outputs(x)
    return out.logits, out.global_features
