"""Run of a problem over a data set: its directory, its program, its ranges."""

import os
from contextlib import suppress
from math import gcd
from pathlib import Path

import jax
import numpy as np
from jax.sharding import Mesh

from salix.data import Examples, count_batches
from salix.data.content import recorded_digests
from salix.data.loaders import Loader
from salix.engine.configuration import check_names, configuration
from salix.engine.problem import Problem
from salix.engine.program import abstract_arguments, micro_batch, stored_columns, trace_step
from salix.engine.run import PreparedRun
from salix.engine.shard import Shard, as_shard
from salix.engine.traced_identity import traced_identity
from salix.measurement import Callback
from salix.store import KEYS, Run, circumstances, open_run
from salix.store.inputs import DIGEST_BYTES, changed_images, write_inputs
from salix.store.manifest import check_directory, read_manifest
from salix.store.ranges import Ranges, choose_length
from salix.typing import InputError, Params

BATCH_SIZE = 32  # of a run without a choice


def run_problem(
    problem: Problem,
    params: Params,
    examples: Examples,
    *,
    out: Path | str,
    batch_size: int | None = None,
    seed: int = 0,
    name: str | None = None,
    group: str | None = None,
    workers: int | None = None,
    loader: Loader = "threads",
    shard: Shard | tuple[int, int] | str | None = None,
    range_size: int | None = None,
    progress: bool = False,
    callback: Callback | None = None,
    unit: str = "examples",
) -> Run:
    """Compute one row for each example and write them to `out`; run it again to resume.

    `out` is a directory of Parquet parts and a manifest, returned opened. `batch_size` examples are
    loaded together, by `workers` threads (one for each core by default), or as many processes with
    the `loader` "processes"; on the CPU it is rounded up to whole micro-batches, see `micro_batch`.
    None is 32, of which an accelerator computes as many at once as fit into its free memory; it
    computes a number that is given as a whole. Where memory runs out all the same, the examples
    computed at once are halved, which one line on stderr and `about.micro_batch` tell. Random keys
    depend on `seed` and the example's id. Runs that differ by their training seed alone share
    `group`. `unit` is the examples' name in messages about progress. `callback` receives a
    `salix.callbacks.Measurement` about every ten seconds and at the end.

    A run of more than `range_size` examples, 10,000 by default, is cut into ranges of as many, in
    whole batches, each a folder of its own. `shard` (k, n) computes every n-th range from the k-th
    on, counted from 0, None all: any number of processes, in any shards, now or later, complete
    the same run with the same rows. A range that another process is writing is left to it.

    Parts that are damaged or of another run are set aside, named on stderr and computed again.
    Raises `InputError` before any work for an `out` of another configuration or other ranges, for a
    run of one range that another process is writing, and for a shard that is out of range; with
    all finished rows written where the devices lack the memory for one example.
    """
    shard = as_shard(shard)
    prepared = prepare_run(
        problem,
        params,
        examples,
        out=out,
        batch_size=batch_size,
        seed=seed,
        name=name,
        group=group,
        workers=workers,
        loader=loader,
        range_size=range_size,
        unit=unit,
    )
    return prepared.complete(shard, progress=progress, callback=callback)


def prepare_run(
    problem: Problem,
    params: Params,
    examples: Examples,
    *,
    out: Path | str,
    batch_size: int | None = None,
    seed: int = 0,
    name: str | None = None,
    group: str | None = None,
    workers: int | None = None,
    loader: Loader = "threads",
    range_size: int | None = None,
    unit: str = "examples",
) -> PreparedRun:
    """Open the run directory `out` for a problem, to compute its ranges on demand.

    Arguments and errors are those of `run_problem`.
    """
    out = Path(out)
    requested = BATCH_SIZE if batch_size is None else batch_size
    if requested < 1:
        raise InputError(f"batch_size is {batch_size}: give at least 1")
    check_directory(out)
    micro = micro_batch(problem, requested)
    size = -(-requested // micro) * micro
    mesh = Mesh(np.array(jax.devices()[: gcd(micro, jax.device_count())]), ("batch",))
    traced = trace_step(problem, abstract_arguments(problem, params, micro), mesh)
    columns = (*KEYS, *examples.columns, *stored_columns(problem.columns, traced.out_info))
    check_names(columns, examples)
    name = name or out.name
    with recorded_digests() as digests:
        config = configuration(
            problem, traced_identity(traced.jaxpr), params, examples, batch_size=size, seed=seed
        )
    if len(digests) != DIGEST_BYTES * len(examples.ids):  # not one file for each
        digests = b""
    about = {"name": name, "group": group or name, **circumstances()}
    total, count = count_batches(examples, size), len(examples.ids)
    length = choose_length(out, size, count, range_size)
    try:
        open_run(out, config, about, columns=columns, range_batches=length)
    except InputError as error:
        if changed := changed_images(out, examples.ids, digests):
            raise InputError(f"{error}; {changed}") from None
        raise
    with suppress(OSError):  # a finished run in a folder without permission; rows tell full disks
        write_inputs(out, examples.ids, digests)
    ranges = Ranges(out, total, read_manifest(out).get("range_batches"))
    return PreparedRun(
        name=name,
        ranges=ranges,
        examples=examples,
        columns=columns,
        size=size,
        unit=unit,
        problem=problem,
        params=params,
        seed=seed,
        micro=micro,
        mesh=mesh,
        traced=traced,
        workers=workers or os.cpu_count() or 1,
        automatic=batch_size is None,
        loader=loader,
    )
