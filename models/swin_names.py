"""Names of Swin transformers' weights in torchvision, timm, Microsoft's files and transformers."""

from collections.abc import Collection
from functools import partial

from salix.models.checkpoints.naming import Layout, Shapes, WeightTables, conv, dense, same
from salix.models.tower_names import third

_LAYERS = ("norm1", "query", "key", "value", "out", "norm2", "wide", "narrow", "biases")
_JOINT = ("norm1", *["attn.qkv"] * 3, "attn.proj", "norm2")
_TABLE = "attn.relative_position_bias_table"
_MLP = ("mlp.fc1", "mlp.fc2", _TABLE)
_TRANSFORMERS = (
    "layernorm_before",
    *(f"attention.self.{part}" for part in ("query", "key", "value")),
    "attention.output.dense",
    "layernorm_after",
    "intermediate.dense",
    "output.dense",
    "attention.self.relative_position_bias_table",
)
# library -> block, its layers, merging of patches (after a stage), patches, their norm, norm, head
_NAMES: dict[str, tuple[str, tuple[str, ...], str, tuple[str, ...]]] = {
    "torchvision": (
        "features.{odd}.{block}",
        (*_JOINT, "mlp.0", "mlp.3", _TABLE),
        "features.{even}",
        ("features.0.0", "features.0.2", "norm", "head"),
    ),
    "timm": (
        "layers.{stage}.blocks.{block}",
        (*_JOINT, *_MLP),
        "layers.{next}.downsample",
        ("patch_embed.proj", "patch_embed.norm", "norm", "head.fc"),
    ),
    "Microsoft": (
        "layers.{stage}.blocks.{block}",
        (*_JOINT, *_MLP),
        "layers.{stage}.downsample",
        ("patch_embed.proj", "patch_embed.norm", "norm", "head"),
    ),
    "transformers": (
        "swin.encoder.layers.{stage}.blocks.{block}",
        _TRANSFORMERS,
        "swin.encoder.layers.{stage}.downsample",
        (
            "swin.embeddings.patch_embeddings.projection",
            "swin.embeddings.norm",
            "swin.layernorm",
            "classifier",
        ),
    ),
}
_OUTER = ("patches", "patches_norm", "norm", "fc")


def _row(origin: str, ours: str, axes: int) -> tuple[str, Layout]:
    """Return the name in a file, and the layout there, of one of our arrays."""
    block_name, layers, merging, outer = _NAMES[origin]
    path, _, part = ours.rpartition(".")
    theirs = "bias" if part == "bias" else "weight"
    layouts: dict[int, Layout] = {4: conv, 2: dense}
    layout = layouts.get(axes, same) if part == "kernel" else same
    match path.split("."):
        case ["stages", stage, block, *rest]:
            places = {"stage": stage, "odd": 2 * int(stage) + 1, "block": block}
            layer = rest[-1] if rest else part
            name = layers[_LAYERS.index(layer)]
            if not rest:
                return f"{block_name.format(**places)}.{name}", same
            if name.endswith("qkv"):
                layout = partial(third, part=("query", "key", "value").index(layer))
            return f"{block_name.format(**places)}.{name}.{theirs}", layout
        case ["merges", stage, layer]:
            places = {"stage": stage, "next": int(stage) + 1, "even": 2 * int(stage) + 2}
            return f"{merging.format(**places)}.{layer}.{theirs}", layout
        case _:
            return f"{outer[_OUTER.index(path)]}.{theirs}", layout


def torch_tables(shapes: Shapes) -> WeightTables:
    """Return the names in state dicts of torchvision, timm, Microsoft and transformers."""
    return {
        origin: {ours: _row(origin, ours, len(leaf.shape)) for ours, leaf in shapes.items()}
        for origin in _NAMES
    }


def beside_weights(names: Collection[str]) -> frozenset[str]:
    """Return the names of the numbers of positions and masks, which the network computes."""
    return frozenset(n for n in names if n.endswith(("relative_position_index", "attn_mask")))
