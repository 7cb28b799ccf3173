"""Processes that each hold one variant, asked in turn for one run.

A worker reads a line for each run and writes what the run cost as a line of JSON. One that waits
uses no processor time; all meet the same load, as each round asks every one of them once.
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

from surroundings import PASSIVE, available

SPARE = 1.5  # GiB that must be free before another worker starts
PATIENCE = 1200.0  # seconds until a worker that says nothing is given up

Order = tuple[Sequence[str], dict[str, str]]  # a command, and what differs in its environment


class Worker:
    """A process that holds one variant, ready to be called."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]):
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the process
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=self.said, text=True, env=dict(environment)
        )

    def read(self, seconds: float | None = None) -> dict[str, Any]:
        """Return its next line. Raises `RuntimeError` with its last words where none comes."""
        assert self.process.stdout
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        if not ready:
            self.process.kill()
            raise RuntimeError(f"no answer in {seconds:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(self.last_words())
        return json.loads(line)

    def last_words(self) -> str:
        code = self.process.wait()
        self.said.seek(0)
        lines = [line.strip() for line in self.said.read().splitlines() if line.strip()]
        if code < 0:
            return f"ended by signal {-code}" + (" (out of memory?)" if code == -9 else "")
        return lines[-1] if lines else f"ended with {code}, without a word"

    def call(self, seconds: float | None = None) -> dict[str, Any]:
        """Return what one run costs."""
        assert self.process.stdin
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise RuntimeError(self.last_words()) from None
        return self.read(seconds)

    def end(self) -> None:
        """Let it finish, and leave nothing of it behind."""
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
        self.said.close()


def start(
    orders: Mapping[str, Order], seconds: float | None = None
) -> tuple[dict[str, Worker], dict[str, dict[str, Any]]]:
    """Start workers, one after the other; return those that live, and what all first said."""
    workers: dict[str, Worker] = {}
    rows: dict[str, dict[str, Any]] = {}
    for name, (command, environment) in orders.items():
        if (free := available()) < SPARE:
            rows[name] = {"left out": f"{free:.1f} GiB of memory are free, not {SPARE}"}
            continue
        worker = Worker(command, os.environ | PASSIVE | environment)
        try:
            rows[name] = worker.read(seconds) | {"rounds": []}
        except RuntimeError as error:
            rows[name] = {"left out": str(error)}
            worker.end()
        else:
            workers[name] = worker
    return workers, rows


def ask(
    workers: dict[str, Worker],
    rows: dict[str, dict[str, Any]],
    rounds: int,
    until: float | None = None,
    seconds: float | None = None,
) -> int:
    """Ask every worker once in each round, until all rounds are done or a moment has passed.

    The first round is always whole. Returns the rounds done; a worker that dies becomes a row that
    is left out.
    """
    for done in range(rounds):
        if done and until is not None and time.monotonic() > until:
            return done
        for name in list(workers):
            try:
                rows[name]["rounds"].append(workers[name].call(seconds))
            except RuntimeError as error:
                rows[name] = {"left out": str(error)}
                workers.pop(name).end()
    return rounds


def end(workers: Mapping[str, Worker]) -> None:
    for worker in workers.values():
        worker.end()
