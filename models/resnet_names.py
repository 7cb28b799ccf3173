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


def _children(layer: str) -> str:
    """Return the name in `Sequential(*resnet.children())`: layer1 is the fifth child."""
    children = {"conv1": "0", "bn1": "1", "fc": "9"} | {
        f"layer{i}": f"{i + 3}" for i in range(1, 5)
    }
    first, *rest = _torchvision(layer).split(".")
    return ".".join([children[first], *rest])


def torch_tables(shapes: Shapes) -> WeightTables:
    """Return the names in a state dict of torchvision or timm, which agree, and of transformers.

    Detectors also have torchvision's network without its head as a `Sequential` of its children.
    """
    return {
        "torchvision, timm": torch_names(shapes, _torchvision),
        "children of torchvision's": torch_names(shapes, _children),
        "transformers": torch_names(shapes, _transformers),
    }
