"""Options of a command that runs as several processes."""

from dataclasses import dataclass
from typing import Annotated

from salix.cli.options import Option
from salix.typing import InputError


@dataclass(frozen=True)
class ProcessOptions:
    """The processes that do one training together."""

    coordinator: Annotated[
        str | None,
        Option(
            help="HOST:PORT of process 0, for one of several processes that train together, each "
            "with this command: --coordinator node1:12345 --processes 2 --process 0, and --process "
            "1 on the other; --out is read and written by process 0"
        ),
    ] = None
    processes: Annotated[
        int | None, Option(help="number of processes; it divides the recipe's batch_size")
    ] = None
    process: Annotated[int | None, Option(help="number of this process, from 0")] = None
    distributed: Annotated[
        bool,
        Option(
            help="take coordinator, processes and process from Slurm, Open MPI, Kubernetes or a "
            "TPU pod, as jax.distributed.initialize() does: srun salix train … --distributed"
        ),
    ] = False
    start_timeout: Annotated[
        int, Option(help="seconds that a process waits for all to have started")
    ] = 300
    heartbeat_timeout: Annotated[
        int, Option(help="seconds without a sign of life after which a process counts as lost")
    ] = 100

    def join(self) -> None:
        """Join the processes, if this is one of several."""
        numbers = {
            "--coordinator": self.coordinator,
            "--processes": self.processes,
            "--process": self.process,
        }
        missing = [name for name, value in numbers.items() if value is None]
        if not self.distributed and len(missing) == len(numbers):
            return
        if not self.distributed and missing:
            raise InputError(
                f"{' and '.join(missing)} not given: one of several processes needs --coordinator, "
                "--processes and --process, or --distributed, which detects them"
            )
        from salix.train.processes import join_processes

        join_processes(
            self.coordinator,
            self.processes,
            self.process,
            start_timeout=self.start_timeout,
            heartbeat_timeout=self.heartbeat_timeout,
        )
