"""Executors that load examples: threads, or processes where threads do not scale."""

import multiprocessing
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import wait
from typing import Any, Literal

from salix.data.bounds import Unreadable
from salix.interrupts import check
from salix.typing import InputError

Loader = Literal["threads", "processes"]
Load = Callable[[int], Any]
Futures = Sequence[Future[list[Any]]]
CHUNK = 4  # examples in one message of a process, and at most in one task of a thread
AHEAD = 4  # ranges that threads load ahead


@dataclass(frozen=True)
class Skip:
    """The reason why an example could not be read."""

    reason: str


@contextmanager
def open_loader(loader: Loader, workers: int, load: Load) -> Iterator[Callable[[range], Futures]]:
    """Yield a function that submits indices of examples, a few in each of the futures it returns.

    Processes are spawned anew, with a copy of `load`; they end with this one. Raises `InputError`
    for a function that cannot be sent to them.
    """
    executor = _threads(workers) if loader == "threads" else _processes(workers, load)
    try:
        # Several examples at once, for each message takes time.
        if loader == "threads":
            yield partial(_submit, executor, partial(_loaded, load), workers)
        else:
            yield partial(_submit, executor, _loaded_here, 0)
    finally:  # the consumer stopped early: do not load what is not needed
        executor.shutdown(wait=True, cancel_futures=True)


def results(futures: Futures) -> Iterator[Any]:
    """Yield examples, or `Skip`; raises `InputError` where a process of the loader has ended."""
    with _remedy():
        for future in futures:
            yield from future.result()


def load_ranges(
    load: Load, ranges: Iterable[range], *, workers: int
) -> Iterator[tuple[range, list[Any]]]:
    """Yield ranges with their examples or `Skip`, loaded by threads a few ranges ahead."""
    with open_loader("threads", workers, load) as submit:
        waiting: deque[tuple[range, Futures]] = deque()
        for indices in ranges:
            waiting.append((indices, submit(indices)))
            if len(waiting) > AHEAD:
                first, futures = waiting.popleft()
                yield first, list(results(futures))
        while waiting:
            first, futures = waiting.popleft()
            yield first, list(results(futures))


@contextmanager
def _remedy() -> Iterator[None]:
    """Raise `InputError` with the remedy where a process of the loader has ended."""
    try:
        yield
    except BrokenProcessPool:
        check()  # the same signal may have ended them
        raise InputError(
            "a process that loads images has ended, killed or out of memory: run the same command "
            "again, with fewer --workers or with --loader threads; a script of your own needs "
            "if __name__ == '__main__': around its calls"
        ) from None


def _submit(executor: Executor, task: Any, threads: int, indices: range) -> Futures:
    """Submit a batch in tasks of a few examples, and of fewer where threads would have no task."""
    size = max(1, min(CHUNK, len(indices) // (4 * threads))) if threads else CHUNK
    with _remedy():  # a broken pool takes no task
        return [executor.submit(task, indices[i : i + size]) for i in range(0, len(indices), size)]


def _threads(workers: int) -> Executor:
    return ThreadPoolExecutor(workers, thread_name_prefix="salix-load")


def _processes(workers: int, load: Load) -> Executor:
    try:
        content = pickle.dumps(load)
    except Exception as error:  # pickle and the objects' own methods raise anything
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"these data cannot be sent to processes ({reason}): use --loader threads"
        ) from None
    context = multiprocessing.get_context("spawn")  # a fork would copy the threads' locks of JAX
    return ProcessPoolExecutor(workers, context, _start, (content,))


class _Process:
    load: Load


def _start(content: bytes) -> None:
    """Take over the function of the parent, which alone decides how signals end both."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal
    if hasattr(os, "setpgid"):  # SIGTERM of Slurm reaches all processes of the parent's group
        os.setpgid(0, 0)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _Process.load = pickle.loads(content)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _loaded_here(indices: Sequence[int]) -> list[Any]:
    return _loaded(_Process.load, indices)


def _loaded(load: Load, indices: Sequence[int]) -> list[Any]:
    return [_example(load, index) for index in indices]


def _example(load: Load, index: int) -> Any:
    try:
        return load(index)
    except (Unreadable, OSError) as error:  # with paths that may not be UTF-8, as rows must be
        return Skip(str(error).encode("utf-8", "backslashreplace").decode())
