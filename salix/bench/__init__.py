"""Throughput of a model's workloads on this device, and the device's measured ceilings."""

from salix.bench.ceilings import Roofline, roofline
from salix.bench.program import WorkloadProgram
from salix.bench.run import PRECISIONS, bench, check
from salix.bench.table import save, show
from salix.bench.workloads import WORKLOADS, Workload

__all__ = [
    "PRECISIONS",
    "WORKLOADS",
    "Roofline",
    "Workload",
    "WorkloadProgram",
    "bench",
    "check",
    "roofline",
    "save",
    "show",
]
