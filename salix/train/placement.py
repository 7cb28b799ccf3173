"""Placement of batches and of training state on the devices of one or several processes."""

from math import gcd
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P


def batch_mesh(batch_size: int) -> Mesh:
    """Return a mesh of as many devices of each process as divide its part of a batch."""
    processes = jax.process_count()
    count = gcd(batch_size // processes, jax.device_count() // processes)
    devices = [[d for d in jax.devices() if d.process_index == k] for k in range(processes)]
    return Mesh(np.array([d for local in devices for d in local[:count]]), ("batch",))


def process_rows(size: int, shards: int, processes: int, process: int) -> slice:
    """Return the rows of a batch that a process loads, of `shards` devices in all processes.

    A smaller last batch that does not divide among the devices is loaded by each process.
    """
    if size % shards:
        return slice(0, size)
    return slice(process * size // processes, (process + 1) * size // processes)


def local_rows(mesh: Mesh, size: int) -> slice:
    """Return the rows of a batch of `size` images that this process loads."""
    return process_rows(size, mesh.size, jax.process_count(), jax.process_index())


def put_batch(batch: Any, mesh: Mesh, size: int, axis: int) -> Any:
    """Copy the rows that this process loads of a batch of `size` images to its devices."""
    sharding = NamedSharding(mesh, P() if size % mesh.size else P(*[None] * axis, "batch"))
    if jax.process_count() == 1:
        return jax.device_put(batch, sharding)

    def put(rows: Any) -> Any:
        shape = (*rows.shape[:axis], size, *rows.shape[axis + 1 :])
        return jax.make_array_from_process_local_data(sharding, np.asarray(rows), shape)

    return jax.tree.map(put, batch)


def replicate(tree: Any, mesh: Mesh) -> Any:
    """Copy values that are the same in each process to every device."""
    sharding = NamedSharding(mesh, P())
    if jax.process_count() == 1:
        return jax.device_put(tree, sharding)

    def put(leaf: Any) -> Any:
        if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
            return leaf
        if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            data = put(jax.random.key_data(leaf))
            return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
        values = np.asarray(leaf)
        return jax.make_array_from_process_local_data(sharding, values, values.shape)

    return jax.tree.map(put, tree)


def local_copies(tree: Any) -> Any:
    """Return replicated arrays as arrays of this process's first device; the same for one process.

    Other processes need not take part in what is computed from them.
    """

    def local(leaf: Any) -> Any:
        if not isinstance(leaf, jax.Array) or leaf.is_fully_addressable:
            return leaf
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            data = jax.random.key_data(leaf).addressable_data(0)
            return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
        return leaf.addressable_data(0)

    return jax.tree.map(local, tree)
