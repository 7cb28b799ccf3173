"""Bidirectional LSTM and GRU layers with PyTorch's gates, and the names of their weights."""

import math
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax
from jaxtyping import Array, Float

from salix.models.checkpoints.naming import WeightTable, dense, same
from salix.nn.layers import draw_normal
from salix.typing import AnyArray


class Direction(nnx.Module):
    """Weights of one direction of a recurrent layer, the gates side by side."""

    def __init__(self, inputs: int, hidden: int, gates: int, *, rngs: nnx.Rngs):
        deviation = 1 / math.sqrt(3 * hidden)  # that of PyTorch's uniform numbers
        width = gates * hidden
        self.input_kernel = nnx.Param(draw_normal(rngs, (inputs, width), deviation))
        self.input_bias = nnx.Param(jnp.zeros(width, jnp.float32))
        self.hidden_kernel = nnx.Param(draw_normal(rngs, (hidden, width), deviation))
        self.hidden_bias = nnx.Param(jnp.zeros(width, jnp.float32))


class Bidirectional(nnx.Module):
    """Recurrent layer read in both directions, their states side by side.

    `step(projection, state, direction)` is the next state from an input times its kernel.
    """

    gates: ClassVar[int]

    def __init__(self, inputs: int, hidden: int, *, rngs: nnx.Rngs):
        self.hidden = hidden
        self.forward = Direction(inputs, hidden, self.gates, rngs=rngs)
        self.backward = Direction(inputs, hidden, self.gates, rngs=rngs)

    def step(self, projection: Array, state: Any, direction: Direction) -> Any:
        """Return the next state, a tuple whose first entry is the output."""
        raise NotImplementedError

    def __call__(self, x: Float[AnyArray, "b t c"]) -> Float[Array, "b t k"]:
        """Return the outputs of each frame, k = 2 `hidden`; states start at 0."""
        x = jnp.asarray(x)
        outputs = []
        for direction, reverse in ((self.forward, False), (self.backward, True)):
            # All frames in one product; only the product with the state is in the loop.
            bias = direction.input_bias[...].reshape(1, 1, -1)
            projections = x @ direction.input_kernel[...] + bias
            outputs.append(_scan(self, direction, projections, reverse))
        return jnp.concatenate(outputs, -1)


def _scan(layer: Bidirectional, direction: Direction, projections: Array, reverse: bool) -> Array:
    zero = jnp.zeros((len(projections), layer.hidden), projections.dtype)

    def advance(state: Any, projection: Array) -> tuple[Any, Array]:
        state = layer.step(projection, state, direction)
        return state, state[0]

    frames = projections.swapaxes(0, 1)
    _, outputs = lax.scan(advance, (zero, zero), frames, reverse=reverse)
    return outputs.swapaxes(0, 1)


def _hidden(state: Array, direction: Direction) -> Array:
    return state @ direction.hidden_kernel[...] + direction.hidden_bias[...].reshape(1, -1)


class BiLSTM(Bidirectional):
    r"""Bidirectional LSTM: $c' = f c + i g$, $h' = o \tanh c'$; gates in the order i, f, g, o.

    Hochreiter and Schmidhuber (1997), doi:10.1162/neco.1997.9.8.1735, as in PyTorch.
    """

    gates: ClassVar = 4

    def step(self, projection: Array, state: Any, direction: Direction) -> Any:
        """Return the next output and cell."""
        output, cell = state
        i, f, g, o = jnp.split(projection + _hidden(output, direction), 4, -1)
        cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jax.nn.sigmoid(o) * jnp.tanh(cell), cell


class BiGRU(Bidirectional):
    r"""Bidirectional GRU: $h' = (1 - z) n + z h$, $n = \tanh(W x + r (U h + b))$; gates r, z, n.

    Cho et al. (2014), arXiv:1406.1078, with the reset after the product as in PyTorch.
    """

    gates: ClassVar = 3

    def step(self, projection: Array, state: Any, direction: Direction) -> Any:
        """Return the next output, and a second state that is not used."""
        output, unused = state
        r, z, n = jnp.split(projection, 3, -1)
        hidden_r, hidden_z, hidden_n = jnp.split(_hidden(output, direction), 3, -1)
        r, z = jax.nn.sigmoid(r + hidden_r), jax.nn.sigmoid(z + hidden_z)
        n = jnp.tanh(n + r * hidden_n)
        return (1 - z) * n + z * output, unused


_PARTS: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
    ("input_kernel", "weight_ih_l0", dense),
    ("input_bias", "bias_ih_l0", same),
    ("hidden_kernel", "weight_hh_l0", dense),
    ("hidden_bias", "bias_hh_l0", same),
)


def recurrent_names(ours: str, theirs: str) -> WeightTable:
    """Return the eight rows of a bidirectional LSTM or GRU of one layer of PyTorch."""
    return {
        f"{ours}.{direction}.{part}": (f"{theirs}.{name}{suffix}", layout)
        for direction, suffix in (("forward", ""), ("backward", "_reverse"))
        for part, name, layout in _PARTS
    }
