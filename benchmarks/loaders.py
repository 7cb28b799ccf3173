"""Images per second of the JPEG loaders: threads, processes, and worker processes of Grain.

    python benchmarks loaders FOLDER --out benchmarks/results/loaders-cpu.json

Needs `grain`. FOLDER and the loader are those of `benchmarks/input.py`. Grain's workers return one
example at a time through shared memory, the processes of Salix four through a pipe. Rounds
alternate between the ways, so that load of the machine falls on all.
"""

import argparse
import json
import os
import signal
import statistics
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from input import BATCH, TO, input_rate

from salix.data import Folder, ImageExamples

BUFFER = 3 * BATCH  # examples that each worker has ready, as batches ahead in a sweep


def ignore_interrupts(number: int, count: int) -> None:
    """Leave Ctrl-C, which reaches all processes of a terminal, to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def grain_examples(examples: ImageExamples, indices: list[int], workers: int) -> Iterator[Any]:
    """Return an iterator of the examples at `indices`, loaded by worker processes of Grain."""
    grain: Any = import_module("grain")
    # Without it, Grain raises UnparsedFlagAccessError.
    import_module("absl.flags").FLAGS.mark_as_parsed()
    options = grain.MultiprocessingOptions(num_workers=workers, per_worker_buffer_size=BUFFER)
    reading = grain.ReadOptions(num_threads=1, prefetch_buffer_size=4)
    data = grain.MapDataset.source(indices).map(examples.load).to_iter_dataset(reading)
    return iter(data.mp_prefetch(options, worker_init_fn=ignore_interrupts))


def grain_rate(examples: ImageExamples, repeats: int, workers: int) -> float:
    """Images per second of Grain's workers, after as many first batches as in `input_rate`."""
    count = len(examples.ids) // BATCH
    indices = [*range(count * BATCH)] * repeats
    feed: Any = grain_examples(examples, indices, workers)
    try:
        for _ in range((count + 4) * BATCH):
            next(feed)
        start, batches = time.perf_counter(), 0
        for _ in range(repeats * count - count - 4):
            np.stack([next(feed)["pixels"] for _ in range(BATCH)])
            batches += 1
        return batches * BATCH / (time.perf_counter() - start)
    finally:
        feed.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    files, workers = ImageExamples(Folder(options.folder), TO), options.workers
    ways = {
        "threads": lambda: input_rate(files, 3, "threads", workers),
        "processes": lambda: input_rate(files, 4, "processes", workers),
        "grain": lambda: grain_rate(files, 4, workers),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    loads = []
    for number in range(options.rounds):
        loads.append(round(os.getloadavg()[0], 1))
        for name, measure in ways.items():
            rates[name].append(round(measure(), 1))
            print(f"round {number}: {name}: {rates[name][-1]} images/s", flush=True)
    content = {
        "images_per_second": {name: statistics.median(values) for name, values in rates.items()},
        "rounds": rates,
        "images": len(files.ids),
        "size": 224,
        "workers": workers,
        "cpus": os.cpu_count(),
        "load_before_rounds": loads,
    }
    options.out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
