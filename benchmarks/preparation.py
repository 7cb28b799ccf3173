"""What is there before a worker starts: images, weights, its environment, and the ceilings."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from surroundings import RETAIN, run_here
from variants import POLICIES


def prepare(network: str, batch: int, size: int | None, folder: Path) -> Path:
    """Write the images and the maps of a network's cases, as Salix makes them."""
    from salix.bench.arrays import images
    from salix.bench.workloads import maps
    from salix.model import Model
    from salix.models import MODELS

    to = MODELS[network].preprocess
    to = replace(to, size=(size, size)) if size else to
    model = Model(lambda params, x: x, lambda params, x: x, preprocess=to)
    path = folder / f"{network}-{batch}.npz"
    np.savez(path, images=images(model, batch), maps=maps(batch, to.size))
    return path


def weigh(network: str, python: str, folder: Path) -> tuple[str, str]:
    """Write a twin's weights; return the file for PyTorch and the one that Salix reads."""
    path = folder / f"{network}.pth"
    run_here(python, f"from twins import save; save({network!r}, {str(path)!r})")
    named = Path(f"{path}.npz")
    if not named.exists():
        return str(path), str(path)
    from salix.models import MODELS
    from salix.models.checkpoints.safetensors import write_safetensors

    ours = folder / f"{network}.safetensors"
    manifest = {"architecture": network, "classes": json.dumps(MODELS[network].classes)}
    write_safetensors(ours, dict(np.load(named)), manifest)
    named.unlink()
    return str(path), str(ours)


class Files:
    """The files in a folder that workers read: those of one network at a time.

    Each is written when it is first asked for. `torch` is a Python that has PyTorch; without one
    there are no weights, and networks are as Salix draws them.
    """

    def __init__(self, folder: Path, torch: str | None):
        self.folder, self.torch = folder, torch
        self.network, self.weights = "", ("", "")
        self.arrays: dict[int, Path] = {}

    def of(self, network: str, batch: int, size: int | None) -> dict[str, str]:
        """Return what a worker is told of its files."""
        if network != self.network:
            self.begin(network)
        if batch not in self.arrays:
            self.arrays[batch] = prepare(network, batch, size, self.folder)
        return {
            "path": self.weights[0],
            "weights": self.weights[1],
            "arrays": str(self.arrays[batch]),
            "cache": str(self.folder / "inductor"),
        }

    def begin(self, network: str) -> None:
        """Put the weights of a network where the files of the last one were."""
        for path in (*self.arrays.values(), *map(Path, {*self.weights} - {""})):
            path.unlink()
        self.network, self.arrays = network, {}
        self.weights = weigh(network, self.torch, self.folder) if self.torch else ("", "")


def environment(device: str, title: str) -> dict[str, str]:
    """Return what a worker finds around it; variants called "default" keep their allocator."""
    kept = {} if " default" in title else RETAIN
    if device == "cpu":
        return {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "", **kept}
    # Several workers share the memory of the device.
    return {"JAX_PLATFORMS": "cuda,cpu", "XLA_PYTHON_CLIENT_PREALLOCATE": "false", **kept}


def ceilings(device: str, precisions: list[str], peers: str | None) -> dict[str, Any]:
    """Return the ceilings of the device, as each side reaches them."""
    from salix.bench.ceilings import ACCELERATOR, CPU, STREAM

    policies = [p for kind in precisions for p in POLICIES[device].get(kind, ())]
    shapes = CPU if device == "cpu" else ACCELERATOR
    sides = {
        "salix": (
            sys.executable,
            "import jax, json; from salix.bench.ceilings import roofline\n"
            f"r = roofline({policies!r}); kind = jax.devices()[0].device_kind\n"
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
    found: dict[str, Any] = {}
    for side, (python, code) in sides.items():
        try:
            said = run_here(python, code, environment(device, side))
            found[side] = json.loads(said.splitlines()[-1])
        except RuntimeError as error:
            found[side] = {"left out": str(error)}
    return found
