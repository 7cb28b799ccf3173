"""Workers of a driver on a Ray cluster: their actors, and the texts of their errors."""

from dataclasses import dataclass
from typing import Any

from salix.cli.range_worker import RangeWorker
from salix.cli.ray_cluster import ClusterNode


@dataclass(eq=False)
class Worker:
    """A worker's actor on its node, its present call, and the range of it."""

    actor: Any
    node: ClusterNode
    call: Any
    stage: str = "versions"  # then "open", and "compute" or "idle"
    number: int | None = None
    watch: Any = None


def start_worker(ray: Any, node: ClusterNode) -> Worker:
    """Start a worker on a node, which ends with this process."""
    strategies = ray.util.scheduling_strategies
    actor = (
        ray.remote(RangeWorker)
        .options(
            num_cpus=node.cores,
            num_gpus=int(node.accelerator == "GPU"),
            resources={"TPU": 1} if node.accelerator == "TPU" else {},
            max_concurrency=2,  # one call computes, another asks how far it is
            scheduling_strategy=strategies.NodeAffinitySchedulingStrategy(node.id, soft=False),
        )
        .remote()
    )
    return Worker(actor, node, actor.versions.remote())


def first_line(error: Exception) -> str:
    """Return the reason of an error of Ray."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def version_text(versions: dict[str, str]) -> str:
    """Return versions as words."""
    return " and ".join(f"{name} {version}" for name, version in versions.items())
