"""Inputs of workers: arrays, weights and environment; and the ceilings of the device."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from machine import RETAIN_MEMORY, run_code
from variants import POLICIES


def write_arrays(network: str, batch: int, size: int | None, folder: Path) -> Path:
    """Write the preprocessed images of a network, and maps, as Salix's own benchmarks draw them."""
    from salix.bench.arrays import images
    from salix.bench.workloads import maps
    from salix.model import Model
    from salix.models import MODELS

    preprocess = MODELS[network].preprocess
    preprocess = replace(preprocess, size=(size, size)) if size else preprocess
    model = Model(lambda params, x: x, lambda params, x: x, preprocess=preprocess)
    path = folder / f"{network}-{batch}.npz"
    np.savez(path, images=images(model, batch), maps=maps(batch, preprocess.size))
    return path


def write_weights(network: str, python: str, folder: Path) -> tuple[str, str]:
    """Write weights of a PyTorch network; return the file for PyTorch and the one for Salix."""
    path = folder / f"{network}.pth"
    code = f"from torch_networks import save_weights; save_weights({network!r}, {str(path)!r})"
    run_code(python, code)
    arrays = Path(f"{path}.npz")
    if not arrays.exists():
        return str(path), str(path)
    from salix.models import MODELS
    from salix.models.checkpoints.safetensors import write_safetensors

    converted = folder / f"{network}.safetensors"
    manifest = {"architecture": network, "classes": json.dumps(MODELS[network].classes)}
    write_safetensors(converted, dict(np.load(arrays)), manifest)
    arrays.unlink()
    return str(path), str(converted)


class WorkerFiles:
    """Files that workers read, for one network at a time, written on first use.

    `torch` is a Python that has PyTorch; without one there are no weight files, and Salix draws
    random weights.
    """

    def __init__(self, folder: Path, torch: str | None):
        self.folder, self.torch = folder, torch
        self.network, self.weights = "", ("", "")
        self.arrays: dict[int, Path] = {}

    def paths(self, network: str, batch: int, size: int | None) -> dict[str, str]:
        """Paths of the weights, the arrays and the compiler cache for a worker."""
        if network != self.network:
            self.replace_network(network)
        if batch not in self.arrays:
            self.arrays[batch] = write_arrays(network, batch, size, self.folder)
        return {
            "path": self.weights[0],
            "weights": self.weights[1],
            "arrays": str(self.arrays[batch]),
            "cache": str(self.folder / "inductor"),
        }

    def replace_network(self, network: str) -> None:
        """Delete the files of the previous network and write the weights of this one."""
        for path in (*self.arrays.values(), *map(Path, {*self.weights} - {""})):
            path.unlink()
        self.network, self.arrays = network, {}
        self.weights = write_weights(network, self.torch, self.folder) if self.torch else ("", "")


def worker_environment(device: str, variant: str) -> dict[str, str]:
    """Environment variables of a worker; variants named "default" keep the default allocator."""
    allocator = {} if " default" in variant else RETAIN_MEMORY
    if device == "cpu":
        return {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "", **allocator}
    # Several workers share the memory of the device.
    return {"JAX_PLATFORMS": "cuda,cpu", "XLA_PYTHON_CLIENT_PREALLOCATE": "false", **allocator}


def measure_ceilings(device: str, precisions: list[str], peers: str | None) -> dict[str, Any]:
    """Best matrix-product and memory throughput of the device, in JAX and in PyTorch."""
    from salix.bench.ceilings import ACCELERATOR, CPU, STREAM

    policies = [p for kind in precisions for p in POLICIES[device].get(kind, ())]
    shapes = CPU if device == "cpu" else ACCELERATOR
    sides = {
        "salix": (
            sys.executable,
            "import jax, json; from salix.bench.ceilings import roofline\n"
            f"r = roofline(precisions={policies!r}); kind = jax.devices()[0].device_kind\n"
            "print(json.dumps({'gemm': r.gemm, 'copy': r.copy, 'device': kind}))",
        )
    }
    if peers:
        place = "cpu" if device == "cpu" else "cuda"
        sides["torch"] = (
            peers,
            "import json; from peers.ceilings import ceilings\n"
            f"print(json.dumps(ceilings({shapes!r}, {precisions!r}, {place!r}, {STREAM})))",
        )
    results: dict[str, Any] = {}
    for side, (python, code) in sides.items():
        try:
            output = run_code(python, code, worker_environment(device, side))
            results[side] = json.loads(output.splitlines()[-1])
        except RuntimeError as error:
            results[side] = {"left out": str(error)}
    return results
