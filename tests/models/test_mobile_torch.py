"""The benchmark's EfficientNet, MobileNetV2 and Meso4 in PyTorch compute what Salix does."""

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from salix import models
from salix.models.checkpoints.safetensors import write_safetensors

torch: Any = pytest.importorskip("torch")
TWINS = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "torch_networks.py"))
SIDES = {"efficientnet_b0": 64, "nsfwjs_mobilenet_v2": 64, "meso4": 256}


@pytest.mark.slow
@pytest.mark.parametrize("name", SIDES)
def test_parity(tmp_path: Path, check_parity: Any, name: str) -> None:
    path = tmp_path / "net.pth"
    TWINS["save_weights"](name, str(path))
    arrays = Path(f"{path}.npz")
    assert arrays.exists() == (name != "efficientnet_b0")  # which has published names in PyTorch
    if arrays.exists():
        about = {"architecture": name, "classes": json.dumps(models.MODELS[name].classes)}
        write_safetensors(tmp_path / "net.safetensors", dict(np.load(arrays)), about)
    twin = TWINS["torch_network"](name).double()
    side = SIDES[name]
    image = np.random.default_rng(0).normal(size=(side, side, 3))
    loaded = models.load(name, tmp_path / "net.safetensors" if arrays.exists() else path)
    check_parity(loaded, image, twin.trunk, twin.head)
    x = torch.from_numpy(image).permute(2, 0, 1)[None]
    assert torch.equal(twin(x), twin.head(twin.trunk(x)))
