"""Run one model over one data set: decode ahead, dispatch without waiting, write rows in parts."""

import os
import time
from collections import deque
from collections.abc import Iterable, Sequence
from math import gcd
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from salix.attribution import GradCAM
from salix.compiler import compile_traced
from salix.data import Arrays, Batch, Source, batches, count_batches, open_source
from salix.engine.about import about_run, configuration
from salix.engine.classification import Task
from salix.engine.columns import run_columns
from salix.engine.program import Step, abstract_arguments, cost, micro_batch, trace_step
from salix.engine.rows import Rows
from salix.model import Model
from salix.nn import round_kernels
from salix.precision import Precision
from salix.progress import Progress
from salix.scores import logit
from salix.store import Run, Writer, open_run, update_about
from salix.store.writer import finished
from salix.typing import InputError, Measure, Method, Params

FLUSH_SECONDS = 10.0  # at most this much work is lost to a kill
IN_FLIGHT = 2  # batches on the device while the next ones are decoded


def sweep(
    model: Model,
    params: Params,
    data: Source | np.ndarray | Path | str,
    attribution: Method = GradCAM(),
    measures: Sequence[Measure] = (),
    *,
    out: Path | str,
    score: Any = logit(),
    precision: Precision = "float32",
    batch_size: int = 32,
    seed: int = 0,
    name: str | None = None,
    group: str | None = None,
    workers: int | None = None,
    thumbs: int = 16,
    progress: bool = False,
) -> Run:
    """Explain every image of a data set and write one row for each; run it again to go on.

    `data` is a source of `salix.data`, an 8-bit array [n h w c], or a path. The directory `out`
    then holds Parquet parts and a manifest, and is returned opened. `batch_size` images are held
    and sent at once: the one knob of memory. `thumbs` images are kept small, for the report.
    Runs that differ by their training seed only share `group`. `precision` is that of the model's
    convolutions and matrix products, see `salix.models.precision`; measures are exact in any.
    Raises `InputError` before any work for labels that are not the model's classes, or for an `out`
    of another configuration.
    """
    out, source = Path(out), as_source(data)
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}: give at least 1")
    read = round_kernels(params, precision)
    task = Task(model, attribution, score, tuple(measures), precision)
    micro = micro_batch(model, batch_size)
    mesh = Mesh(np.array(jax.devices()[: gcd(micro, jax.device_count())]), ("batch",))
    traced = trace_step(task, abstract_arguments(model, read, source, micro), mesh)
    columns = _check(task, traced.out_info)
    rows = Rows.of(model, source, thumbs)
    config = configuration(task, params, source, columns, batch_size, seed)
    described = run_columns(task.measures, columns)
    open_run(out, config, about_run(name or model.name, group), columns=described)
    total = count_batches(source, batch_size)
    missing = sorted(set(range(total)) - finished(out))
    if missing:
        start = time.perf_counter()
        compiled = compile_traced(traced)
        update_about(out, compile_seconds=round(time.perf_counter() - start, 3), **cost(compiled))
        writer = Writer(out, described)
        threads, slots = workers or os.cpu_count() or 1, -(-batch_size // micro) * micro
        feed = batches(source, model.preprocess, batch_size, missing, threads, slots)
        bar = Progress(name or model.name, len(source.ids), show=progress)
        with bar:
            bar.skip((total - len(missing)) * batch_size)
            _loop(Step.of(compiled, read, seed, micro, mesh), feed, rows, writer, bar)
        update_about(out, **bar.timing())
    return Run(out)


def as_source(data: Source | np.ndarray | Path | str) -> Source:
    """Return `data` as a source: an array of images, or what a path names."""
    if isinstance(data, (str, Path)):
        return open_source([str(data)])
    return Arrays(data) if isinstance(data, np.ndarray) else data


def _check(task: Task, columns: dict[str, Any]) -> dict[str, Any]:
    """Return the shapes of the columns; a model that does not fit its classes is refused."""
    outputs, named = columns["logits"].shape[1], len(task.model.classes)
    if outputs != named:
        names = ", ".join(task.model.classes)
        raise InputError(f"{task.model.name} has {outputs} outputs for {named} classes ({names})")
    if task.score.target is not None and not 0 <= int(task.score.target) < named:
        raise InputError(f"{task.score}: there is no such class among {named}, count from 0")
    return columns


def _loop(step: Step, feed: Iterable[Batch], rows: Rows, writer: Writer, bar: Progress) -> None:
    """Keep batches in flight while the next are decoded, and write what comes back."""
    flying: deque[tuple[Batch, list[dict[str, Any]]]] = deque()
    flushed = time.monotonic()

    def land() -> None:
        nonlocal flushed
        batch, started = flying.popleft()
        columns = jax.tree.map(lambda *parts: np.concatenate(parts), *jax.device_get(started))
        writer.add(batch.number, rows.make(batch, columns))
        bar.advance(len(batch.indices))
        if time.monotonic() - flushed > FLUSH_SECONDS:
            writer.flush()
            flushed = time.monotonic()

    try:
        for batch in feed:
            flying.append((batch, step(batch, rows.hashes(batch))))
            if len(flying) > IN_FLIGHT:
                land()
        while flying:
            land()
    finally:  # whatever ends the run, rows that came back are kept
        writer.flush()
