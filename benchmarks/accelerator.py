"""Checks and ratios on a GPU or TPU within ten minutes, without attendance.

    python benchmarks accelerator --peers PYTHON --minutes 9

Checks: logits and saliency of each network on the accelerator against the CPU, in every precision.
Ratios: `throughput` with the minutes that are left, against the other libraries where `--peers` is
a Python that has them. All is printed as short tables; the results of the checks are written as
JSON, those of the ratios where `throughput` writes them.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from machine import HERE, describe_machine

from salix import models
from salix.bench.arrays import images
from salix.bench.workloads import WORKLOADS
from salix.precision import Precision, computed_in

NETWORKS = ("resnet50", "densenet121", "efficientnet_b0")
TASKS = ("forward", "saliency", "ig", "deletion", "paper")
# Correlation with the CPU's float32 that a precision must reach: logits, saliency. Slopes of
# rectified networks jump where rounding changes a sign.
LEAST: dict[Precision, tuple[float, float]] = {
    "float32": (0.99999, 0.999),
    "tf32": (0.999, 0.97),
    "bfloat16": (0.99, 0.8),
}


def results(network: str, task: str, precision: Precision, device: Any) -> np.ndarray:
    """Return the task's results for four images on a device, with random weights of seed 0."""
    fixed = models.MODELS[network].fixed
    names = None if fixed else [str(n) for n in range(1000)]
    with jax.default_device(device), computed_in(precision):
        model, params = models.load(network, None, classes=names, folded=True)
        batch = images(model, 4)
        keys = jax.random.split(jax.random.key(0), len(batch))
        function = WORKLOADS[task].function(model, len(batch), precision)
        return np.asarray(jax.jit(function)(params, batch, keys, None), np.float64)


def checks(networks: list[str]) -> list[dict[str, Any]]:
    """Return the correlation of each result with the CPU's in float32, and whether it suffices."""
    device, cpu, rows = jax.devices()[0], jax.local_devices(backend="cpu")[0], []
    for network in networks:
        for i, task in enumerate(("forward", "saliency")):
            expected = results(network, task, "float32", cpu)
            for precision, least in LEAST.items():
                if precision == "tf32" and device.platform == "cpu":
                    continue
                got = results(network, task, precision, device)
                r = float(np.corrcoef(expected.ravel(), got.ravel())[0, 1])
                row = {"network": network, "task": task, "precision": precision}
                rows.append(row | {"correlation": r, "passed": bool(r >= least[i])})
                mark = "passed" if rows[-1]["passed"] else f"FAILED: below {least[i]}"
                print(f"{network} {task} {precision}: r {r:.6f} {mark}", flush=True)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", help="a Python that has PyTorch and the other libraries")
    parser.add_argument("--networks", nargs="+", default=NETWORKS, choices=sorted(models.MODELS))
    parser.add_argument("--minutes", type=float, default=9, help="limit of checks and ratios")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "accelerator.json")
    options = parser.parse_args()
    start, device = time.monotonic(), jax.devices()[0]
    rows = checks(options.networks)
    about = describe_machine() | {"device": device.device_kind, "jax": jax.__version__}
    options.out.write_text(json.dumps({"about": about, "checks": rows}, indent=1) + "\n")
    left = options.minutes - (time.monotonic() - start) / 60
    if device.platform == "gpu" and left > 1:
        command = [sys.executable, str(HERE / "throughput.py"), "--device", "gpu"]
        command += ["--networks", *(n for n in options.networks if n != "efficientnet_b0")]
        command += ["--tasks", *TASKS, "--batches", "128", "--rounds", str(options.rounds)]
        command += ["--minutes", f"{left:g}", "--task-minutes", "0.5"]
        subprocess.run([*command, *(["--peers", options.peers] if options.peers else [])])
    return 0 if all(row["passed"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
