"""Driver of workers on a Ray cluster: one in each place of a node, each at a range of a run."""

import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from salix.cli.operation_options import Reports
from salix.cli.plain import to_plain
from salix.cli.range_queue import RangeQueue
from salix.cli.range_worker import versions
from salix.cli.ray_cluster import nodes
from salix.cli.ray_worker import Worker, first_line, start_worker, version_text
from salix.data.notes import printable
from salix.interrupts import check
from salix.store import Run
from salix.typing import InputError

if TYPE_CHECKING:
    from salix.cli.sweep import Sweep

POLL_SECONDS = 2.0  # between two looks at the nodes and at the workers' progress
NOTE_SECONDS = 30.0  # without a worker, before a line tells so
STARTS = 3  # of workers that end before they can compute, in a row on one node
NODE_SECONDS = 600.0  # without a node, before a run that has begun ends
STOP_SECONDS = 15.0  # for workers to write finished rows after an interrupt


class Driver:
    """Keeps a worker in each place of a cluster, and each worker at a range."""

    def __init__(self, ray: Any, command: "Sweep", reports: Reports):
        self.ray, self.command, self.reports = ray, command, reports
        self.workers: list[Worker] = []
        self.refused: dict[str, str] = {}  # by node, with the reason
        self.starts: dict[str, int] = {}  # that failed, by node
        self.queue: RangeQueue | None = None
        self.began = self.seen = time.monotonic()  # a node with room was seen
        self.noted = False
        if not nodes(ray, command.ray_cores):
            asked = f"{command.ray_cores} free cores" if command.ray_cores else "a core"
            raise InputError(f"no node of the cluster has {asked}: give fewer --ray-cores")

    def run(self) -> Run:
        """Compute what the run lacks; errors are those of `ray_sweep`."""
        looked = -POLL_SECONDS
        try:
            while self.queue is None or not self.queue.is_empty:
                check()
                if time.monotonic() - looked >= POLL_SECONDS:
                    self._place()
                    self._watch()
                    looked = time.monotonic()
                calls = {w.call: w for w in self.workers if w.call is not None}
                if not calls:
                    time.sleep(0.1)
                    continue
                self._note_waiting()
                for call in self.ray.wait([*calls], timeout=0.5)[0]:
                    self._receive(calls[call])
                self._assign()
        except KeyboardInterrupt:
            self._stop()
            raise
        finally:
            if self.queue is not None:
                self.queue.close()
        if self.queue is not None:
            self.queue.check()
        return Run(self.command.out)

    def _place(self) -> None:
        """Start a worker in each free place, of nodes that have come since as well."""
        places = nodes(self.ray, self.command.ray_cores)
        free = [node for node in places if node.id not in self.refused]
        if free:
            self.seen = time.monotonic()
        elif not self.workers:
            reasons = "; ".join(dict.fromkeys(self.refused[n.id] for n in places)) or "no node"
            if self.queue is None:
                raise InputError(reasons)
            if places or time.monotonic() - self.seen > NODE_SECONDS:
                raise ChildProcessError(
                    f"no worker is left ({reasons}); finished rows are kept: run the same command "
                    "to go on"
                )
        for node in free:
            count = sum(w.node.id == node.id for w in self.workers)
            for _ in range(node.workers - count):
                if self.queue is None or self.queue.open > self._idle():
                    self.workers.append(start_worker(self.ray, node))

    def _note_waiting(self) -> None:
        """Print once that no worker has started, as on a cluster that is in use."""
        waits = self.queue is None and all(w.stage == "versions" for w in self.workers)
        if waits and not self.noted and time.monotonic() - self.began > NOTE_SECONDS:
            self.noted = True
            print(f"{len(self.workers)} workers wait for room on the cluster", file=sys.stderr)

    def _idle(self) -> int:
        return sum(w.stage != "compute" for w in self.workers)

    def _receive(self, worker: Worker) -> None:
        """Take the result of a worker's call."""
        call, stage, worker.call, worker.stage = worker.call, worker.stage, None, "idle"
        queue = self.queue
        try:
            result = self.ray.get(call)
        except self.ray.exceptions.RayError as error:
            self._lost(worker, f"on {worker.node.host}: {first_line(error)}")
            return
        if queue is not None and worker.number is not None:
            number, worker.number = worker.number, None
            if reason := result.get("refused") or result.get("error"):
                queue.fail(number, f"on {worker.node.host}: {reason}")
            elif reason := result.get("claimed"):
                queue.claim(number, reason)
            else:
                queue.finish(number)
        elif stage == "versions":
            self._open(worker, result)
        elif reason := result.get("refused"):
            self._refuse(worker, reason)
        elif reason := result.get("error"):
            self._lost(worker, f"on {worker.node.host}: {reason}")
        else:
            self.starts.pop(worker.node.id, None)
            if self.queue is None:
                for line in result["notes"].splitlines():
                    print(printable(line), file=sys.stderr)
                self.queue = RangeQueue.of_run(self.command.out, result, self.reports)

    def _open(self, worker: Worker, answer: dict[str, Any]) -> None:
        if answer["versions"] != versions():
            here, there = map(version_text, (versions(), answer["versions"]))
            reason = f"mixed versions: {here} here, {there} on {answer['host']}"
            self._refuse(worker, f"{reason}: install the same on all")
            return
        node, command = worker.node, to_plain(self.command)
        threads, accelerated = max(node.cores, 1), node.accelerator is not None
        worker.call = worker.actor.open.remote(command, os.getcwd(), threads, accelerated)
        worker.stage = "open"

    def _refuse(self, worker: Worker, reason: str) -> None:
        """Start no more workers on a node."""
        # Before the run is open it may be the error of all nodes, which is raised.
        if self.queue is not None and worker.node.id not in self.refused:
            print(printable(f"no workers on {worker.node.host}: {reason}"), file=sys.stderr)
        self.refused[worker.node.id] = reason
        self._end(worker)

    def _lost(self, worker: Worker, reason: str) -> None:
        """Give the range of a lost worker to another."""
        self._end(worker)
        if self.queue is not None and worker.number is not None:
            self.queue.fail(worker.number, reason)
            return
        failed = self.starts[worker.node.id] = self.starts.get(worker.node.id, 0) + 1
        if failed >= STARTS:
            self._refuse(worker, reason)

    def _end(self, worker: Worker) -> None:
        self.ray.kill(worker.actor)
        if worker in self.workers:
            self.workers.remove(worker)

    def _assign(self) -> None:
        """Give each idle worker a range."""
        for worker in self.workers:
            if self.queue is None or worker.stage != "idle":
                continue
            if (task := self.queue.next()) is None:
                return
            worker.number, worker.stage = task[0], "compute"
            worker.call = worker.actor.compute.remote(*task)

    def _watch(self) -> None:
        """Ask the workers how far they are, and show what they have answered."""
        for worker in self.workers:
            if self.queue is None or worker.number is None:
                continue
            if worker.watch is not None and self.ray.wait([worker.watch], timeout=0)[0]:
                with suppress(self.ray.exceptions.RayError):  # its call tells
                    self.queue.show(*self.ray.get(worker.watch))
                worker.watch = None
            if worker.watch is None:
                worker.watch = worker.actor.done.remote()

    def _stop(self) -> None:
        """Let the workers end their ranges with finished rows written."""
        calls = []
        for worker in self.workers:
            worker.actor.stop.remote()
            if worker.stage == "compute":
                calls.append(worker.call)
        if calls:
            self.ray.wait(calls, num_returns=len(calls), timeout=STOP_SECONDS)
