"""SIGINT and SIGTERM as an exception of the main thread, for commands that end in good order."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """End of a command by a signal; its exit status is 130 for SIGINT, 143 for SIGTERM."""

    def __init__(self, number: int):
        super().__init__(number)
        self.status = 128 + number


class _State:
    requested: Interrupted | None = None
    deferrals: int = 0


def request() -> None:
    """Let the next `check` raise `Interrupted`, as after SIGTERM."""
    _State.requested = Interrupted(signal.SIGTERM)


def check() -> None:
    """Raise `Interrupted` if a signal has arrived: an exception in a callback may be lost.

    Does nothing inside of `deferred`, which raises it at its end.
    """
    if _State.requested is not None and not _State.deferrals:
        raise _State.requested


@contextmanager
def deferred() -> Iterator[None]:
    """Let the context finish before a signal that arrives inside of it raises `Interrupted`.

    For work that is lost if it is not finished, and for work that a library shares with threads of
    its own, such as a write of Orbax: interrupted half-way, its threads fail while the interpreter
    ends, with a traceback each.
    """
    before = _State.requested
    _State.deferrals += 1
    try:
        yield
    finally:
        _State.deferrals -= 1
    if _State.requested is not before and not _State.deferrals:
        check()


@contextmanager
def signals_as_exceptions() -> Iterator[None]:
    """Raise `Interrupted` for SIGINT and SIGTERM inside the context; a second one ends at once.

    Outside of the main thread, which alone receives signals, nothing changes, nor for a signal that
    is ignored, as SIGINT is by commands that a shell starts in the background.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    hook = sys.unraisablehook

    def stop(number: int, frame: FrameType | None) -> None:
        if _State.requested is not None:
            os._exit(128 + number)
        _State.requested = Interrupted(number)
        if not _State.deferrals:
            raise _State.requested

    def without_interrupts(unraisable: Any) -> None:
        if not isinstance(unraisable.exc_value, Interrupted):  # which `check` raises again
            hook(unraisable)

    heard = [n for n in SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in heard}
    sys.unraisablehook = without_interrupts
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = hook
        _State.requested = None
