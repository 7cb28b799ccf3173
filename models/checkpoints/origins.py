"""Networks that Salix does not read, recognised by the names of their tensors."""

from collections.abc import Collection

__all__ = ["describe_names"]

_PARTS: tuple[tuple[str, str], ...] = (  # a part of a name -> whose it is; the first that fits
    ("model.diffusion_model.", "a Stable Diffusion checkpoint"),
    ("vision_model.", "CLIP or SigLIP of transformers: a tower of embeddings without classes"),
    ("visual.transformer.resblocks.", "CLIP of OpenAI or open_clip: towers without classes"),
    ("vit.encoder.layer.", "a ViT of transformers"),
    ("deit.encoder.layer.", "a DeiT of transformers"),
    ("dinov2.encoder.layer.", "a DINOv2 of transformers"),
    ("swin.encoder.layers.", "a Swin transformer of transformers"),
    ("convnext.encoder.stages.", "a ConvNeXt of transformers"),
    ("efficientnet.encoder.blocks.", "an EfficientNet of transformers"),
    ("mobilenet_v2.", "a MobileNetV2 of transformers"),
    ("resnet.encoder.stages.", "a ResNet of transformers"),
    ("model.layers.0.self_attn.", "a language model of transformers"),
    ("bert.encoder.layer.", "a BERT of transformers"),
    ("blocks.0.attn.qkv.", "a vision transformer of timm"),
    ("model.0.conv.", "a YOLO of ultralytics"),
    (".qweight", "weights quantised by GPTQ or AWQ"),
    ("lora_A.", "an adapter (LoRA) without the model it changes"),
)


def describe_names(names: Collection[str]) -> str | None:
    """Return whose names these are, None where that is not known."""
    for part, origin in _PARTS:
        if any(part in name for name in names):
            return origin
    return None
