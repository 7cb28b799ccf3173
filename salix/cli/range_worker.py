"""Worker of `salix sweep --ray`: computes ranges of one run on demand, compiled once."""

import io
import os
import socket
from collections.abc import Callable
from contextlib import redirect_stderr
from typing import Any

from salix import interrupts
from salix.engine.run import PreparedRun
from salix.progress import Progress
from salix.store.claim import Claimed
from salix.typing import InputError


class RangeWorker:
    """Worker in a process of its own, which opens model, weights and data by their names.

    Its methods take and return plain data. What they return has `refused`, the reason, for unusable
    input, and `error` for any other failure. `done` and `stop` are called while another works.
    """

    prepared: PreparedRun
    current: tuple[int, Progress] | None = None

    def versions(self) -> dict[str, Any]:
        """Return the host and the versions that decide rows."""
        return {"host": socket.gethostname(), "versions": versions()}

    def open(
        self, command: dict[str, Any], folder: str, threads: int, accelerated: bool
    ) -> dict[str, Any]:
        """Open the run of a sweep's options, whose paths are relative to `folder`.

        `threads` load images. Returns how the run is cut, and the notes of opening it.
        """
        return _reported(lambda: self._open(command, folder, threads, accelerated))

    def _open(
        self, command: dict[str, Any], folder: str, threads: int, accelerated: bool
    ) -> dict[str, Any]:
        import jax

        from salix.cli import configure_process
        from salix.cli.plain import from_plain
        from salix.cli.sweep import Sweep

        try:
            os.chdir(folder)
        except OSError as error:
            raise InputError(f"{folder} is no folder there: start in one of all nodes") from error
        configure_process(cache_programs=True)
        if accelerated and jax.default_backend() == "cpu":
            raise InputError("JAX finds no accelerator there: install jax[cuda12] or jax[tpu]")
        notes = io.StringIO()
        with redirect_stderr(notes):
            self.prepared = from_plain(Sweep, command).prepare(workers=threads)
        prepared = self.prepared
        return {
            "notes": notes.getvalue(),
            "name": prepared.name,
            "batches": prepared.ranges.batches,
            "length": prepared.ranges.length,
            "size": prepared.size,
            "count": len(prepared.examples.ids),
        }

    def compute(self, number: int, patient: bool) -> dict[str, Any]:
        """Compute what a range lacks; `claimed` names another process that writes it.

        A claim of another host without signs of life is awaited if `patient`.
        """
        return _reported(lambda: self._compute(number, patient))

    def _compute(self, number: int, patient: bool) -> dict[str, Any]:
        bar = self.prepared.bar([number], show=False)
        self.current = number, bar
        try:
            left = self.prepared.compute([number], bar, patient=patient)
        except Claimed as error:
            left = [error]
        return {"claimed": str(left[0])} if left else {}

    def done(self) -> tuple[int, int]:
        """Return the latest range and the number of its images that have rows."""
        if self.current is None:
            return 0, 0
        number, bar = self.current
        return number, bar.before + bar.done

    def stop(self) -> None:
        """End the current range after its batch, with finished rows written."""
        interrupts.request()


def versions() -> dict[str, str]:
    """Return the versions that must be the same for all workers of a run."""
    import jax

    import salix

    return {"salix": salix.__version__, "jax": jax.__version__}


def _reported(function: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what a function returns, or its error as text: errors of libraries do not travel."""
    try:
        return function()
    except InputError as error:
        return {"refused": str(error)}
    except KeyboardInterrupt:
        return {"error": "stopped"}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
