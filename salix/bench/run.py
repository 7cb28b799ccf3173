"""Interleaved timing of a model's workloads, in percent of the device's ceilings."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, get_args

import jax

from salix.bench.arrays import images
from salix.bench.ceilings import Roofline, roofline
from salix.bench.policy import missing, rounded
from salix.bench.program import WorkloadProgram
from salix.bench.timing import Costs, checksum, spread
from salix.bench.workloads import WORKLOADS
from salix.model import Model
from salix.precision import Precision
from salix.progress import Progress
from salix.store import circumstances
from salix.typing import InputError, Params

PRECISIONS: tuple[str, ...] = get_args(Precision)
Row = dict[str, Any]  # JSON values


def bench(
    model: Model,
    params: Params,
    *,
    workloads: Sequence[str] = tuple(WORKLOADS),
    precisions: Sequence[str] = ("float32",),
    batch_sizes: Sequence[int] = (8,),
    rounds: int = 5,
    progress: bool = False,
    ceilings: Roofline | None = None,
) -> list[Row]:
    """Time each workload in each precision and batch size; returns a row for each combination.

    All programs are compiled and run once; then each round runs all in turn, under the same load
    of the machine. Images are drawn from a seed and are on the device. A row has

    - median and quartiles of `images_per_second` and, for a run of a batch, of `wall_seconds`,
      `cpu_seconds` (all threads) and `host_seconds` (until the call returned);
    - `passes` and `flops` as in `WorkloadProgram`, and `passes_per_second` over all images;
    - `percent_of_gemm`: FLOP/s in percent of matrix products in that precision, from `ceilings`,
      which are measured here if None;
    - `rounded`: the share of a forward pass's products with operands of 16 bits;
    - mean and standard deviation of the result; device and versions.

    Unknown values are None; memory traffic is not estimated. A combination that fails has the
    reason in `left_out`, and the others run. Raises `InputError` for less than one round or image.
    """
    check(batch_sizes=batch_sizes, rounds=rounds)
    about = {**circumstances(), "cores": os.cpu_count(), "model": model.name}
    about["image"] = [*model.preprocess.size, model.preprocess.channels]
    cases = [(w, p, b) for b in batch_sizes for p in precisions for w in workloads]
    rows = [about | {"workload": w, "precision": p, "batch_size": b} for w, p, b in cases]
    runs: list[_TimedRun] = []
    total = len(rows) * (rounds + 1)
    with Progress(f"bench {model.name}", total, show=progress, unit="runs") as bar:
        for row in rows:
            try:
                runs.append(_start(model, params, row))
                bar.advance(1)
            except Exception as error:  # of a model, a compiler or a device
                row["left_out"] = _reason(error)
                bar.advance(rounds + 1)
        if ceilings is None:
            precisions = list(dict.fromkeys(run.row["precision"] for run in runs))
            ceilings = roofline(precisions=precisions)
        for _ in range(rounds):
            for run in runs:
                run.go()
                bar.advance(1)
    for run in runs:
        if "left_out" not in run.row:
            run.row.update(_measured(run, ceilings))
    return rows


def check(
    *,
    workloads: Sequence[str] = (),
    precisions: Sequence[str] = (),
    batch_sizes: Sequence[int] = (),
    rounds: int = 1,
) -> None:
    """Raise `InputError` for an unknown workload or precision, or a count below 1."""
    for kind, names, known in (
        ("workload", workloads, WORKLOADS),
        ("precision", precisions, PRECISIONS),
    ):
        if unknown := [name for name in names if name not in known]:
            raise InputError(f"no {kind} {unknown[0]!r}: there are {', '.join(known)}")
    if min(rounds, *batch_sizes, 1) < 1:
        raise InputError(f"{rounds} rounds, batches of {tuple(batch_sizes)}: give 1 or more")


@dataclass
class _TimedRun:
    row: Row
    program: WorkloadProgram
    images: Any
    result: dict[str, Any]
    rounded: float
    costs: Costs = field(default_factory=Costs)

    def go(self) -> None:
        """Time one run, unless one has failed."""
        if "left_out" not in self.row:
            try:
                self.costs.add(self.program.run, self.images)
            except Exception as error:  # such as memory that suffices for one program alone
                self.row["left_out"] = _reason(error)


def _start(model: Model, params: Params, row: Row) -> _TimedRun:
    """Compile the program of a row and run it once."""
    workload, precision, batch = row["workload"], row["precision"], row["batch_size"]
    check(workloads=[workload], precisions=[precision])
    if reason := missing(model, params, precision):
        raise InputError(reason)
    program = WORKLOADS[workload].program(model, params, batch, precision=precision)
    batch_images = jax.device_put(images(model, batch))
    result = checksum(jax.device_get(program.run(batch_images)))
    return _TimedRun(row, program, batch_images, result, rounded(model, params, precision))


def _measured(run: _TimedRun, ceilings: Roofline) -> Row:
    precision, batch, program = run.row["precision"], run.row["batch_size"], run.program
    wall = spread(run.costs.wall)
    rate = {"median": batch / wall["median"], "low": batch / wall["high"]}
    rate["high"] = batch / wall["low"]
    speed = program.flops / wall["median"]
    return {
        "images_per_second": rate,
        "wall_seconds": wall,
        "cpu_seconds": spread(run.costs.cpu),
        "host_seconds": spread(run.costs.host),
        "rounds": len(run.costs.wall),
        "compile_seconds": program.compile_seconds,
        "passes": program.passes,
        "passes_per_second": program.passes * rate["median"],
        "flops": _plain(program.flops),
        "flops_per_second": _plain(speed),
        "gemm_flops_per_second": ceilings.gemm.get(precision),
        "copy_bytes_per_second": ceilings.copy,
        "percent_of_gemm": _plain(ceilings.percent(speed, precision)),
        "rounded": _plain(run.rounded),
        **run.result,
    }


def _plain(number: float) -> float | None:
    """Return a number of JSON: None for NaN and infinity."""
    return number if isfinite(number) else None


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines() or ["no message"]
    return lines[0] if isinstance(error, InputError) else f"{type(error).__name__}: {lines[0]:.300}"
