"""ConvNeXt and VGG against functions of PyTorch, through files of each library's names."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from salix import models
from salix.models.convnext import ConvNext
from salix.models.vgg import VGG

torch: Any = pytest.importorskip("torch")
functional: Any = torch.nn.functional
Tensors = dict[str, Any]
DEPTHS, WIDTHS = (1, 2, 1, 1), (8, 12, 16, 20)
# library -> stem, its norm, block, its five layers, downsampling, the last norm and the head
CONVNEXT: dict[str, tuple[str, ...]] = {
    "torchvision": (
        "features.0.0", "features.0.1", "features.{odd}.{b}.",
        "block.0", "block.2", "block.3", "block.5", "layer_scale",
        "features.{even}.0", "features.{even}.1", "classifier.0", "classifier.2",
    ),
    "timm": (
        "stem.0", "stem.1", "stages.{s}.blocks.{b}.",
        "conv_dw", "norm", "mlp.fc1", "mlp.fc2", "gamma",
        "stages.{s}.downsample.0", "stages.{s}.downsample.1", "head.norm", "head.fc",
    ),
    "Meta": (
        "downsample_layers.0.0", "downsample_layers.0.1", "stages.{s}.{b}.",
        "dwconv", "norm", "pwconv1", "pwconv2", "gamma",
        "downsample_layers.{s}.0", "downsample_layers.{s}.1", "norm", "head",
    ),
    "transformers": (
        "convnext.embeddings.patch_embeddings", "convnext.embeddings.layernorm",
        "convnext.encoder.stages.{s}.layers.{b}.",
        "dwconv", "layernorm", "pwconv1", "pwconv2", "layer_scale_parameter",
        "convnext.encoder.stages.{s}.downsampling_layer.0",
        "convnext.encoder.stages.{s}.downsampling_layer.1", "convnext.layernorm", "classifier",
    ),
}  # fmt: skip


class Layers:
    """Random weights, drawn as a network asks for them, and the network's functions."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.state: Tensors = {}

    def get(self, name: str, shape: tuple[int, ...], scale: float, shift: float = 0) -> Any:
        if name not in self.state:
            self.state[name] = torch.randn(shape) * scale + shift
        return self.state[name].double()

    def linear(self, name: str, h: Any, outputs: int) -> Any:
        inputs = h.shape[-1]
        weight = self.get(f"{name}.weight", (outputs, inputs), inputs**-0.5)
        return h @ weight.T + self.get(f"{name}.bias", (outputs,), 0.3)

    def conv(self, name: str, x: Any, outputs: int, size: int, **options: Any) -> Any:
        shape = (outputs, x.shape[1] // options.get("groups", 1), size, size)
        weight = self.get(f"{name}.weight", shape, (2 / np.prod(shape[1:])) ** 0.5)
        return functional.conv2d(x, weight, self.get(f"{name}.bias", (outputs,), 0.3), **options)

    def norm(self, name: str, h: Any) -> Any:
        """Normalise the last axis."""
        centred = h - h.mean(-1, keepdim=True)
        unit = centred / ((centred**2).mean(-1, keepdim=True) + 1e-6).sqrt()
        scale = self.get(f"{name}.weight", (h.shape[-1],), 0.3, 1)
        return unit * scale + self.get(f"{name}.bias", (h.shape[-1],), 0.3)

    def norm_channels(self, name: str, x: Any) -> Any:
        return self.norm(name, x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def convnext_trunk(layers: Layers, names: tuple[str, ...], x: Any) -> Any:
    stem, stem_norm, block, depthwise, norm, wide, narrow, scale, down_norm, down, *_ = names
    for s, (depth, width) in enumerate(zip(DEPTHS, WIDTHS, strict=True)):
        if s:
            places = {"s": s, "even": 2 * s}
            x = layers.norm_channels(down_norm.format(**places), x)
            x = layers.conv(down.format(**places), x, width, 2, stride=2)
        else:
            x = layers.norm_channels(stem_norm, layers.conv(stem, x, width, 4, stride=4))
        for b in range(depth):
            name = block.format(s=s, odd=2 * s + 1, b=b)
            h = layers.conv(name + depthwise, x, width, 7, padding=3, groups=width)
            h = layers.linear(
                name + wide, layers.norm(name + norm, h.permute(0, 2, 3, 1)), 4 * width
            )
            h = layers.linear(name + narrow, h * (1 + torch.erf(h / 2**0.5)) / 2, width)
            shape = (width, 1, 1) if scale == "layer_scale" else (width,)
            h = h * layers.get(name + scale, shape, 0.7).reshape(-1)
            x = x + h.permute(0, 3, 1, 2)
    return x


def convnext_head(layers: Layers, names: tuple[str, ...], features: Any) -> Any:
    return layers.linear(names[-1], layers.norm(names[-2], features.mean((2, 3))), 2)


@pytest.mark.slow
@pytest.mark.parametrize("library", list(CONVNEXT))
def test_convnext(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check_parity: Any, library: str
) -> None:
    def build(rngs: Any, classes: int) -> ConvNext:
        return ConvNext(rngs, classes, depths=DEPTHS, widths=WIDTHS)

    about = replace(models.MODELS["convnext_t"], build=build)
    monkeypatch.setitem(models.MODELS, "convnext_t", about)
    layers, names, path = Layers(), CONVNEXT[library], tmp_path / "net.pth"
    convnext_head(layers, names, convnext_trunk(layers, names, torch.zeros(1, 3, 64, 96).double()))
    torch.save({"state_dict": layers.state}, path)
    image = np.random.default_rng(0).normal(size=(64, 96, 3))
    check_parity(
        models.load("convnext_t", path),
        image,
        lambda x: convnext_trunk(layers, names, x),
        lambda h: convnext_head(layers, names, h),
        tolerance=1e-6,
    )


VGG_DEPTHS, VGG_WIDTHS, HIDDEN = (1, 2, 1, 1, 2), (4, 6, 8, 8, 10), 16


def vgg_trunk(layers: Layers, x: Any) -> Any:
    number = 0
    for depth, width in zip(VGG_DEPTHS, VGG_WIDTHS, strict=True):
        for _ in range(depth):
            x = layers.conv(f"features.{number}", x, width, 3, padding=1).relu()
            number += 2
        x, number = functional.max_pool2d(x, 2), number + 1
    return x


def vgg_head(layers: Layers, features: Any) -> Any:
    h = functional.adaptive_avg_pool2d(features, (7, 7)).flatten(1)
    h = layers.linear("classifier.0", h, HIDDEN).relu()
    return layers.linear("classifier.6", layers.linear("classifier.3", h, HIDDEN).relu(), 2)


@pytest.mark.slow
@pytest.mark.parametrize(("library", "size"), [("torchvision", 224), ("timm", 300)])
def test_vgg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check_parity: Any, library: str, size: int
) -> None:
    def build(rngs: Any, classes: int) -> VGG:
        return VGG(rngs, classes, depths=VGG_DEPTHS, widths=VGG_WIDTHS, hidden=HIDDEN)

    about = replace(models.MODELS["vgg16"], build=build)
    monkeypatch.setitem(models.MODELS, "vgg16", about)
    layers, path = Layers(), tmp_path / "net.pth"
    vgg_head(layers, vgg_trunk(layers, torch.zeros(1, 3, size, 224).double()))
    state = dict(layers.state)
    if library == "timm":
        for number, (name, side) in enumerate((("fc1", 7), ("fc2", 1))):
            weight = state.pop(f"classifier.{3 * number}.weight")
            state[f"pre_logits.{name}.weight"] = weight.reshape(HIDDEN, -1, side, side)
            state[f"pre_logits.{name}.bias"] = state.pop(f"classifier.{3 * number}.bias")
        for part in ("weight", "bias"):
            state[f"head.fc.{part}"] = state.pop(f"classifier.6.{part}")
    torch.save(state, path)
    image = np.random.default_rng(0).normal(size=(size, 224, 3))
    loaded = models.load("vgg16", path)
    check_parity(
        loaded, image, lambda x: vgg_trunk(layers, x), lambda h: vgg_head(layers, h), tolerance=1e-6
    )
