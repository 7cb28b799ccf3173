"""Training of a network on labelled and unlabelled images by CPL, deterministic by seed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Bool, Float, Int

from salix.hyperparameters import check_fields, integer, number
from salix.models.cifar import CifarResNet
from salix.studies.openworld.data import OpenWorldSet
from salix.studies.openworld.losses import CPL
from salix.studies.openworld.network import NeckedNetwork
from salix.typing import InputError

POSITIVE = number(lambda n: n > 0, remedy="give a number above 0")
FEATURES = 64  # channels of the trunk


@dataclass(frozen=True)
class OpenWorldTraining:
    """Steps with labels alone, steps of CPL, batch, and Adam with a rate that falls in stairs.

    The rate is multiplied by 0.2 after each fifth of all steps, as in the released code, whose rate
    of 2e-4 is for a network trained before.
    """

    supervised: int = 200
    steps: int = 800
    batch: int = 128
    learning_rate: float = 2e-3

    def __post_init__(self) -> None:
        least = {"supervised": integer(0), "steps": integer(1), "batch": integer(4)}
        check_fields(self, learning_rate=POSITIVE, **least)


def build_network(classes: int, rngs: nnx.Rngs) -> NeckedNetwork:
    """Return a ResNet of 8 layers with necks and a classifier of `classes`."""
    return NeckedNetwork(CifarResNet(1, 2, rngs=rngs), FEATURES, classes, rngs=rngs)


def train_open_world(
    data: OpenWorldSet,
    loss: CPL,
    setting: OpenWorldTraining,
    *,
    seed: int,
    log: Callable[[str], None] = lambda line: None,
) -> NeckedNetwork:
    """Return a network trained by cross-entropy on labels, then by a loss on all images.

    Images are mirrored at random. Raises `InputError` where a loss is not finite, with the step.
    """
    rngs = nnx.Rngs(params=seed, dropout=seed + 1)
    network = build_network(len(data.names), rngs)
    graph, params, rest = nnx.split(network, nnx.Param, ...)
    total = setting.supervised + setting.steps
    stairs = {total * i // 5: 0.2 for i in range(1, 5)}
    rate = optax.piecewise_constant_schedule(setting.learning_rate, stairs)
    optimiser = optax.adam(rate)
    memory = optimiser.init(params)
    labelled_only = CPL(loss.margin, voting=0, pseudo=0, entropy=0)

    def objective(params: Any, rest: Any, batch: Any, key: Any, loss: CPL) -> Any:
        merged = nnx.merge(graph, params, jax.tree.map(lambda a: a, rest))
        x, labels, labelled = batch
        out = merged.outputs(x)
        features = out.global_features, out.local_features
        parts = loss(out.logits, *features, labels, labelled, key)
        return parts["loss"], (parts, nnx.state(merged, nnx.Not(nnx.Param)))

    def step(state: Any, batch: Any, key: Any, loss: CPL) -> Any:
        params, rest, memory = state
        slope = jax.grad(objective, has_aux=True)
        with jax.numpy_dtype_promotion("standard"):  # Optax mixes types; callers may be strict
            change, (parts, rest) = slope(params, rest, batch, key, loss)
            change, memory = optimiser.update(change, memory, params)
            return (optax.apply_updates(params, change), rest, memory), parts

    run = jax.jit(step, static_argnums=3)
    state, key = (params, rest, memory), jax.random.key(seed)
    train = np.flatnonzero(~data.test)
    rows = alternating_batches(
        data.labels[train], data.labelled[train], setting.batch, np.random.default_rng([seed, 1])
    )
    mirror = np.random.default_rng([seed, 2])
    for i in range(total):
        chosen = train[next(rows)]
        x = inputs(data.x[chosen])
        flips = mirror.random(len(x)) < 0.5
        x = np.where(flips[:, None, None, None], x[:, :, ::-1], x)
        batch = x, data.labels[chosen].astype(np.int32), data.labelled[chosen]
        current = labelled_only if i < setting.supervised else loss
        state, parts = run(state, batch, jax.random.fold_in(key, i), current)
        if (i + 1) % 100 == 0 or i + 1 == total:
            values = {name: float(value) for name, value in parts.items()}
            if not np.isfinite(values["loss"]):
                raise InputError(f"the loss is {values['loss']} at step {i + 1}: lower the rate")
            log(f"step {i + 1} of {total}: loss {values['loss']:.3f}")
    return nnx.merge(graph, state[0], state[1])


def alternating_batches(
    labels: Int[np.ndarray, " n"],
    labelled: Bool[np.ndarray, " n"],
    batch: int,
    rng: np.random.Generator,
) -> Iterator[Int[np.ndarray, " batch"]]:
    """Yield the positions of batches: labelled images first, then as many unlabelled ones.

    Labelled images are of the classes in turn, so that none is rare; each part repeats only once
    all of it was drawn. Without unlabelled images all are labelled. Raises `InputError` without
    labels, or for a class with a single labelled image: it has no partner.
    """
    classes = np.unique(labels[labelled])
    members = [np.flatnonzero(labelled & (labels == c)) for c in classes]
    if not members:
        raise InputError("no image has a label: give labels of at least two families")
    if alone := [int(c) for c, rows in zip(classes, members, strict=True) if len(rows) < 2]:
        raise InputError(f"class {alone[0]} has one labelled image: give two or more")
    rest = np.flatnonzero(~labelled)
    first = batch // 2 if len(rest) else batch
    sources = [_endless(rows, rng) for rows in members]
    others = _endless(rest, rng) if len(rest) else iter(())
    turn = 0
    while True:
        chosen = []
        for _ in range(first):
            chosen.append(next(sources[turn % len(sources)]))
            turn += 1
        chosen += [next(others) for _ in range(batch - first)]
        yield np.array(chosen)


def _endless(rows: np.ndarray, rng: np.random.Generator) -> Iterator[int]:
    while True:
        yield from rng.permutation(rows)


def inputs(pixels: np.ndarray) -> Float[np.ndarray, "n h w 3"]:
    """Return 8-bit images as inputs in [-1, 1]."""
    return (pixels / np.float32(127.5) - 1).astype(np.float32)


def predict(
    network: NeckedNetwork, pixels: np.ndarray, *, batch: int = 200
) -> tuple[Float[np.ndarray, "n c"], Float[np.ndarray, "n k"]]:
    """Return the logits and global features of images, in evaluation."""
    network.eval()
    graph, state = nnx.split(network)

    @jax.jit
    def run(state: Any, x: Any) -> Any:
        out = nnx.merge(graph, state).outputs(x)
        return out.logits, out.global_features

    parts = []
    for start in range(0, len(pixels), batch):
        rows = np.minimum(np.arange(start, start + batch), len(pixels) - 1)  # one program for all
        parts.append(jax.device_get(run(state, jnp.asarray(inputs(pixels[rows])))))
    logits, features = (np.concatenate(p)[: len(pixels)] for p in zip(*parts, strict=True))
    return logits, features
