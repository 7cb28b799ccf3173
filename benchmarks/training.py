"""Images per second of training against PyTorch: python benchmarks training [--torch PYTHON].

A step is forward, backward and an update of SGD with momentum on 8-bit images, by the compiled
step of `salix.train` for one seed, or for several together, and by PyTorch with channels last, as
it is and compiled. Each variant has its own process; every round runs each of them once, so that
all meet the same load. Figures are medians over rounds, ratios those within a round.
"""

import argparse
import os
import statistics
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from machine import RETAIN_MEMORY, results_path
from rounds import round_ratios
from serving import serve
from torch_comparison import (
    add_options,
    markdown_table,
    peer_variants,
    remove_samples,
    write_results,
)
from workers import run_rounds, start_workers, stop_workers

# Network, side of the images, images in a batch
CASES = {
    "small, 64 px": ("small", 64, 32),
    "small, 256 px": ("small", 256, 32),
    "meso4, 256 px": ("meso4", 256, 16),
    "resnet18, 64 px": ("resnet18", 64, 32),
    "resnet18, 224 px": ("resnet18", 224, 8),
}
JAX_VARIANTS = {"jax": 1, "jax, 3 seeds together": 3}
TORCH_VARIANTS = {"torch": False, "torch compiled": True}  # compiled
COLUMNS: dict[str, str] = dict.fromkeys(
    ("img/s", "ratio", "img/cpu-s", "cpu ratio", "first_s", "parameters"), ".5g"
)


def examples(network: str, size: int, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Return random pixels and labels of a batch."""
    draw = np.random.default_rng(0)
    channels = 1 if network == "small" else 3
    return (
        draw.integers(0, 256, (batch, size, size, channels), np.uint8),
        draw.integers(0, 2, batch).astype(np.int32),
    )


def jax_call(
    network: str, pixels: np.ndarray, labels: np.ndarray, seeds: int
) -> tuple[Callable[[], Any], Callable[[Any], Any], int]:
    """Return the training step of so many seeds, its wait, and the number of parameters of one."""
    import jax
    import jax.numpy as jnp

    from salix import models
    from salix.train import SGD, CrossEntropy, Recipe
    from salix.train.network import Network
    from salix.train.program import TrainingProgram

    about = models.MODELS[network]
    preprocess = replace(about.preprocess, size=pixels.shape[1:3])
    recipe = Recipe(CrossEntropy(), SGD(), batch_size=len(pixels))
    split = [Network.split(models.build(network, s, classes=("0", "1"))) for s in range(seeds)]
    (structure, first), together = split[0], seeds > 1
    count = sum(leaf.size for leaf in jax.tree.leaves(first.params))
    rule = recipe.transformation(len(pixels))
    program = TrainingProgram(structure, recipe, preprocess, rule, together, False)
    batch = {"pixels": pixels, "labels": labels, "hashes": np.arange(len(pixels), dtype=np.uint32)}
    weights, key = first, np.uint32(0)
    if together:
        batch = {name: np.stack([array] * seeds) for name, array in batch.items()}
        weights = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(w for _, w in split))
        key = np.arange(seeds, dtype=np.uint32)
    batch |= {"reference_masks": None}
    state, steps = program.initial(weights), 0

    def step() -> Any:
        nonlocal state, steps
        state, means = program.step(state, batch, steps, key)
        steps += 1
        return means["loss"]

    return step, lambda loss: jax.block_until_ready((state, loss))[1], count


def run_worker(variant: str, case: str) -> None:
    network, size, batch = CASES[case]
    pixels, labels = examples(network, size, batch)

    def prepare() -> tuple[Callable[[], Any], Callable[[Any], Any], dict[str, Any]]:
        if variant in JAX_VARIANTS:
            step, wait, count = jax_call(network, pixels, labels, JAX_VARIANTS[variant])
            return step, wait, {"parameters": count}
        from torch_training import training_call

        step, count = training_call(network, pixels, labels, compiled=TORCH_VARIANTS[variant])
        return step, lambda loss: loss, {"parameters": count}

    serve(prepare)


def measure(case: str, options: argparse.Namespace, variants: list[str]) -> dict[str, Any]:
    commands = {}
    for variant in variants:
        python = sys.executable if variant in JAX_VARIANTS else options.torch
        command = [python, str(Path(__file__).resolve()), "--work", variant, case]
        commands[variant] = command, RETAIN_MEMORY
    workers, rows = start_workers(commands)
    run_rounds(workers, rows, options.rounds)
    stop_workers(workers)
    base = rows.get("torch", {}).get("rounds")
    for variant in workers:
        row, images = rows[variant], CASES[case][2] * JAX_VARIANTS.get(variant, 1)
        for unit, key in (("img/s", "wall"), ("img/cpu-s", "cpu")):
            row[unit] = images / statistics.median(r[key] for r in row["rounds"])
            if base:
                scale = images / CASES[case][2]
                ratio = round_ratios(base, row["rounds"], key)["median"]
                row["ratio" if key == "wall" else "cpu ratio"] = scale * ratio
    remove_samples(rows)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    variants = (*JAX_VARIANTS, *TORCH_VARIANTS)
    add_options(parser, variants, list(CASES), rounds=7, out=results_path("training"))
    options = parser.parse_args()
    selected, torch = peer_variants(options)
    load, results = os.getloadavg(), {}
    for case in options.tasks:
        results[case] = measure(case, options, selected)
        print(markdown_table(case, results[case], COLUMNS) + "\n", flush=True)
    write_results(options, results, load, ("jax", "flax", "optax"), torch, {})


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        run_worker(*sys.argv[2:])
    else:
        main()
