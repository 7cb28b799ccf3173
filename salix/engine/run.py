"""Runs a problem over a data set: load ahead, dispatch without waiting, write rows in parts."""

import os
import sys
import time
from collections import Counter, deque
from collections.abc import Iterable
from itertools import chain
from math import gcd
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from salix.compiler import compile_traced
from salix.data import Batch, Examples, batches, count_batches
from salix.engine.assignment import Assignment
from salix.engine.problem import Problem
from salix.engine.program import (
    Step,
    abstract_arguments,
    cost,
    micro_batch,
    stored_columns,
    trace_step,
)
from salix.engine.rows import id_hashes, make_rows
from salix.engine.shard import Shard, as_shard
from salix.engine.traced_identity import traced_identity
from salix.progress import Progress
from salix.store import (
    KEYS,
    Run,
    circumstances,
    digest_items,
    note_circumstances,
    open_run,
    update_about,
    weights_digest,
)
from salix.store.manifest import check_directory, read_manifest
from salix.store.ranges import Ranges, choose_length
from salix.typing import Column, InputError, Params

FLUSH_SECONDS = 10.0  # at most this much work is lost to a kill
IN_FLIGHT = 2  # batches on the device while the next ones are loaded


def run_problem(
    problem: Problem,
    params: Params,
    examples: Examples,
    *,
    out: Path | str,
    batch_size: int = 32,
    seed: int = 0,
    name: str | None = None,
    group: str | None = None,
    workers: int | None = None,
    shard: Shard | tuple[int, int] | str | None = None,
    range_size: int | None = None,
    progress: bool = False,
    unit: str = "examples",
) -> Run:
    """Compute one row for each example and write them to `out`; run it again to resume.

    `out` is a directory of Parquet parts and a manifest, returned opened. `batch_size` examples are
    loaded and sent at once, by `workers` threads (one for each core by default): the one setting of
    memory; on the CPU it is rounded up to whole micro-batches, see `micro_batch`. Random keys
    depend on `seed` and the example's id. Runs that differ by their training seed alone share
    `group`. `unit` is the examples' name in messages about progress.

    A run of more than `range_size` examples, 10,000 by default, is cut into ranges of as many, in
    whole batches, each a folder of its own. `shard` (k, n) computes every n-th range from the k-th
    on, counted from 0, None all: any number of processes, in any shards, now or later, complete
    the same run with the same rows. A range that another process is writing is left to it.

    Parts that are damaged or of another run are set aside, named on stderr and computed again.
    Raises `InputError` before any work for an `out` of another configuration or other ranges, for a
    run of one range that another process is writing, and for a shard that is out of range.
    """
    out, shard = Path(out), as_shard(shard)
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}: give at least 1")
    check_directory(out)
    micro = micro_batch(problem, batch_size)
    size = -(-batch_size // micro) * micro
    mesh = Mesh(np.array(jax.devices()[: gcd(micro, jax.device_count())]), ("batch",))
    traced = trace_step(problem, abstract_arguments(problem, params, micro), mesh)
    columns = (*KEYS, *examples.columns, *stored_columns(problem.columns, traced.out_info))
    _check_names(columns, examples)
    name = name or out.name
    config = configuration(
        problem, traced_identity(traced.jaxpr), params, examples, batch_size=size, seed=seed
    )
    about = {"name": name, "group": group or name, **circumstances()}
    total, count = count_batches(examples, size), len(examples.ids)
    length = choose_length(out, size, count, range_size)
    open_run(out, config, about, columns=columns, range_batches=length)
    ranges = Ranges(out, total, read_manifest(out).get("range_batches"))
    numbers = shard.ranges(len(ranges))
    if not numbers:
        print(f"{out}: shard {shard} has no range: the run has {len(ranges)}", file=sys.stderr)
    owned = sum(len(ranges.numbers(n)) for n in numbers) * size
    bar = Progress(name, min(owned, count), show=progress, unit=unit)
    work = Assignment(
        ranges, numbers, columns, about=circumstances(), bar=bar, size=size, count=count, unit=unit
    )
    try:
        first = next(work.batches, None)
        if first is not None:
            note_circumstances(out, about, record=ranges.length is None)
            start = time.perf_counter()
            compiled = compile_traced(traced)
            seconds = round(time.perf_counter() - start, 3)
            update_about(out, compile_seconds=seconds, **cost(compiled))
            feed = batches(
                examples,
                problem.example,
                size,
                chain([first], work.batches),
                workers=workers or os.cpu_count() or 1,
            )
            with bar:
                _loop(Step.place(compiled, params, seed, micro, mesh), feed, examples, work, bar)
            update_about(out, **bar.timing())
    finally:  # however the run ends, finished rows are kept
        work.close()
    for claimed in work.left:
        print(f"left to another process: {claimed}", file=sys.stderr)
    return Run(out)


def configuration(
    problem: Problem,
    program: dict[str, str],
    params: Params,
    examples: Examples,
    *,
    batch_size: int,
    seed: int,
) -> dict[str, Any]:
    """Return everything that decides a row, as JSON; `program` is the `traced_identity`.

    The batch size is part of it: a resumed run must fill the same slots of the same program for its
    rows to be equal to the last bit.
    """
    identity = problem.identity()
    ids = {"count": len(examples.ids), "ids": digest_items(examples.ids)}
    engine = {
        "program": program,
        "weights": weights_digest(params),
        "data": {**examples.identity(), **ids},
        "batch_size": batch_size,
        "seed": seed,
    }
    if reserved := sorted(identity.keys() & engine.keys()):
        raise InputError(
            f"the problem's identity has {', '.join(reserved)}, which the engine writes: rename it"
        )
    return identity | engine


def _check_names(columns: tuple[Column, ...], examples: Examples) -> None:
    repeated = [n for n, count in Counter(c.name for c in columns).items() if count > 1]
    if repeated:
        raise InputError(f"several columns are named {', '.join(repeated)}: rename the problem's")
    if not len(examples.ids):
        raise InputError("the data has no examples: give at least one")


def _loop(
    step: Step, feed: Iterable[Batch], examples: Examples, work: Assignment, bar: Progress
) -> None:
    """Keep batches in flight while the next are loaded, and write finished rows."""
    flying: deque[tuple[Batch, list[dict[str, Any]]]] = deque()
    flushed = time.monotonic()

    def land() -> None:
        nonlocal flushed
        batch, started = flying.popleft()
        columns = jax.tree.map(lambda *parts: np.concatenate(parts), *jax.device_get(started))
        work.add(batch.number, make_rows(batch, examples, columns))
        bar.advance(len(batch.indices))
        if time.monotonic() - flushed > FLUSH_SECONDS:
            work.flush()
            flushed = time.monotonic()

    try:
        for batch in feed:
            flying.append((batch, step(batch, id_hashes(batch, examples))))
            if len(flying) > IN_FLIGHT:
                land()
    finally:
        # An interrupt stops at once; after an error of one batch, those before it are finished.
        while flying and not isinstance(sys.exception(), (KeyboardInterrupt, SystemExit)):
            land()
