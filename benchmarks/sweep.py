"""Speed of sweeps, and a check that their program computes the trunk once.

    python benchmarks sweep --weights Meso4_DF.h5 --data fake=portraits real=asset:celeba-999

For each method: images per second of a complete sweep (files to rows, without compilation), compile
time, and the FLOPs of the compiled step relative to the forward pass alone.
"""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import tyro
from jax.sharding import Mesh

from salix.attribution import CAM, GradCAM, Gradient
from salix.data import open_source
from salix.engine import sweep
from salix.engine.classification import Classification
from salix.engine.program import abstract_arguments, compile_step, cost
from salix.models import load


@dataclass(frozen=True)
class SweepBenchmark:
    """Sweep a data set with one model and several methods."""

    weights: Path
    data: list[str]
    model: str = "meso4"
    batch_size: int = 32
    rounds: int = 3
    out: Path = Path("benchmarks/results/sweep-cpu.json")

    def run(self) -> dict[str, Any]:
        """Measure, print and write the result."""
        model, params = load(self.model, self.weights)
        source = open_source(self.data)
        pixels = np.zeros((self.batch_size, *model.preprocess.size, 3), np.uint8)
        forward = jax.vmap(lambda p, x: model.logits(p, model.preprocess(x)), (None, 0))
        alone = cost(jax.jit(forward).lower(params, pixels).compile()).get("step_flops", np.nan)
        mesh = Mesh(np.array(jax.devices()[:1]), ("batch",))
        rows = {}
        for method in (CAM(), GradCAM(), Gradient()):
            rates, about = [], {}
            for _ in range(self.rounds):
                with tempfile.TemporaryDirectory() as folder:
                    run = sweep(
                        model, params, source, method, out=folder, batch_size=self.batch_size
                    )
                    about = run.manifest["about"]
                    rates.append(about["images_per_second"])
            problem = Classification(model, method, reference_masks=source.has_reference_masks)
            arguments = abstract_arguments(problem, params, self.batch_size)
            step = cost(compile_step(problem, arguments, mesh))
            rows[repr(method)] = {
                "images_per_second": {"median": float(np.median(rates)), "all": rates},
                "compile_seconds": about["compile_seconds"],
                "step_over_forward_flops": step.get("step_flops", np.nan) / alone,
            }
        result = {
            "model": self.model,
            "images": len(source.ids),
            "batch_size": self.batch_size,
            "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
            "jax": jax.__version__,
            "forward_mflop_per_image": alone / self.batch_size / 1e6,
            "methods": rows,
        }
        self.out.write_text(json.dumps(result, indent=1) + "\n")
        print(json.dumps(result, indent=1))
        return result


if __name__ == "__main__":
    tyro.cli(SweepBenchmark).run()
