"""Exchange of values among the processes of a training; with one process nothing is exchanged."""

import json
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from salix.typing import InputError


def is_first() -> bool:
    """Whether this process is number 0, which prints and writes."""
    return jax.process_index() == 0


def exchange(value: Any) -> list[Any]:
    """Return the values of all processes, in their order; they are passed on as JSON."""
    if jax.process_count() == 1:
        return [value]
    from jax.experimental.multihost_utils import process_allgather

    text = np.frombuffer(json.dumps(value).encode(), np.uint8)
    sizes = process_allgather(np.array([len(text)], np.int32))[:, 0].tolist()
    texts = process_allgather(np.pad(text, (0, max(sizes) - len(text))))
    return [json.loads(t[:size].tobytes()) for t, size in zip(texts, sizes, strict=True)]


def in_first(function: Callable[[], Any]) -> Any:
    """Call a function in process 0 and return its result, which JSON can express, in each.

    Its `InputError` or `OSError` is raised in each process.
    """
    if jax.process_count() == 1:
        return function()
    result, error = None, None
    if is_first():
        try:
            result = function()
        except (InputError, OSError) as raised:
            error = raised
    message = error and [isinstance(error, InputError), str(error)]
    result, message = exchange([result, message])[0]
    if error is not None:
        raise error
    if message is not None:
        raise (InputError if message[0] else OSError)(message[1])
    return result


def broadcast(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays of process 0, to the last bit; other processes give any of their shapes."""
    from jax.experimental.multihost_utils import broadcast_one_to_all

    flat = {name: np.ascontiguousarray(a).reshape(-1).view(np.uint8) for name, a in arrays.items()}
    received = {name: np.asarray(broadcast_one_to_all(a)) for name, a in flat.items()}
    return {n: received[n].view(a.dtype).reshape(a.shape) for n, a in arrays.items()}


def gather_arrays(arrays: dict[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Return the arrays of all processes, in their order; of equal shapes."""
    if jax.process_count() == 1:
        return [arrays]
    from jax.experimental.multihost_utils import process_allgather

    everyone = process_allgather(arrays)
    return [{name: a[k] for name, a in everyone.items()} for k in range(jax.process_count())]
