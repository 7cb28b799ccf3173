"""Names of vision transformers' weights by library, and the arrays beside them in files."""

import re
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

from salix.models.checkpoints.naming import Shapes, WeightTables, same
from salix.models.tower_names import TowerNames, tower_table

_OPENAI = TowerNames(
    patches="conv1",
    token="class_embedding",
    positions="positional_embedding",
    block="transformer.resblocks.{}",
    norms=("ln_1", "ln_2"),
    attention=("attn.in_proj_{}", "attn.in_proj_{}", "attn.in_proj_{}", "attn.out_proj"),
    perceptron=("mlp.c_fc", "mlp.c_proj"),
    before="ln_pre",
    after="ln_post",
    projection="proj",
    projection_layout=same,
    head="fc",
)


def _vision_model(root: str, head: str) -> TowerNames:
    """Return the names of transformers for the tower of CLIP and SigLIP below a root."""
    return TowerNames(
        patches=f"{root}embeddings.patch_embedding",
        token=f"{root}embeddings.class_embedding",
        positions=f"{root}embeddings.position_embedding.weight",
        block=f"{root}encoder.layers.{{}}",
        norms=("layer_norm1", "layer_norm2"),
        attention=(
            "self_attn.q_proj",
            "self_attn.k_proj",
            "self_attn.v_proj",
            "self_attn.out_proj",
        ),
        perceptron=("mlp.fc1", "mlp.fc2"),
        before=f"{root}pre_layrnorm",
        after=f"{root}post_layernorm",
        projection="visual_projection.weight",
        head=head,
    )


_TIMM = TowerNames(
    patches="patch_embed.proj",
    token="cls_token",
    positions="pos_embed",
    registers="register_tokens",
    block="blocks.{}",
    norms=("norm1", "norm2"),
    attention=("attn.qkv.{}", "attn.qkv.{}", "attn.qkv.{}", "attn.proj"),
    perceptron=("mlp.fc1", "mlp.fc2"),
    scales=("ls1.gamma", "ls2.gamma"),
    after="norm",
    head="head",
)
_TORCHVISION = TowerNames(
    patches="conv_proj",
    token="class_token",
    positions="encoder.pos_embedding",
    block="encoder.layers.encoder_layer_{}",
    norms=("ln_1", "ln_2"),
    attention=(
        "self_attention.in_proj_{}",
        "self_attention.in_proj_{}",
        "self_attention.in_proj_{}",
        "self_attention.out_proj",
    ),
    perceptron=("mlp.0", "mlp.3"),
    after="encoder.ln",
    head="heads.head",
)


_SAVED = tuple(f"attention.attention.{n}" for n in ("query", "key", "value"))
_DINO_LAYERS: dict[str, Any] = {"norms": ("norm1", "norm2"), "perceptron": ("mlp.fc1", "mlp.fc2")}
_VIT_NORMS = ("layernorm_before", "layernorm_after")


def _transformers(root: str, block: str, *, saved: bool, **layers: Any) -> TowerNames:
    """Return the names of transformers for ViT and DINOv2.

    Its version 5 has other names for the attention in memory than in the files that it saves.
    """
    parts = (*_SAVED, "attention.output.dense")
    if not saved:
        parts = tuple(f"attention.{n}_proj" for n in ("q", "k", "v", "o"))
    return TowerNames(
        patches=f"{root}.embeddings.patch_embeddings.projection",
        token=f"{root}.embeddings.cls_token",
        positions=f"{root}.embeddings.position_embeddings",
        registers=f"{root}.embeddings.register_tokens",
        block=f"{root}.{block}.{{}}",
        attention=(parts[0], parts[1], parts[2], parts[3]),
        scales=("layer_scale1.lambda1", "layer_scale2.lambda1"),
        after=f"{root}.layernorm",
        head="classifier",
        **layers,
    )


_ORIGINS: dict[str, TowerNames] = {
    "OpenAI, open_clip": _OPENAI,
    "transformers' CLIP": _vision_model("vision_model.", "classifier"),
    "transformers' tower": _vision_model("", "classifier"),
    "timm, DINOv2": _TIMM,
    "torchvision": _TORCHVISION,
    "transformers' ViT": _transformers(
        "vit",
        "encoder.layer",
        saved=True,
        norms=_VIT_NORMS,
        perceptron=("intermediate.dense", "output.dense"),
    ),
    "transformers 5's ViT": _transformers(
        "vit", "layers", saved=False, norms=_VIT_NORMS, perceptron=("mlp.fc1", "mlp.fc2")
    ),
    "transformers' DINOv2": _transformers("dinov2", "encoder.layer", saved=True, **_DINO_LAYERS),
    "transformers 5's DINOv2": _transformers(
        "dinov2", "encoder.layer", saved=False, **_DINO_LAYERS
    ),
    "transformers' DINOv2 with registers": _transformers(
        "dinov2_with_registers", "encoder.layer", saved=True, **_DINO_LAYERS
    ),
    "transformers 5's DINOv2 with registers": _transformers(
        "dinov2_with_registers", "encoder.layer", saved=False, **_DINO_LAYERS
    ),
}


def tables(shapes: Shapes, origins: Sequence[str]) -> WeightTables:
    """Return the names of some libraries for a tower of these shapes."""
    return {origin: tower_table(_ORIGINS[origin], shapes) for origin in origins}


CLIP: Callable[[Shapes], WeightTables] = partial(
    tables, origins=("OpenAI, open_clip", "transformers' CLIP")
)
POOLED: Callable[[Shapes], WeightTables] = partial(
    tables, origins=("transformers' tower", "OpenAI, open_clip")
)
VIT: Callable[[Shapes], WeightTables] = partial(
    tables, origins=("timm, DINOv2", "transformers' ViT", "transformers 5's ViT", "torchvision")
)
DINOV2: Callable[[Shapes], WeightTables] = partial(
    tables, origins=("transformers' DINOv2", "transformers 5's DINOv2", "timm, DINOv2")
)
REGISTERS: Callable[[Shapes], WeightTables] = partial(
    tables,
    origins=(
        "transformers' DINOv2 with registers",
        "transformers 5's DINOv2 with registers",
        "timm, DINOv2",
    ),
)
SIGLIP: Callable[[Shapes], WeightTables] = partial(tables, origins=("transformers' tower",))

_TOWER = re.compile(r"(?:^|\.)(?:visual|vision_model)\.")
_TEXTS = re.compile(
    r"(?:^|\.)(?:text_model\.|text\.|text_projection|logit_scale|logit_bias|token_embedding\."
    r"|ln_final\.|transformer\.resblocks\.|positional_embedding$)"
)
_NO_WEIGHTS = re.compile(
    r"(?:^|\.)(?:position_ids|mask_token|head\.(?:probe|(?:attention|layernorm|mlp)\..*))$"
)


def beside_tower(names: Collection[str]) -> frozenset[str]:
    """Return the names of arrays beside the tower of images that no classifier of it reads.

    They are the tower of texts and the scale of the loss in files of CLIP and SigLIP, the numbers
    of the positions, SigLIP's pooling by attention, and the mask token of DINOv2's training.
    """
    omitted = {name for name in names if _NO_WEIGHTS.search(name)}
    if any(_TOWER.search(name) for name in names):
        omitted |= {n for n in names if _TEXTS.search(n) and not _TOWER.search(n)}
    return frozenset(omitted)
