"""Worker processes, one for each variant, run in turn.

A worker reads a line for each run and answers with its cost as a line of JSON (`serving.serve`). A
waiting worker uses no processor time. Every round runs every worker once, so that all variants
meet the same load.
"""

import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from machine import WORKER_DEFAULTS, free_memory

MINIMUM_FREE = 1.5  # GiB of free memory that starting another worker requires
TIMEOUT = 1200.0  # seconds without an answer before a worker is killed

WorkerCommand = tuple[Sequence[str], dict[str, str]]  # command, and changes of its environment


class Worker:
    """A process that runs one variant on demand."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]):
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the process
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=self.errors, text=True, env=dict(environment)
        )

    def read(self, timeout: float | None = None) -> dict[str, Any]:
        """Next answer of the worker. Raises `RuntimeError` with the reason if there is none."""
        assert self.process.stdout
        ready, _, _ = select.select([self.process.stdout], [], [], timeout)
        if not ready:
            self.process.kill()
            raise RuntimeError(f"no answer in {timeout:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(self.failure())
        return json.loads(line)

    def failure(self) -> str:
        """Why the process ended: its signal, the last line of its errors, or its exit status."""
        status = self.process.wait()
        self.errors.seek(0)
        lines = [line.strip() for line in self.errors.read().splitlines() if line.strip()]
        if status < 0:
            return f"ended by signal {-status}" + (" (out of memory?)" if status == -9 else "")
        return lines[-1] if lines else f"ended with exit status {status} and no error message"

    def run(self, timeout: float | None = None) -> dict[str, Any]:
        """Run the variant once and return the cost."""
        assert self.process.stdin
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise RuntimeError(self.failure()) from None
        return self.read(timeout)

    def stop(self) -> None:
        """Let the process finish, kill it after 30 s, and close its files."""
        assert self.process.stdin
        assert self.process.stdout
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()


def start_workers(
    commands: Mapping[str, WorkerCommand], timeout: float | None = None
) -> tuple[dict[str, Worker], dict[str, dict[str, Any]]]:
    """Start workers one after the other; return the running ones and a row for each command.

    The row has the worker's first answer and an empty list of `rounds`, or a reason `left out`.
    """
    workers: dict[str, Worker] = {}
    rows: dict[str, dict[str, Any]] = {}
    for name, (command, environment) in commands.items():
        if (free := free_memory()) < MINIMUM_FREE:
            rows[name] = {"left out": f"{free:.1f} GiB of memory are free, not {MINIMUM_FREE}"}
            continue
        worker = Worker(command, os.environ | WORKER_DEFAULTS | environment)
        try:
            rows[name] = worker.read(timeout) | {"rounds": []}
        except RuntimeError as error:
            rows[name] = {"left out": str(error)}
            worker.stop()
        else:
            workers[name] = worker
    return workers, rows


def run_rounds(
    workers: dict[str, Worker],
    rows: dict[str, dict[str, Any]],
    rounds: int,
    deadline: float | None = None,
    timeout: float | None = None,
) -> int:
    """Run every worker once in each round, for that many rounds or until the deadline.

    The first round is always completed. Returns the number of rounds; a worker that fails is
    removed and its row gets the reason as `left out`.
    """
    for done in range(rounds):
        if done and deadline is not None and time.monotonic() > deadline:
            return done
        for name in list(workers):
            try:
                rows[name]["rounds"].append(workers[name].run(timeout))
            except RuntimeError as error:
                rows[name] = {"left out": str(error)}
                workers.pop(name).stop()
    return rounds


def stop_workers(workers: Mapping[str, Worker]) -> None:
    for worker in workers.values():
        worker.stop()
