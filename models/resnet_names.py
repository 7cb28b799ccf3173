"""Names of the weights of ResNets in files of PyTorch."""

import re

from salix.models.checkpoints.naming import Shapes, WeightTables, torch_names

_TORCHVISION = (
    ("shortcut.conv", "downsample.0"),
    ("shortcut.norm", "downsample.1"),
    ("norm", "bn"),
)
_KINDS = {"conv": "convolution", "norm": "normalization"}


def _torchvision(layer: str) -> str:
    for ours, theirs in _TORCHVISION:
        layer = layer.replace(ours, theirs)
    return layer


def _transformers(layer: str) -> str:
    if match := re.fullmatch(r"layer(\d)\.(\d+)\.(?:shortcut\.(conv|norm)|(conv|norm)(\d))", layer):
        stage, block, shortcut, kind, number = match.groups()
        inner = (
            f"shortcut.{_KINDS[shortcut]}"
            if shortcut
            else f"layer.{int(number) - 1}.{_KINDS[kind]}"
        )
        return f"resnet.encoder.stages.{int(stage) - 1}.layers.{block}.{inner}"
    if layer == "fc":
        return "classifier.1"
    return f"resnet.embedder.embedder.{_KINDS[layer.removesuffix('1')]}"


def torch_tables(shapes: Shapes) -> WeightTables:
    """Return the names in a state dict of torchvision or timm, which agree, and of transformers."""
    return {
        "torchvision, timm": torch_names(shapes, _torchvision),
        "transformers": torch_names(shapes, _transformers),
    }
