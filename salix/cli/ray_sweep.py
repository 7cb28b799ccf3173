"""`salix sweep --ray`: a run that workers on a Ray cluster compute."""

from typing import TYPE_CHECKING

from salix.cli.operation_options import Reports
from salix.cli.ray_cluster import connected
from salix.cli.ray_driver import Driver
from salix.store import Run
from salix.typing import InputError

if TYPE_CHECKING:
    from salix.cli.sweep import Sweep


def ray_sweep(command: "Sweep", reports: Reports) -> Run:
    """Compute a sweep's run by workers on a Ray cluster, and return it when every range is whole.

    This process needs no accelerator. Raises `InputError` for what no node can use, and
    `ChildProcessError` for ranges that failed repeatedly, once all others are written.
    """
    if command.shard is not None:
        raise InputError("--ray computes the whole run: leave out --shard")
    if command.operation.profile is not None:
        raise InputError("--profile traces one process: leave out --ray, and give --shard 0/100")
    if command.ray_cores is not None and command.ray_cores < 1:
        raise InputError(f"--ray-cores {command.ray_cores}: give at least 1")
    address = command.ray or ()
    if len(address) > 1:
        raise InputError(f"--ray {' '.join(address)}: give one address, or none")
    with connected(address[0] if address else None) as ray:
        return Driver(ray, command, reports).run()
