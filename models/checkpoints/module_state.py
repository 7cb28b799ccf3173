"""State of a Flax nnx module as arrays by dotted name, and checked loading of such arrays."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from salix.models.checkpoints.naming import NamedArrays, Shapes
from salix.typing import InputError, Params

__all__ = ["WEIGHTS", "abstract", "arrays", "expected", "filled", "match"]

WEIGHTS = nnx.Any(nnx.Param, nnx.BatchStat)  # the variables that a checkpoint stores

Initialiser = Callable[[nnx.Rngs], Any]


class _OneKey(nnx.Rngs):
    """Random keys that are all the same, for modules without numbers.

    Flax counts keys, and at each count JAX walks all operations before it: a traced build of a deep
    network took five times as long.
    """

    def __call__(self) -> jax.Array:
        return jax.random.key(0)

    params = __call__


def abstract(build: Initialiser) -> Any:
    """Return the module of `build` with the shapes and types of its variables, and no numbers."""
    return nnx.eval_shape(lambda: build(_OneKey(0)))


def _leaves(state: Params) -> dict[str, Any]:
    """Return the leaves of an nnx state by dotted name, like "conv1.kernel"."""
    return {".".join(map(str, path)): leaf for path, leaf in nnx.to_flat_state(state)}


def expected(build: Initialiser) -> dict[str, jax.ShapeDtypeStruct]:
    """Return the shape and type of each weight of a module, without computing one."""
    state = nnx.state(abstract(build), WEIGHTS)
    return {name: leaf.get_value() for name, leaf in _leaves(state).items()}


def arrays(params: Params) -> NamedArrays:
    """Return the weights in `params` by dotted name, on the host."""
    return {name: np.asarray(leaf.get_value()) for name, leaf in _leaves(params).items()}


def match(
    shapes: Shapes, arrays: NamedArrays, path: str | Path, architecture: str, *, remedy: str = ""
) -> NamedArrays:
    """Return arrays in the types of an architecture, after checking that they fit it.

    Raises one InputError that names the file and the architecture, and counts and lists the
    arrays that are missing, unknown, of another shape or type, or contain a NaN or an infinity;
    `remedy` ends it.
    """
    faults: dict[str, list[str]] = {"missing": [], "unknown": [], "misshaped": [], "not finite": []}
    faults["missing"] = [name for name in shapes if name not in arrays]
    result: NamedArrays = {}
    for name, array in arrays.items():
        if name not in shapes:
            faults["unknown"].append(ascii(name)[1:-1])
        elif array.shape != shapes[name].shape:
            faults["misshaped"].append(f"{name} {array.shape}, not {shapes[name].shape}")
        elif not jnp.issubdtype(array.dtype, jnp.floating):
            faults["misshaped"].append(f"{name} {array.dtype}, not {shapes[name].dtype}")
        else:
            with np.errstate(over="ignore"):  # float64 beyond float32 becomes an infinity
                result[name] = np.asarray(array, shapes[name].dtype)
            if not np.isfinite(result[name]).all():
                faults["not finite"].append(name)
    report = []
    for fault, names in faults.items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        if names:
            report.append(f"{fault} {len(names)} ({', '.join(names[:3])}{more})")
    if report:
        raise InputError(f"{path} does not fit {architecture}: {'; '.join(report)}{remedy}")
    return result


def filled(
    build: Initialiser,
    weights: NamedArrays,
    path: str | Path,
    architecture: str,
    *,
    initialised: Collection[str] = (),
    remedy: str = "",
) -> Any:
    """Return the module that `build` makes with random keys, in evaluation, with these weights.

    The module is initialised for the parameters `initialised` alone, which keep their values.
    Raises InputError as `match` does.
    """
    module = build(nnx.Rngs(0)) if initialised else abstract(build)
    state = nnx.state(module, WEIGHTS)
    leaves = {n: leaf for n, leaf in _leaves(state).items() if n not in initialised}
    values = {name: leaf.get_value() for name, leaf in leaves.items()}
    shapes = {n: jax.ShapeDtypeStruct(v.shape, v.dtype) for n, v in values.items()}
    fitted = match(shapes, weights, path, architecture, remedy=remedy)
    for name, leaf in leaves.items():
        leaf.set_value(jnp.asarray(fitted[name]))
    nnx.update(module, state)
    module.eval()
    return module
