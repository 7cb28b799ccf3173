"""Registry entries of vision transformers."""

from dataclasses import replace
from functools import partial
from typing import Any

from flax import nnx

from salix.models import transformer_names as names
from salix.models.architecture import CLIP, PHOTOGRAPHS, VIT, Architecture, detector
from salix.models.transformer import VisionTransformer
from salix.models.transformer_config import TransformerConfig, quick_gelu, tanh_gelu
from salix.preprocess import Preprocess


def _build(rngs: nnx.Rngs, classes: int, *, config: TransformerConfig) -> VisionTransformer:
    return VisionTransformer(config, classes, rngs=rngs)


def _entry(
    config: TransformerConfig, preprocess: Preprocess, naming: Any, parameters: int, source: str
) -> Architecture:
    return detector(
        partial(_build, config=config),
        preprocess,
        parameters=parameters,
        source=source,
        torch=naming,
        beside=names.beside_tower,
        unused=("proj",),
    )


def _clip(config: TransformerConfig, parameters: int) -> Architecture:
    return _entry(config, CLIP, names.CLIP, parameters, _CLIP_SOURCE)


def _pooled(config: TransformerConfig, parameters: int) -> Architecture:
    """Return the entry of a tower without the projection."""
    config = replace(config, embedding=None)
    return _entry(config, CLIP, names.POOLED, parameters, _CLIP_SOURCE)


def _dino(config: TransformerConfig, parameters: int) -> Architecture:
    naming = names.REGISTERS if config.registers else names.DINOV2
    return _entry(config, replace(PHOTOGRAPHS, resize=256), naming, parameters, _DINO_SOURCE)


_LARGE = TransformerConfig(width=1024, depth=24, heads=16)
_OPENAI: dict[str, Any] = {
    "activation": quick_gelu,
    "epsilon": 1e-5,
    "norm_before": True,
    "patch_bias": False,
}
_CLIP = TransformerConfig(**_OPENAI, embedding=512)
_CLIP_L14 = replace(_LARGE, **_OPENAI, patch=14, grid=16, embedding=768)
_CLIP_SOURCE = "Radford et al. (2021), arXiv:2103.00020; weights: OpenAI, open_clip, transformers"

_VIT = TransformerConfig()
_VIT_SOURCE = (
    "Dosovitskiy et al. (2021), arXiv:2010.11929; weights: timm, transformers, torchvision"
)
_DINO_SOURCE = "Oquab et al. (2024), arXiv:2304.07193; weights: Meta, transformers"
_SIGLIP = TransformerConfig(pool="mean", activation=tanh_gelu)
_S14, _B14, _L14 = (
    replace(config, patch=14, grid=37, layer_scale=True)
    for config in (replace(_VIT, width=384, heads=6), _VIT, _LARGE)
)

ENTRIES: dict[str, Architecture] = {
    "clip_vit_b16_embedding": _clip(_CLIP, 86_193_666),
    "clip_vit_b16_pooled": _pooled(_CLIP, 85_800_962),
    "clip_vit_b32_embedding": _clip(replace(_CLIP, patch=32, grid=7), 87_850_242),
    "clip_vit_b32_pooled": _pooled(replace(_CLIP, patch=32, grid=7), 87_457_538),
    "clip_vit_l14_embedding": _clip(_CLIP_L14, 303_967_746),
    "clip_vit_l14_pooled": _pooled(_CLIP_L14, 303_181_826),
    "dinov2_b14": _dino(_B14, 86_581_250),
    "dinov2_b14_pooled": _dino(replace(_B14, pool="both"), 86_582_786),
    "dinov2_b14_registers": _dino(replace(_B14, registers=4), 86_584_322),
    "dinov2_b14_registers_pooled": _dino(replace(_B14, registers=4, pool="both"), 86_585_858),
    "dinov2_l14": _dino(_L14, 304_369_666),
    "dinov2_l14_pooled": _dino(replace(_L14, pool="both"), 304_371_714),
    "dinov2_s14": _dino(_S14, 22_056_962),
    "dinov2_s14_pooled": _dino(replace(_S14, pool="both"), 22_057_730),
    "siglip_b16": _entry(
        _SIGLIP,
        replace(VIT, fit="stretch"),
        names.SIGLIP,
        85_798_658,
        "Zhai et al. (2023), arXiv:2303.15343; weights: transformers (siglip-base-patch16-224)",
    ),
    "vit_b16": _entry(_VIT, VIT, names.VIT, 85_800_194, _VIT_SOURCE),
    "vit_l16": _entry(_LARGE, VIT, names.VIT, 303_303_682, _VIT_SOURCE),
}
