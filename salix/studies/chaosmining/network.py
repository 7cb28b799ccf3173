"""Regression networks of ChaosMining, trained together in one program."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Key

from salix.hyperparameters import check_fields, choice, integer, number
from salix.typing import Params

POSITIVE = number(lambda n: n > 0, remedy="give a number above 0")
RATE = number(lambda n: 0 <= n < 1, remedy="give a number in [0, 1)")
OPTIMISERS: dict[str, Callable[[], optax.GradientTransformation]] = {
    "adam": optax.scale_by_adam,
    "adagrad": lambda: optax.scale_by_rss(initial_accumulator_value=0.0, eps=1e-10),
    "rmsprop": lambda: optax.scale_by_rms(decay=0.99, eps=1e-8),
    "sgd": optax.identity,
}
# Rows of one product on a CPU: the activations of a block stay in its cache.
BLOCK = 400


@dataclass(frozen=True)
class NetworkSetting:
    """Shape and training of a network; the defaults are those of the released benchmark.

    `depth` hidden layers of `width` with exact GELU, dropout before the output, and full-batch
    steps of an optimiser on the squared error, `epochs` of them.
    """

    depth: int = 3
    width: int = 100
    epochs: int = 1000
    learning_rate: float = 1e-3
    dropout: float = 0.0
    optimiser: str = "adam"

    def __post_init__(self) -> None:
        check_fields(self, depth=integer(1), width=integer(1), epochs=integer(1))
        check_fields(self, learning_rate=POSITIVE, dropout=RATE, optimiser=choice(OPTIMISERS))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class NetworkBatch:
    """Networks to train, along the first axes of each array.

    `mask` has 1 for the features that a network reads and 0 for the others, such as padding. The
    rate of learning and of dropout may differ between networks.
    """

    params: Params
    x: Float[Array, "*n rows features"]
    y: Float[Array, "*n rows"]
    mask: Float[Array, "*n features"]
    learning_rate: Float[Array, "*n"]
    dropout: Float[Array, "*n"]
    key: Key[Array, "*n"]


def initial_params(setting: NetworkSetting, features: int, *, seed: int) -> Params:
    r"""Return the weights and biases of each layer, uniform in $\pm 1 / \sqrt{inputs}$."""
    rng = np.random.default_rng([seed, 1])
    sizes = [features, *[setting.width] * setting.depth, 1]
    layers = []
    for inputs, outputs in pairwise(sizes):
        bound = inputs**-0.5
        weights = rng.uniform(-bound, bound, (inputs, outputs)).astype(np.float32)
        layers.append((weights, rng.uniform(-bound, bound, outputs).astype(np.float32)))
    return layers


def pad_params(params: Params, features: int) -> Params:
    """Return parameters for more input features, whose weights are 0."""
    (weights, bias), *others = params
    missing = features - len(weights)
    return [(np.pad(weights, ((0, missing), (0, 0))), bias), *others]


def predict(params: Params, x: Float[Array, "*rows features"]) -> Float[Array, "*rows"]:
    """Return the outputs of a network for rows of features, without dropout."""
    return _outputs(params, _hidden(params, x))


def _hidden(params: Params, x: Array) -> Array:
    for weights, bias in params[:-1]:
        x = jax.nn.gelu(x @ weights + _row(bias, x), approximate=False)
    return x


def _outputs(params: Params, hidden: Array) -> Array:
    weights, bias = params[-1]
    return (hidden @ weights + _row(bias, hidden))[..., 0]


def _row(bias: Any, like: Array) -> Array:
    return jnp.asarray(bias).reshape((1,) * (like.ndim - 1) + (-1,)) if like.ndim > 1 else bias


def stack_params(params: Sequence[Params]) -> Params:
    """Return the parameters of several networks with a first axis of networks."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *params)


def initial_networks(
    settings: Sequence[NetworkSetting],
    sets: Sequence[tuple[Any, Any]],
    seeds: Sequence[int],
    *,
    width: int,
) -> NetworkBatch:
    """Return a network for each set of rows [rows features] and targets [rows], not yet trained.

    Features are padded to `width`; each network reads its own alone. The sets have equal numbers of
    rows, and the settings equal depths and widths.
    """
    counts = [x.shape[1] for x, _ in sets]
    drawn = zip(settings, counts, seeds, strict=True)
    starts = [initial_params(setting, n, seed=seed) for setting, n, seed in drawn]
    rows = [np.asarray(x, np.float32) for x, _ in sets]
    return NetworkBatch(
        stack_params([pad_params(start, width) for start in starts]),
        jnp.stack([np.pad(x, ((0, 0), (0, width - x.shape[1]))) for x in rows]),
        jnp.stack([np.asarray(y, np.float32) for _, y in sets]),
        jnp.asarray(np.arange(width) < np.array(counts)[:, None], jnp.float32),
        jnp.array([s.learning_rate for s in settings], jnp.float32),
        jnp.array([s.dropout for s in settings], jnp.float32),
        jax.vmap(jax.random.key)(jnp.array([s % 2**32 for s in seeds], jnp.uint32)),
    )


@partial(jax.jit, static_argnames=("setting", "snapshots", "together"))
def train_networks(
    batch: NetworkBatch, setting: NetworkSetting, *, snapshots: int = 1, together: bool = False
) -> Params:
    """Train networks in one program and return their parameters [n snapshots …].

    The epochs are scanned; `snapshots` are at even distances, the last at the end (`epochs` is a
    multiple of them). The rates are those of the batch, not of `setting`. With `together` the
    networks share each matrix product, which suits accelerators; otherwise each is trained in
    turn, in blocks of rows that fit the cache of a CPU.
    """
    rows = batch.x.shape[1]
    block = rows if together or rows % BLOCK else BLOCK
    train = partial(_train, setting=setting, snapshots=snapshots, block=block)
    return jax.vmap(train)(batch) if together else jax.lax.map(train, batch)


def _train(network: Any, *, setting: NetworkSetting, snapshots: int, block: int) -> Params:
    optimiser = OPTIMISERS[setting.optimiser]()
    rows, features = network.x.shape
    blocks = rows // block
    x = (network.x * network.mask[None]).reshape(blocks, block, features)
    y, dropping = network.y.reshape(blocks, block), setting.dropout > 0

    def loss(params: Params, x: Array, y: Array, key: Array) -> Array:
        hidden = _hidden(params, x)
        if dropping:
            keep = jax.random.uniform(key, hidden.shape) >= network.dropout
            hidden = jnp.where(keep, hidden / (1 - network.dropout), 0)
        return ((_outputs(params, hidden) - y) ** 2).mean() / blocks

    def gradient(params: Params, key: Array) -> Params:
        if blocks == 1:
            return jax.grad(loss)(params, x[0], y[0], key)

        def add(total: Params, index: Array) -> tuple[Params, None]:
            part = jax.grad(loss)(params, x[index], y[index], jax.random.fold_in(key, index))
            return jax.tree.map(jnp.add, total, part), None

        return jax.lax.scan(add, jax.tree.map(jnp.zeros_like, params), jnp.arange(blocks))[0]

    def epoch(state: Any, index: Array) -> tuple[Any, None]:
        params, memory = state
        key = jax.random.fold_in(network.key, index)
        slope = gradient(params, key)
        with jax.numpy_dtype_promotion("standard"):  # Optax mixes types; callers may be strict
            step, memory = optimiser.update(slope, memory, params)
        params = jax.tree.map(lambda p, s: p - network.learning_rate * s, params, step)
        return (params, memory), None

    def stage(state: Any, indices: Array) -> tuple[Any, Params]:
        state, _ = jax.lax.scan(epoch, state, indices)
        return state, state[0]

    start = network.params, optimiser.init(network.params)
    epochs = jnp.arange(setting.epochs).reshape(snapshots, -1)
    return jax.lax.scan(stage, start, epochs)[1]
