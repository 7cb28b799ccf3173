"""Connection to a Ray cluster, and the places for workers on its nodes."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from salix.typing import InputError

CONNECT_SECONDS = 10.0
OBJECT_STORE_BYTES = 100 * 2**20  # rows go to the run directory, not through Ray
ACCELERATORS = ("GPU", "TPU")


@dataclass(frozen=True)
class ClusterNode:
    """Node of a cluster that has room for `workers` workers, of `cores` cores each."""

    id: str
    host: str
    workers: int
    cores: int
    accelerator: str | None


@contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """Connect to the cluster at an address for the context, which is given Ray's module.

    None is the address in RAY_ADDRESS, or else "local", a cluster of this machine that ends with
    the context. Raises `InputError` without Ray, and where no cluster answers.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        ray: Any = import_module("ray")
    except ImportError:
        raise InputError("--ray needs Ray: pip install 'salix[ray]'") from None
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    _check_address(address)
    options: dict[str, Any] = {}
    if address == "local":
        options = {
            "include_dashboard": False,
            "num_cpus": usable_cores(),
            "object_store_memory": OBJECT_STORE_BYTES,
        }
    # Ray has a handler of its own for SIGTERM, which would end this process at once.
    handlers = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **options)
    except (Exception, SystemExit) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(_no_cluster(address, reason)) from error
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    try:
        yield ray
    finally:
        ray.shutdown()


def nodes(ray: Any, cores: int | None) -> list[ClusterNode]:
    """Return the nodes at work that have room for workers: one for each GPU or TPU.

    On a cluster without accelerators one for each `cores` cores, or for all cores of a node.
    """
    alive = [node for node in ray.nodes() if node["Alive"]]
    kinds = [k for k in ACCELERATORS if any(n["Resources"].get(k, 0) >= 1 for n in alive)]
    kind = kinds[0] if kinds else None
    places = []
    for node in alive:
        available = int(node["Resources"].get("CPU", 0))
        if kind is not None:
            workers = int(node["Resources"].get(kind, 0))
            share = available // max(workers, 1)
        else:
            share = cores or available
            workers = available // share if share else 0
        if workers:
            host = node["NodeManagerHostname"]
            places.append(ClusterNode(node["NodeID"], host, workers, share, kind))
    return places


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _check_address(address: str) -> None:
    """Raise `InputError` for a host and port where nothing answers."""
    if address in ("local", "auto"):
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise InputError(
            f"--ray {address} is no address of a cluster: give auto, HOST:6379 or ray://HOST:10001"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise InputError(_no_cluster(address, str(error))) from None


def _no_cluster(address: str, reason: str) -> str:
    return (
        f"no Ray cluster for --ray {address} ({reason}): start one with `ray start --head`, or "
        "leave the address out for a cluster of this machine"
    )
