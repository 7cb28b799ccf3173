"""Functions of NumPy arrays that a compiled program calls on the host."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.experimental.buffer_callback import buffer_callback
from jaxtyping import Array

from salix.typing import AnyArray


def call_on_host(
    function: Callable[..., np.ndarray], result: jax.ShapeDtypeStruct, *arrays: AnyArray
) -> Array:
    """Return `function(*arrays)`, an array like `result`, from inside a compiled program.

    Under `vmap` all arrays have the same leading axes, and the result too. The function must
    depend on its arguments alone. On the CPU it reads the buffers of the program: for a
    `jax.pure_callback` JAX copies them by the thread pool that the callback blocks, which
    deadlocks on one core, and between devices.
    """
    method = "broadcast_all"
    shared = buffer_callback(partial(_write, function), result, vmap_method=method)
    copied = partial(jax.pure_callback, function, result, vmap_method=method)
    return jax.lax.platform_dependent(*arrays, cpu=shared, default=copied)


def _write(function: Callable[..., np.ndarray], context: Any, out: Any, *buffers: Any) -> None:
    del context
    np.asarray(out)[...] = function(*map(np.asarray, buffers))
