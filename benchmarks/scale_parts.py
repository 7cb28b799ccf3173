"""Measurements of `scale.py`, each in a process of its own: python scale_parts.py NAME ARGUMENT …

The last line of the output is the result as JSON.
"""

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import salix
from salix.attribution import Gradient
from salix.data import Arrays, Table, batches, open_source
from salix.data.content import recorded_digests
from salix.engine.image_run import prepare_sweep
from salix.engine.labelled_images import LabelledImages
from salix.engine.rows import id_hashes
from salix.models import load
from salix.progress import Progress
from salix.runtime import keep_memory
from salix.store import digest_items
from salix.store.inputs import write_inputs

CLASSES = ("fake", "real")


def peak() -> float:
    """Return the largest memory of this process so far, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def tiny() -> tuple[Any, Any]:
    """Return a linear model of the mean colour of 8 x 8 pixels, and its weights."""
    return salix.from_function(
        lambda p, x: x.mean((0, 1)) @ p,
        jnp.arange(6, dtype=jnp.float32).reshape(3, 2),
        preprocess=salix.Preprocess((8, 8)),
        classes=CLASSES,
    )


def sweep(data: str, out: str) -> dict[str, Any]:
    """Peak memory and cost of a whole sweep of a tiny model."""
    model, params = tiny()
    start, cpu = time.perf_counter(), time.process_time()
    run = salix.sweep(model, params, data, Gradient(), out=out)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    assert run.complete
    return {
        "images": run.count,
        "peak_mib": round(peak(), 1),
        "wall_s": round(wall, 2),
        "cpu_us_per_image": round(cpu / run.count * 1e6, 1),
        "parts": len([*Path(out).rglob("part-*.parquet")]),
    }


def ids(file: str) -> dict[str, Any]:
    """Memory of a list of files beside that of the process, and the time to hash its ids."""
    import pyarrow.compute
    import pyarrow.parquet  # noqa: F401

    before, start = peak(), time.perf_counter()
    table = Table(Path(file))
    opened = time.perf_counter()
    digest = digest_items(table.ids)
    count, text = len(table.ids), sum(map(len, table.ids))
    return {
        "ids": count,
        "file_bytes_per_id": round(Path(file).stat().st_size / count, 1),
        "text_bytes_per_id": round(text / count, 1),
        "peak_bytes_per_id": round((peak() - before) * 2**20 / count, 1),
        "open_s": round(opened - start, 1),
        "digest_s": round(time.perf_counter() - opened, 1),
        "digest": digest[:16],
    }


def start(data: str, out: str) -> dict[str, Any]:
    """Seconds of wall and processor of each part of the start of a sweep, without compilation."""
    parts: dict[str, dict[str, float]] = {}
    times = [time.perf_counter(), time.process_time()]

    def mark(name: str) -> None:
        now = [time.perf_counter(), time.process_time()]
        wall, cpu = (round(b - a, 2) for a, b in zip(times, now, strict=True))
        parts[name] = {"wall_s": wall, "cpu_s": cpu}
        times[:] = now

    model, _ = tiny()
    mark("model")
    source = open_source([data])
    mark("list")
    examples = LabelledImages(source, model)
    mark("labels")
    with recorded_digests() as digests:
        examples.identity()
    mark("content of files")
    digest_items(examples.ids)
    mark("ids")
    Path(out).mkdir()
    write_inputs(Path(out), examples.ids, digests)
    mark("inputs.arrow")
    _ = examples.pictured
    mark("choice of thumbnails")
    count = len(examples.ids)
    wall, cpu = (sum(p[k] for p in parts.values()) for k in ("wall_s", "cpu_s"))
    return {
        "files": count,
        "files_per_s": round(count / wall),
        "files_per_cpu_s": round(count / cpu),
        "peak_mib": round(peak(), 1),
        "parts": parts,
    }


def loop(network: str, count: str, rounds: str, out: str) -> dict[str, Any]:
    """Images/s of a sweep from memory and of its compiled program alone, in turns."""
    model, params = tiny() if network == "tiny" else load(network, classes=CLASSES)
    size = model.preprocess.size
    pixels = np.random.default_rng(0).integers(0, 256, (int(count), *size, 3), np.uint8)
    source = Arrays(pixels)
    ratios, sweeps, bare = [], [], []
    step: Any = None
    loaded: list[Any] = []
    hashes: list[Any] = []
    for number in range(int(rounds) + 1):  # the first one warms up
        prepared = prepare_sweep(model, params, source, Gradient(), out=f"{out}/{number}")
        if step is None:
            step = prepared._compile()
            images, numbers = prepared.examples, range(prepared.ranges.batches)
            example = prepared.problem.example
            loaded = list(batches(images, example, prepared.size, numbers, workers=2))
            hashes = [id_hashes(batch, images) for batch in loaded]
        prepared.step = step
        bar = Progress("loop", int(count), show=False)
        begin = time.perf_counter()
        prepared.compute(range(len(prepared.ranges)), bar)
        swept = time.perf_counter() - begin
        begin = time.perf_counter()
        for batch, some in zip(loaded, hashes, strict=True):
            slots = range(0, len(batch.indices), step.micro)
            jax.block_until_ready([step(batch, some, first) for first in slots])
        alone = time.perf_counter() - begin
        if number:
            ratios.append(alone / swept)
            sweeps.append(int(count) / swept)
            bare.append(int(count) / alone)
    return {
        "images": int(count),
        "ms_per_image_alone": round(1e3 / statistics.median(bare), 3),
        "sweep_images_per_s": round(statistics.median(sweeps), 1),
        "alone_images_per_s": round(statistics.median(bare), 1),
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(r, 3) for r in ratios],
    }


if __name__ == "__main__":
    keep_memory()  # as the command line does
    name, *arguments = sys.argv[1:]
    result = {"sweep": sweep, "ids": ids, "start": start, "loop": loop}[name](*arguments)
    print(json.dumps(result))
