"""Images per second of the input (JPEG by threads and processes, packed) and of the device.

    python benchmarks input FOLDER --out benchmarks/results/input-cpu.json

FOLDER has JPEGs, 512 x 512 in the published file. The loader is that of a sweep: decoding, resizing
to 224, batches. The device computes the logits' gradient (saliency) and integrated gradients of
ResNet-18 for batches that are there already. Each figure is the median of rounds that alternate
between the ways, so that load of the machine falls on all.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from salix.attribution import Gradient, IntegratedGradients
from salix.compiler import compile_traced
from salix.data import Folder, ImageExamples, Packed, batches, pack
from salix.models import load
from salix.preprocess import Preprocess
from salix.scores import logit

BATCH, STEPS = 16, 32
TO = Preprocess((224, 224))


def input_rate(examples: ImageExamples, repeats: int, loader: Any, workers: int) -> float:
    """Images per second of the loader, after its first batches, with which processes start."""
    count = len(examples.ids) // BATCH
    numbers = [k for _ in range(repeats) for k in range(count)]
    feed = batches(examples, examples.example, BATCH, numbers, workers=workers, loader=loader)
    for _ in range(count + 4):  # until all processes have started, and those loaded ahead
        next(feed)
    start, done = time.perf_counter(), 0
    for batch in feed:
        done += len(batch.indices)
    return done / (time.perf_counter() - start)


def device_rate(method: Any, count: int) -> Callable[[], float]:
    """Return a measurement of the images per second of a method on the device."""
    model, params = load("resnet18")
    images = np.random.default_rng(0).integers(0, 256, (count, *TO.size, 3), np.uint8)
    key = jax.random.key(0)

    def explain(params: Any, pixels: Any) -> Any:
        score = model.score(params, logit(0))
        return method(score, model.preprocess(pixels), key).sum()

    step = compile_traced(jax.jit(jax.vmap(explain, (None, 0))).trace(params, images))
    step(params, images).block_until_ready()

    def measure() -> float:
        start = time.perf_counter()
        step(params, images).block_until_ready()
        return count / (time.perf_counter() - start)

    return measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        files = ImageExamples(Folder(options.folder), TO)
        pack(files.source, TO, Path(directory) / "packed")
        packed = ImageExamples(Packed(Path(directory) / "packed"), TO)
        ways: dict[str, Callable[[], float]] = {
            "jpeg, threads": lambda: input_rate(files, 3, "threads", options.workers),
            "jpeg, processes": lambda: input_rate(files, 4, "processes", options.workers),
            "packed, threads": lambda: input_rate(packed, 20, "threads", options.workers),
            "saliency": device_rate(Gradient(), 16),
            f"integrated gradients, {STEPS} steps": device_rate(
                IntegratedGradients(steps=STEPS), 1
            ),
        }
        rates: dict[str, list[float]] = {name: [] for name in ways}
        loads = []
        for number in range(options.rounds):
            loads.append(round(os.getloadavg()[0], 1))
            for name, measure in ways.items():
                rates[name].append(measure())
                print(f"round {number}: {name}: {rates[name][-1]:.1f} images/s")
    results = {name: round(statistics.median(values), 1) for name, values in rates.items()}
    content = {
        "images_per_second": results,
        "rounds": {name: [round(v, 1) for v in values] for name, values in rates.items()},
        "images": len(files.ids),
        "size": 224,
        "network": "resnet18",
        "workers": options.workers,
        "cpus": os.cpu_count(),
        "load_before_rounds": loads,
        "jax": jax.__version__,
        "device": jax.devices()[0].device_kind,
    }
    options.out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
