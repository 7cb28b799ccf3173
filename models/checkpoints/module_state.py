"""The state of a Flax nnx module as arrays by dotted name, and back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from salix.models.checkpoints.weights import Arrays, match
from salix.typing import Params

KEPT = nnx.Any(nnx.Param, nnx.BatchStat)  # what a checkpoint holds


def names(state: Params) -> dict[str, Any]:
    """Return the leaves of an nnx state by dotted name, like "conv1.kernel"."""
    return {".".join(map(str, path)): leaf for path, leaf in nnx.to_flat_state(state)}


def expected(build: Callable[[], nnx.Module]) -> dict[str, jax.ShapeDtypeStruct]:
    """Return the shape and type of each weight of a module, without making one."""
    return _promised(nnx.state(nnx.eval_shape(build), KEPT))


def _promised(state: Params) -> dict[str, jax.ShapeDtypeStruct]:
    return {name: leaf.get_value() for name, leaf in names(state).items()}


def arrays(params: Params) -> Arrays:
    """Return the weights in `params` by dotted name, on the host."""
    return {name: np.asarray(leaf.get_value()) for name, leaf in names(params).items()}


def filled(
    build: Callable[[], nnx.Module], weights: Arrays, path: str | Path, architecture: str
) -> Any:
    """Return the module that `build` makes, in evaluation, holding these weights.

    Its own initialisation is never run. Raises InputError as `match` does.
    """
    module = nnx.eval_shape(build)
    state = nnx.state(module, KEPT)
    fitted = match(_promised(state), weights, path, architecture)
    for name, leaf in names(state).items():
        leaf.set_value(jnp.asarray(fitted[name]))
    nnx.update(module, state)
    module.eval()
    return module
