"""Names of EfficientNet's weights in torchvision, timm and efficientnet_pytorch."""

from collections.abc import Collection

from salix.models.checkpoints.naming import Shapes, WeightTable, torch_names

_BlockPlace = tuple[int, int, int, list[str]]  # stage, index in it, number, layers


def _torchvision(place: _BlockPlace, layer: str, part: str) -> str:
    stage, index, _, layers = place
    inner = {"conv": "0", "norm": "1", "reduce": "fc1", "expand": "fc2"}[part]
    return f"features.{stage + 1}.{index}.block.{layers.index(layer)}.{inner}"


def _timm(place: _BlockPlace, layer: str, part: str) -> str:
    stage, index, _, layers = place
    units = {"expand": "conv_pw", "depthwise": "conv_dw", "project": "conv_pwl"}
    if "expand" not in layers:
        units = {"depthwise": "conv_dw", "project": "conv_pw"}
    inner = f"se.conv_{part}"
    if layer in units:
        inner = units[layer] if part == "conv" else f"bn{list(units).index(layer) + 1}"
    return f"blocks.{stage}.{index}.{inner}"


def _lukemelas(place: _BlockPlace, layer: str, part: str) -> str:
    inner = f"_se_{part}"
    if part == "conv":
        inner = f"_{layer}_conv"
    elif part == "norm":
        inner = f"_bn{('expand', 'depthwise', 'project').index(layer)}"
    return f"_blocks.{place[2]}.{inner}"


_OTHERS = ("stem.conv", "stem.norm", "last.conv", "last.norm", "fc")
_NAMINGS = {  # by first convolution: names in blocks, names of the others
    "features.0.0": (
        _torchvision,
        ("features.0.1", "features.8.0", "features.8.1", "classifier.1"),
    ),
    "conv_stem": (_timm, ("bn1", "conv_head", "bn2", "classifier")),
    "_conv_stem": (_lukemelas, ("_bn0", "_conv_head", "_bn1", "_fc")),
}


def torch_table(shapes: Shapes, names: Collection[str]) -> WeightTable:
    """Return the names in a state dict of torchvision, timm or efficientnet_pytorch."""
    # a checkpoint may have a prefix with a dot before all names
    firsts = [f for f in _NAMINGS if any(f".{n}".endswith(f".{f}.weight") for n in names)]
    first = firsts[0] if firsts else "features.0.0"
    naming, rest = _NAMINGS[first]
    others = dict(zip(_OTHERS, (first, *rest), strict=True))
    blocks: dict[tuple[int, int], list[str]] = {}
    for name in shapes:
        if name.startswith("stages."):
            _, stage, index, layer, *_ = name.split(".")
            layers = blocks.setdefault((int(stage), int(index)), [])
            if layer not in layers:
                layers.append(layer)
    order = ("expand", "depthwise", "squeeze", "project")
    places = {
        (stage, index): (stage, index, number, sorted(blocks[stage, index], key=order.index))
        for number, (stage, index) in enumerate(sorted(blocks))
    }

    def renamed(layer: str) -> str:
        if layer in others:
            return others[layer]
        _, stage, index, unit, part = layer.split(".")
        return naming(places[int(stage), int(index)], unit, part)

    return torch_names(shapes, renamed)
