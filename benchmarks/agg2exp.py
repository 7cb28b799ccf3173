"""Masses of all classes of a 3D U-Net against a PyTorch loop: CPU time and peak memory.

Both have deepbrain's architecture with some classes and the same random weights. The PyTorch side
is written from the definition of the method: one forward pass, a gradient for each class on the
same graph, all volumes of attributions in memory, then masked sums for each class and region. Each
side is a process of its own, whose peak memory is that of the process less that before the work.
"windows" are windows of half the side, 64 voxels at most, without overlap: other numbers, and the
memory of a window.

Example: python benchmarks agg2exp --side 128 --classes 5
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import peak_memory

WINDOW = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--classes", type=int, default=5)
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--libraries", nargs="+", default=["salix", "windows", "torch"])
    parser.add_argument("--library", choices=("salix", "windows", "torch"), default=None)
    options = parser.parse_args()
    if options.library:
        print(json.dumps(measure(options.library, options.side, options.classes)))
        return
    sides: dict[str, Any] = {}
    for library in options.libraries:
        command = [sys.executable, __file__, "--library", library]
        command += ["--side", str(options.side), "--classes", str(options.classes)]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        sides[library] = json.loads(output.strip().split("\n")[-1])
    masses = {library: np.array(sides[library].pop("mass")) for library in sides}
    result = {
        "side": options.side,
        "classes": options.classes,
        "cores": os.cpu_count(),
        **sides,
    }
    if {"salix", "torch"} <= set(masses):
        difference = np.abs(masses["salix"] - masses["torch"]).max()
        result["largest_difference_of_mass"] = float(difference)
    text = json.dumps(result, indent=1)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


def measure(library: str, side: int, classes: int) -> dict[str, Any]:
    """Return times, peak memory and masses of one library, without compilation and a first call."""
    from flax import nnx

    from salix.models import UNet3D

    module = UNet3D(1, classes, (8, 16, 32), nnx.Rngs(0))
    x = np.random.default_rng(0).random((side,) * 3, np.float32)
    blocks = np.arange(side) * 2 // side  # regions of a prediction, and of the sums
    regions = (blocks[:, None, None] * 4 + blocks[:, None] * 2 + blocks).astype(np.int32) % classes
    functions = {"salix": salix_masses, "windows": window_masses, "torch": torch_masses}
    run = functions[library](module, x, regions, classes)
    before = peak_memory()
    run()  # PyTorch prepares its kernels for a shape at the first call
    start, cpu = time.perf_counter(), time.process_time()
    masses = run()
    return {
        "seconds": round(time.perf_counter() - start, 2),
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "peak_MiB": round(peak_memory() - before),
        "mass": masses.tolist(),
    }


def salix_masses(module: Any, x: np.ndarray, regions: np.ndarray, classes: int) -> Any:
    """Return the function of the masses of the volume at once, its program compiled."""
    from salix.studies.agg2exp.windows import SlidingWindows

    return _masses(module, x, regions, classes, SlidingWindows())


def window_masses(module: Any, x: np.ndarray, regions: np.ndarray, classes: int) -> Any:
    """Return the function of the masses by windows of half the side, or of WINDOW if it is less."""
    from salix.studies.agg2exp.windows import SlidingWindows

    windows = SlidingWindows(min(len(x) // 2, WINDOW), 0.0, "constant")
    return _masses(module, x, regions, classes, windows)


def _masses(module: Any, x: np.ndarray, regions: np.ndarray, classes: int, windows: Any) -> Any:
    import jax

    from salix.attribution import Gradient
    from salix.studies.agg2exp.aggregation import RegionTotals, mass, region_voxels
    from salix.studies.agg2exp.explain import chunk_of, target_totals
    from salix.studies.agg2exp.scores import ScanScores
    from salix.studies.agg2exp.segmenter import Segmenter
    from salix.studies.agg2exp.task import Task

    segmenter = Segmenter.of_module(module, tuple(map(str, range(classes))), multiple=8)
    task = Task.of_classes(regions, segmenter.classes)
    scores = ScanScores.of_task(segmenter, task, windows.plan(x.shape, 8))
    at_once, key = chunk_of(classes), jax.random.key(0)
    numbers = [np.arange(i, i + at_once, dtype=np.int32) for i in range(0, classes, at_once)]
    targets = [np.minimum(n, classes - 1) for n in numbers]
    shells = np.zeros((at_once, *x.shape), np.uint8)  # of distance, whose sums are not timed
    volume = x[..., None]
    program = target_totals.lower(scores, Gradient(), volume, targets[0], shells, key).compile()

    def masses() -> np.ndarray:
        parts = [np.asarray(program(scores, volume, n, shells, key), np.float64) for n in targets]
        sums = np.concatenate(parts, 1)[:, :classes].sum(-1)
        return mass(RegionTotals(sums[0], sums[1], region_voxels(regions, classes)))

    return masses


def torch_masses(module: Any, x: np.ndarray, regions: np.ndarray, classes: int) -> Any:
    """Return the function of the masses by a PyTorch loop over classes."""
    import torch  # pyright: ignore[reportMissingImports]
    from torch.nn import functional as F  # pyright: ignore[reportMissingImports] # noqa: N812

    def kernel(layer: Any, order: tuple[int, ...] = (4, 3, 0, 1, 2)) -> Any:
        return torch.tensor(np.asarray(layer.kernel[...]).transpose(order).copy())

    def bias(layer: Any) -> Any:
        return torch.tensor(np.asarray(layer.bias[...]))

    down = [[(kernel(c), bias(c)) for c in level] for level in module.down]
    up = [kernel(u) for u in module.up]  # [i o 3 3 3], as transposed convolutions expect
    join = [(kernel(j), bias(j)) for j in module.join]
    head = kernel(module.head), bias(module.head)

    def logits(v: Any) -> Any:
        skips = []
        for level in down:
            for k, b in level:
                v = F.relu(F.conv3d(v, k, b, padding=1))
            skips.append(v)
            v = F.max_pool3d(v, 2)
        for u, (k, b), skip in zip(up, join, reversed(skips), strict=True):
            v = F.conv_transpose3d(v, u, stride=2)[..., :-1, :-1, :-1]
            v = F.relu(F.conv3d(torch.cat([v, skip], 1), k, b, padding=1))
        return F.conv3d(v, *head)

    labels = torch.tensor(regions)

    def masses() -> np.ndarray:
        volume = torch.tensor(x)[None, None].requires_grad_()
        s = logits(volume)[0]
        scores = [s[c][labels == c].sum() for c in range(classes)]
        maps = [torch.autograd.grad(f, volume, retain_graph=True)[0][0, 0].numpy() for f in scores]
        sums = [
            [np.abs(a)[regions == r].sum(dtype=np.float64) for r in range(classes)] for a in maps
        ]
        return np.array(sums) / np.sum(sums, 1, keepdims=True)

    return masses


if __name__ == "__main__":
    main()
