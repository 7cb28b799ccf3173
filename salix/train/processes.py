"""Training over several processes: joining them, and errors of a process that ends."""

import os
import re
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jax

from salix.train.exchange import exchange
from salix.typing import InputError

# Errors of the collectives and of JAX's coordination service once another process has ended
LOST = re.compile(r"\b(gloo|nccl|rccl|coordination.?service|DEADLINE_EXCEEDED)", re.IGNORECASE)


def join_processes(
    coordinator: str | None = None,
    processes: int | None = None,
    process: int | None = None,
    *,
    start_timeout: int = 300,
    heartbeat_timeout: int = 100,
) -> None:
    """Make this process number `process` of a training over several, by `jax.distributed`.

    `coordinator` is HOST:PORT of process 0. What is None is detected from the environment of
    Slurm, Open MPI, Kubernetes or a TPU pod. Call it before any use of a device; it returns once
    all processes have joined, within `start_timeout` seconds. A process that does not answer for
    `heartbeat_timeout` seconds ends the others. Raises `InputError` for settings that cannot work.
    """
    if coordinator is not None:
        _check_address(coordinator, process)
    if processes is not None and processes < 1:
        raise InputError(f"--processes is {processes}: give the number of processes, 1 or more")
    if process is not None and not 0 <= process < (processes or process + 1):
        last = f"0 to {processes - 1}" if processes else "0 or more"
        raise InputError(f"--process is {process}: of --processes {processes}, give {last}")
    timeouts = {"--start-timeout": start_timeout, "--heartbeat-timeout": heartbeat_timeout}
    for name, seconds in timeouts.items():
        if seconds < 1:
            raise InputError(f"{name} is {seconds}: give at least 1 second")
    config: Any = jax.config
    config.update("jax_cpu_collectives_implementation", "gloo")
    config.update("jax_enable_preemption_service", False)  # it would take over SIGTERM
    with _time_limit(start_timeout, coordinator, processes, process):
        try:
            jax.distributed.initialize(
                coordinator,
                processes,
                process,
                # JAX itself would end the process with a stack trace.
                initialization_timeout=start_timeout + 60,
                heartbeat_timeout_seconds=heartbeat_timeout,
            )
        except (ValueError, RuntimeError, ImportError) as error:
            reason = str(error).splitlines()[0].rstrip(".")
            hint = (
                "--distributed needs Slurm, Open MPI, Kubernetes or a TPU pod; elsewhere give "
                "--coordinator HOST:PORT, --processes N and --process K"
            )
            raise InputError(f"the processes cannot be joined ({reason}): {hint}") from error
    devices = exchange(jax.local_device_count())
    if len(set(devices)) > 1:
        raise InputError(
            f"the processes have {', '.join(map(str, devices))} devices: give each the same number"
        )


def check_batch_size(batch_size: int) -> None:
    """Raise `InputError` for a batch size that the processes do not divide."""
    if batch_size % (processes := jax.process_count()):
        lower = batch_size - batch_size % processes or processes
        raise InputError(
            f"batch_size {batch_size} does not divide among {processes} processes: give a multiple "
            f"of {processes}, for example batch_size={lower}"
        )


def check_same_configuration(config: Mapping[str, Any]) -> None:
    """Raise `InputError` if the processes have different options or data."""
    first, *others = exchange(dict(config))
    for number, other in enumerate(others, 1):
        differing = [name for name in first if first[name] != other.get(name)]
        if differing:
            raise InputError(
                f"process {number} and process 0 differ in {', '.join(differing)}: give every "
                "process the same options and the same files"
            )


@contextmanager
def lost_processes() -> Iterator[None]:
    """Raise `ConnectionError`, with how to go on, where a collective fails."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        if jax.process_count() == 1 or not LOST.search(str(error)):
            raise
        raise ConnectionError(
            f"process {jax.process_index()} of {jax.process_count()} has lost another one, which "
            "has ended or cannot be reached; finished epochs are kept: see its messages, and run "
            "the same command in every process to go on"
        ) from error


def _check_address(coordinator: str, process: int | None) -> None:
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise InputError(
            f"--coordinator {coordinator!r}: give HOST:PORT of process 0, such as node1:12345"
        )
    try:
        socket.getaddrinfo(host.strip("[]"), int(port))
    except OSError as error:
        raise InputError(
            f"--coordinator {coordinator}: there is no host {host!r} ({error.strerror})"
        ) from error
    if process != 0:
        return
    with socket.socket(socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", int(port)))
        except OSError as error:
            raise InputError(
                f"--coordinator {coordinator}: port {port} cannot be used here "
                f"({error.strerror}): give another one to every process"
            ) from error


@contextmanager
def _time_limit(
    seconds: int, coordinator: str | None, processes: int | None, process: int | None
) -> Iterator[None]:
    """End this process with a message if the context takes longer: JAX waits in C++ code."""

    def end() -> None:
        if process != 0 and coordinator is not None and not _answers(coordinator):
            text = (
                f"no coordinator answers at {coordinator} after {seconds} s: start process 0 "
                "there, or correct --coordinator"
            )
        else:
            text = (
                f"not all {processes or ''} processes have started after {seconds} s: start every "
                "one with the same --coordinator and --processes, or wait longer: --start-timeout"
            )
        print(f"salix: {text}", file=sys.stderr, flush=True)
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _answers(coordinator: str) -> bool:
    host, _, port = coordinator.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    except OSError:
        return False
    return True
