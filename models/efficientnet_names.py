"""Names of EfficientNet's weights in torchvision, timm, efficientnet_pytorch and DeepfakeBench."""

from collections.abc import Mapping
from functools import partial

from salix.models.checkpoints.naming import Shapes, WeightTables, torch_names

BlockPlace = tuple[int, int, int, list[str]]  # stage, index in it, number, layers


def block_part(place: BlockPlace, layer: str, part: str) -> str:
    """Return torchvision's name of a layer in an inverted bottleneck."""
    inner = {"conv": "0", "norm": "1", "reduce": "fc1", "expand": "fc2"}[part]
    return f"block.{place[3].index(layer)}.{inner}"


def _torchvision(place: BlockPlace, layer: str, part: str) -> str:
    stage, index, *_ = place
    return f"features.{stage + 1}.{index}.{block_part(place, layer, part)}"


def _timm(place: BlockPlace, layer: str, part: str) -> str:
    stage, index, _, layers = place
    units = {"expand": "conv_pw", "depthwise": "conv_dw", "project": "conv_pwl"}
    if "expand" not in layers:
        units = {"depthwise": "conv_dw", "project": "conv_pw"}
    inner = f"se.conv_{part}"
    if layer in units:
        inner = units[layer] if part == "conv" else f"bn{list(units).index(layer) + 1}"
    return f"blocks.{stage}.{index}.{inner}"


def _lukemelas(place: BlockPlace, layer: str, part: str) -> str:
    inner = f"_se_{part}"
    if part == "conv":
        inner = f"_{layer}_conv"
    elif part == "norm":
        inner = f"_bn{('expand', 'depthwise', 'project').index(layer)}"
    return f"_blocks.{place[2]}.{inner}"


def _deepfakebench(place: BlockPlace, layer: str, part: str) -> str:
    return f"efficientnet.{_lukemelas(place, layer, part)}"


_OTHERS = ("stem.conv", "stem.norm", "last.conv", "last.norm", "fc")
_LUKEMELAS = ("_conv_stem", "_bn0", "_conv_head", "_bn1", "_fc")
_NAMINGS = {  # names in blocks, names of the others
    "torchvision": (
        _torchvision,
        ("features.0.0", "features.0.1", "features.8.0", "features.8.1", "classifier.1"),
    ),
    "timm": (_timm, ("conv_stem", "bn1", "conv_head", "bn2", "classifier")),
    "efficientnet_pytorch": (_lukemelas, _LUKEMELAS),
    "DeepfakeBench": (
        _deepfakebench,
        (*(f"efficientnet.{name}" for name in _LUKEMELAS[:-1]), "last_layer"),
    ),
}


def block_places(shapes: Shapes) -> Mapping[tuple[int, int], BlockPlace]:
    """Return the place of each block, by stage and index."""
    blocks: dict[tuple[int, int], list[str]] = {}
    for name in shapes:
        if name.startswith("stages."):
            _, stage, index, layer, *_ = name.split(".")
            layers = blocks.setdefault((int(stage), int(index)), [])
            if layer not in layers:
                layers.append(layer)
    order = ("expand", "depthwise", "squeeze", "project")
    return {
        (stage, index): (stage, index, number, sorted(blocks[stage, index], key=order.index))
        for number, (stage, index) in enumerate(sorted(blocks))
    }


def torch_tables(shapes: Shapes) -> WeightTables:
    """Return the names in a state dict by origin.

    The origin decides the arithmetic too, see `EfficientNet`: an architecture of the registry
    computes that of some origins, and `elsewhere` of its entry names those of the others.
    """
    places = block_places(shapes)

    def renamed(layer: str, origin: str) -> str:
        naming, names = _NAMINGS[origin]
        if layer in _OTHERS:
            return names[_OTHERS.index(layer)]
        _, stage, index, unit, part = layer.split(".")
        return naming(places[int(stage), int(index)], unit, part)

    return {origin: torch_names(shapes, partial(renamed, origin=origin)) for origin in _NAMINGS}
