"""Share of the time of a sweep with measures that is spent outside the passes of the model.

    python benchmarks measures --networks small meso4 resnet50 --presets paper standard

Each program is timed against one of as many bare passes, forward and CAM, in the same scan: both
are called in turn, so that they meet the same load. Shares are medians over rounds, by processor
time, which is steadier on a shared machine, and by wall time. Weights are random, which does not
affect the time. With `--each` every measure is timed alone as well.
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from flax import nnx
from jax.sharding import Mesh
from machine import describe_machine

from salix.adapters import from_nnx
from salix.attribution import CAM
from salix.compiler import compile_traced
from salix.engine.classification import Classification
from salix.engine.flops import count_flops
from salix.engine.program import abstract_arguments, compile_step, micro_batch
from salix.measures.presets import PRESETS
from salix.model import Model
from salix.models import load
from salix.models.small import Small
from salix.preprocess import Preprocess
from salix.typing import Measure, Params


@dataclass(frozen=True)
class MeasuresBenchmark:
    """Time sweeps with measures against their bare passes.

    Not of "regions", whose passes are as many as an image has segments.
    """

    networks: tuple[str, ...] = ("small", "meso4", "resnet50")
    presets: tuple[Literal["paper", "standard"], ...] = ("paper", "standard")
    rounds: int = 5
    each: bool = False
    out: Path = Path("benchmarks/results/measures-cpu.json")

    def run(self) -> dict[str, Any]:
        """Measure, print and append the result to the history of all machines."""
        results, started = {}, datetime.now(UTC).isoformat(timespec="seconds")
        for name in self.networks:
            model, params = network(name)
            programs = {preset: PRESETS[preset] for preset in self.presets}
            if self.each:
                programs |= {
                    f"{preset} {type(measure).__name__}": (measure,)
                    for preset in self.presets
                    for measure in PRESETS[preset]
                }
            for title, measures in programs.items():
                row = time_program(model, params, measures, self.rounds)
                results[f"{name} {title}"] = row
                print(f"{name} {title}: {json.dumps(row)}", flush=True)
        result = {
            "started": started,
            **describe_machine(),
            "jax": jax.__version__,
            "load": os.getloadavg(),
            "rounds": self.rounds,
            "results": results,
        }
        history = json.loads(self.out.read_text()) if self.out.exists() else []
        self.out.write_text(json.dumps([*history, result], indent=1) + "\n")
        return result


def network(name: str) -> tuple[Model, Params]:
    """Network with random weights: the demo's detector for "small", others by name."""
    if name == "small":
        preprocess = Preprocess((64, 64), channels=1)
        return from_nnx(Small(nnx.Rngs(0)), preprocess=preprocess, name=name)
    return load(name)


def bare(problem: Classification, passes: int) -> Callable[..., Any]:
    """Return a program of an image's passes alone: the clean one, and the others in a scan."""

    def passes_of_image(params: Params, example: Any, key: Any) -> Any:
        image = problem.model.preprocess(example["pixels"])
        clean = problem.explain(params, image, key)

        def variant(i: Any) -> Any:
            # Each pass needs another image, or the compiler would move it out of the loop.
            barred, changed = jax.lax.optimization_barrier(
                (params, image * (1 + i.astype(jnp.float32) / 1024))
            )
            explanation = problem.explain(barred, changed, key)
            return explanation.logits, explanation.map

        return clean.logits, clean.map, jax.lax.map(variant, jnp.arange(passes - 1))

    def step(params: Params, examples: Any, valid: Any, hashes: Any, seed: Any) -> Any:
        del valid
        keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(seed), hashes)
        return jax.vmap(passes_of_image, (None, 0, 0))(params, examples, keys)

    return step


def time_program(
    model: Model, params: Params, measures: tuple[Measure, ...], rounds: int
) -> dict[str, Any]:
    """Number and time of the passes of an image, and the share of time outside them."""
    problem = Classification(model, CAM(), measures=measures)
    size = micro_batch(problem, 8)
    images = np.random.default_rng(0).integers(
        0, 256, (size, *model.preprocess.size, model.preprocess.channels), np.uint8
    )
    shapes = abstract_arguments(problem, params, size)
    mesh = Mesh(np.array(jax.devices()[:1]), ("batch",))
    started = time.process_time()
    full = compile_step(problem, shapes, mesh)
    compiling = time.process_time() - started
    passes = count(full, model, params, size)
    alone = compile_traced(jax.jit(bare(problem, passes)).trace(*shapes))
    valid, hashes = np.ones(size, bool), np.arange(size, dtype=np.uint32)
    arguments = jax.device_put(
        (params, {"pixels": images, "reference_mask": None}, valid, hashes, np.uint32(0))
    )
    flat = (jax.tree.leaves(arguments[0]), *arguments[1:])
    pairs = [[clock(full, flat), clock(alone, arguments)] for _ in range(rounds + 1)][1:]
    cpu, wall = ([tuple(t[i] for t in pair) for pair in pairs] for i in (0, 1))
    return {
        "passes": passes,
        "cpu_ms_per_image": round(1e3 * median(a for a, _ in cpu) / size, 3),
        "ms_per_image": round(1e3 * median(a for a, _ in wall) / size, 3),
        "images_per_second": round(size / median(a for a, _ in wall), 3),
        "cpu_share_outside": round(median(1 - b / a for a, b in cpu), 4),
        "share_outside": round(median(1 - b / a for a, b in wall), 4),
        "compile_cpu_seconds": round(compiling, 2),
        "temporary_megabytes": memory(full),
        "bare_temporary_megabytes": memory(alone),
    }


def count(program: Any, model: Model, params: Params, size: int) -> int:
    """Number of passes of the model in a program, by counting convolutions."""
    preprocess = model.preprocess
    shape = (size, *preprocess.size, preprocess.channels)
    image = jax.ShapeDtypeStruct(shape, np.float32)
    forward = jax.jit(jax.vmap(model.logits, (None, 0))).lower(params, image).compile()
    one, all_ = (count_flops(p.as_text() or "").convolutions for p in (forward, program))
    if all_ % one:
        raise RuntimeError(f"{all_ / one} passes: a part of one was computed apart")
    return round(all_ / one)


def memory(program: Any) -> float:
    """Temporary memory of a program, in megabytes."""
    return round(program.memory_analysis().temp_size_in_bytes / 1e6, 1)


def clock(program: Any, arguments: Any) -> tuple[float, float]:
    """Processor time and wall time of a run, in seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    jax.block_until_ready(program(*arguments))
    return time.process_time() - cpu, time.perf_counter() - wall


if __name__ == "__main__":
    tyro.cli(MeasuresBenchmark).run()
