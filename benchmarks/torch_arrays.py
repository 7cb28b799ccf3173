"""Weights of a PyTorch network as arrays with the names and in the layouts of Salix."""

from typing import Any

import numpy as np
from torch import nn  # pyright: ignore[reportMissingImports]

NORM = {"scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}


def salix_arrays(net: Any) -> dict[str, Any]:
    """Arrays by name, of a network whose layers have the names of Salix."""
    arrays: dict[str, Any] = {}
    for name, layer in net.named_modules():
        if isinstance(layer, nn.BatchNorm2d):
            arrays |= {f"{name}.{ours}": getattr(layer, part) for ours, part in NORM.items()}
        elif isinstance(layer, (nn.Conv2d, nn.Linear)):
            axes = (2, 3, 1, 0) if isinstance(layer, nn.Conv2d) else (1, 0)
            arrays[f"{name}.kernel"] = layer.weight.permute(axes)
            if layer.bias is not None:
                arrays[f"{name}.bias"] = layer.bias
    return {name: np.asarray(value.detach(), np.float32) for name, value in arrays.items()}
