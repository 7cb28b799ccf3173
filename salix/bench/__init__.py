"""How fast Salix explains images here, with a model, beside what the device can do at best."""

from salix.bench.ceilings import Roofline, roofline
from salix.bench.program import Program
from salix.bench.run import PRECISIONS, bench, check
from salix.bench.table import save, show
from salix.bench.workloads import WORKLOADS, Workload

__all__ = [
    "PRECISIONS",
    "WORKLOADS",
    "Program",
    "Roofline",
    "Workload",
    "bench",
    "check",
    "roofline",
    "save",
    "show",
]
