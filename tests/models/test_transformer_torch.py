"""Vision transformers against functions of PyTorch, through files of each library's names."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from salix import models
from salix.models.transformer import VisionTransformer
from salix.typing import InputError

torch: Any = pytest.importorskip("torch")
functional: Any = torch.nn.functional
WIDTH, DEPTH, HEADS, GRID, PATCH, EMBEDDING = 24, 2, 3, 3, 4, 10
TINY: dict[str, Any] = {
    "width": WIDTH,
    "depth": DEPTH,
    "heads": HEADS,
    "grid": GRID,
    "patch": PATCH,
}
Tensors = dict[str, Any]


def clip_names(i: int, layer: str) -> str:
    """Names of OpenAI's CLIP for the layers of a block."""
    inner = {"n1": "ln_1", "n2": "ln_2", "qkv": "attn.in_proj_", "out": "attn.out_proj"}
    inner |= {"up": "mlp.c_fc", "down": "mlp.c_proj"}
    return f"transformer.resblocks.{i}.{inner[layer]}"


def vision_model_names(i: int, layer: str) -> str:
    inner = {"n1": "layer_norm1", "n2": "layer_norm2", "up": "mlp.fc1", "down": "mlp.fc2"}
    inner |= {k: f"self_attn.{k}_proj" for k in ("q", "k", "v", "out")}
    return f"encoder.layers.{i}.{inner[layer]}"


def timm_names(i: int, layer: str) -> str:
    inner = {"n1": "norm1", "n2": "norm2", "qkv": "attn.qkv.", "out": "attn.proj"}
    inner |= {"up": "mlp.fc1", "down": "mlp.fc2", "ls1": "ls1.gamma", "ls2": "ls2.gamma"}
    return f"blocks.{i}.{inner[layer]}"


def torchvision_names(i: int, layer: str) -> str:
    inner = {"n1": "ln_1", "n2": "ln_2", "qkv": "self_attention.in_proj_"}
    inner |= {"out": "self_attention.out_proj", "up": "mlp.0", "down": "mlp.3"}
    return f"encoder.layers.encoder_layer_{i}.{inner[layer]}"


def vit_names(i: int, layer: str) -> str:
    inner = {"n1": "layernorm_before", "n2": "layernorm_after", "out": "attention.output.dense"}
    inner |= {k: f"attention.attention.{k}" for k in ("query", "key", "value")}
    inner |= {"up": "intermediate.dense", "down": "output.dense"}
    inner |= {"q": inner["query"], "k": inner["key"], "v": inner["value"]}
    return f"encoder.layer.{i}.{inner[layer]}"


def dino_names(i: int, layer: str) -> str:
    inner = {"n1": "norm1", "n2": "norm2", "up": "mlp.fc1", "down": "mlp.fc2"}
    inner |= {"ls1": "layer_scale1.lambda1", "ls2": "layer_scale2.lambda1"}
    return f"encoder.layer.{i}.{inner[layer]}" if layer in inner else vit_names(i, layer)


CLIP_OUTER = {"patch": "conv1", "cls": "class_embedding", "pos": "positional_embedding"}
CLIP_OUTER |= {"pre": "ln_pre", "post": "ln_post", "proj": "proj"}
MODEL_OUTER = {"patch": "embeddings.patch_embedding", "cls": "embeddings.class_embedding"}
MODEL_OUTER |= {"pos": "embeddings.position_embedding.weight", "pre": "pre_layrnorm"}
MODEL_OUTER |= {"post": "post_layernorm"}
TIMM_OUTER = {"patch": "patch_embed.proj", "cls": "cls_token", "pos": "pos_embed"}
TIMM_OUTER |= {"post": "norm", "reg": "register_tokens"}
VISION_OUTER = {"patch": "conv_proj", "cls": "class_token", "pos": "encoder.pos_embedding"}
VISION_OUTER |= {"post": "encoder.ln"}
HF_OUTER = {"patch": "embeddings.patch_embeddings.projection", "cls": "embeddings.cls_token"}
HF_OUTER |= {"pos": "embeddings.position_embeddings", "post": "layernorm"}
HF_OUTER |= {"reg": "embeddings.register_tokens"}
# library -> names in blocks, names around them, the prefix of both, and the head
CASES: dict[str, tuple[Callable[[int, str], str], dict[str, str], str, str]] = {
    "clip": (clip_names, CLIP_OUTER, "model.visual.", "fc"),
    "clip of transformers": (vision_model_names, MODEL_OUTER, "vision_model.", "classifier"),
    "deepfakebench": (vision_model_names, MODEL_OUTER, "module.backbone.", "module.head"),
    "timm": (timm_names, TIMM_OUTER, "net.", "net.head"),
    "torchvision": (torchvision_names, VISION_OUTER, "", "heads.head"),
    "vit": (vit_names, HF_OUTER, "vit.", "classifier"),
    "dinov2": (dino_names, HF_OUTER, "dinov2.", "classifier"),
    "registers": (dino_names, HF_OUTER, "dinov2_with_registers.", "classifier"),
    "siglip": (vision_model_names, MODEL_OUTER, "vision_model.", "classifier"),
}

# arrays that such files have beside a classifier of images
EXTRAS: dict[str, Tensors] = {
    "clip": {
        "model.transformer.resblocks.0.ln_1.weight": torch.zeros(WIDTH),
        "model.positional_embedding": torch.zeros(77, WIDTH),
        "model.logit_scale": torch.tensor(1.0),
    },
    "clip of transformers": {
        "text_model.encoder.layers.0.mlp.fc1.weight": torch.zeros(4 * WIDTH, WIDTH),
        "vision_model.embeddings.position_ids": torch.arange(10)[None],
        "text_projection.weight": torch.zeros(EMBEDDING, WIDTH),
    },
    "dinov2": {"dinov2.embeddings.mask_token": torch.zeros(1, WIDTH)},
    "siglip": {
        "vision_model.head.probe": torch.zeros(1, 1, WIDTH),
        "vision_model.head.mlp.fc1.weight": torch.zeros(4 * WIDTH, WIDTH),
    },
}


class Oracle:
    """A tower of random weights in PyTorch, and the state dict that a library writes of it."""

    def __init__(self, case: str, name: str, *, classes: int = 2):
        torch.manual_seed(0)
        self.names, self.outer, self.prefix, self.head_name = CASES[case]
        self.config = replace(models.MODELS[name].build.keywords["config"], **TINY)
        self.config = replace(self.config, embedding=self.config.embedding and EMBEDDING)
        self.state: Tensors = {}
        self.float: Tensors = {}
        pool, bias = self.config.pool, self.config.patch_bias
        tokens = pool != "mean"
        first = [1, 1] if self.outer["cls"].endswith("_token") else []
        many = [1] if first else []
        self.draw(self.outer["patch"] + ".weight", (WIDTH, 3, PATCH, PATCH), 0.3)
        if bias:
            self.draw(self.outer["patch"] + ".bias", (WIDTH,), 0.3)
        if tokens:
            self.draw(self.outer["cls"], (*first, WIDTH), 0.3)
        if self.config.registers:
            self.draw(self.outer["reg"], (1, self.config.registers, WIDTH), 0.3)
        self.draw(self.outer["pos"], (*many, GRID**2 + tokens, WIDTH), 0.3)
        for i in range(DEPTH):
            layer = partial(self.names, i)
            for norm in ("n1", "n2"):
                self.norm(layer(norm))
            self.linear(layer("up"), WIDTH, 4 * WIDTH)
            self.linear(layer("down"), 4 * WIDTH, WIDTH)
            self.linear(layer("out"), WIDTH, WIDTH)
            if self.joint:
                self.linear(layer("qkv"), WIDTH, 3 * WIDTH, separator="")
            else:
                for part in ("q", "k", "v"):
                    self.linear(layer(part), WIDTH, WIDTH)
            if self.config.layer_scale:
                self.draw(layer("ls1"), (WIDTH,), 0.7)
                self.draw(layer("ls2"), (WIDTH,), 0.7)
        if self.config.norm_before:
            self.norm(self.outer["pre"])
        self.norm(self.outer["post"])
        features = WIDTH * (2 if pool == "both" else 1)
        if self.config.embedding:
            features = EMBEDDING
            published = "proj" in self.outer
            shape = (WIDTH, EMBEDDING) if published else (EMBEDDING, WIDTH)
            full = self.prefix + "proj" if published else "visual_projection.weight"
            self.state[full] = torch.randn(shape) * WIDTH**-0.5
            self.projection = self.state[full].double()
            self.projection = self.projection if published else self.projection.T
        self.head_weights = (torch.randn(classes, features), torch.randn(classes))
        for part, tensor in zip(("weight", "bias"), self.head_weights, strict=True):
            self.state[f"{self.head_name}.{part}"] = tensor

    @property
    def joint(self) -> bool:
        return self.names in (clip_names, timm_names, torchvision_names)

    def draw(self, name: str, shape: tuple[int, ...], scale: float, shift: float = 0) -> None:
        tensor = torch.randn(shape) * scale + shift
        self.state[self.prefix + name], self.float[name] = tensor, tensor.double()

    def norm(self, name: str) -> None:
        self.draw(f"{name}.weight", (WIDTH,), 0.3, 1)
        self.draw(f"{name}.bias", (WIDTH,), 0.3)

    def linear(self, name: str, inputs: int, outputs: int, separator: str = ".") -> None:
        self.draw(f"{name}{separator}weight", (outputs, inputs), 1.5 * inputs**-0.5)
        self.draw(f"{name}{separator}bias", (outputs,), 0.3)

    def apply(self, name: str, x: Any, separator: str = ".") -> Any:
        return x @ self.float[f"{name}{separator}weight"].T + self.float[f"{name}{separator}bias"]

    def normalised(self, name: str, x: Any) -> Any:
        centred = x - x.mean(-1, keepdim=True)
        unit = centred / ((centred**2).mean(-1, keepdim=True) + self.config.epsilon).sqrt()
        return unit * self.float[f"{name}.weight"] + self.float[f"{name}.bias"]

    def tokens(self, x: Any) -> Any:
        bias = self.float.get(self.outer["patch"] + ".bias")
        h = functional.conv2d(x, self.float[self.outer["patch"] + ".weight"], bias, PATCH)
        grid, positions = h.shape[2:], self.float[self.outer["pos"]].reshape(-1, WIDTH)
        extra = int(self.config.pool != "mean")
        old = positions[extra:].T.reshape(1, WIDTH, GRID, GRID)
        if grid != (GRID, GRID):
            smooth = self.config.registers > 0
            size = tuple(grid)
            old = functional.interpolate(old, size=size, mode="bicubic", antialias=smooth)
        h = (h + old).flatten(2).transpose(1, 2)
        if extra:
            first = self.float[self.outer["cls"]].reshape(1, 1, -1) + positions[0]
            more = self.float[self.outer["reg"]] if self.config.registers else first[:, :0]
            h = torch.cat([first, more, h], 1)
        return self.normalised(self.outer["pre"], h) if self.config.norm_before else h

    def shares(self, i: int, h: Any) -> Any:
        """What each source adds to each target in the attention, [b target source w]."""
        y, d = self.normalised(self.names(i, "n1"), h), WIDTH // HEADS
        if self.joint:
            q, k, v = self.apply(self.names(i, "qkv"), y, "").chunk(3, -1)
        else:
            q, k, v = (self.apply(self.names(i, part), y) for part in ("q", "k", "v"))
        total, out = 0, self.float[f"{self.names(i, 'out')}.weight"]
        for head in range(HEADS):
            part = slice(head * d, (head + 1) * d)
            weights = torch.softmax(q[..., part] @ k[..., part].transpose(1, 2) / d**0.5, -1)
            values = v[..., part] @ out[:, part].T
            total = total + weights[..., None] * values[:, None]
        return total * self.float[self.names(i, "ls1")] if self.config.layer_scale else total

    def attended(self, i: int, h: Any) -> Any:
        bias = self.float[f"{self.names(i, 'out')}.bias"]
        if self.config.layer_scale:
            bias = bias * self.float[self.names(i, "ls1")]
        return h + self.shares(i, h).sum(2) + bias

    def perceptron(self, i: int, h: Any) -> Any:
        y = self.apply(self.names(i, "up"), self.normalised(self.names(i, "n2"), h))
        if self.config.norm_before:
            y = y * torch.sigmoid(1.702 * y)
        elif self.config.pool == "mean":
            y = y * (1 + torch.tanh((2 / np.pi) ** 0.5 * (y + 0.044715 * y**3))) / 2
        else:
            y = y * (1 + torch.erf(y / 2**0.5)) / 2
        y = self.apply(self.names(i, "down"), y)
        return h + (y * self.float[self.names(i, "ls2")] if self.config.layer_scale else y)

    def trunk(self, x: Any) -> Any:
        grid = (x.shape[2] // PATCH, x.shape[3] // PATCH)
        h, extra, last = self.tokens(x), self.config.extra, DEPTH - 1
        for i in range(last):
            h = self.perceptron(i, self.attended(i, h))
        if self.config.pool == "token":
            shares = self.shares(last, h)[:, 0, extra:]
            rest = self.attended(last, h)[:, 0] - shares.sum(1)
            features = shares + rest[:, None] / shares.shape[1]
        else:
            h = self.perceptron(last, self.attended(last, h))
            shared = h[:, :extra].flatten(1)[:, None] / (grid[0] * grid[1])
            patches = h[:, extra:]
            features = torch.cat([patches, shared.expand(-1, patches.shape[1], -1)], 2)
        return features.transpose(1, 2).unflatten(2, grid)

    def head(self, features: Any) -> Any:
        h, post = features.flatten(2).transpose(1, 2), self.outer["post"]
        if self.config.pool == "token":
            e = self.normalised(post, self.perceptron(DEPTH - 1, h.sum(1)))
            e = e @ self.projection if self.config.embedding else e
        else:
            e = self.normalised(post, h[..., :WIDTH]).mean(1)
            if self.config.pool == "both":
                token = self.normalised(post, h[..., WIDTH : 2 * WIDTH].sum(1))
                e = torch.cat([token, e], 1)
        weight, bias = (tensor.double() for tensor in self.head_weights)
        return e @ weight.T + bias


def tiny(monkeypatch: pytest.MonkeyPatch, name: str, oracle: Oracle) -> None:
    """Register a network at the size of an oracle."""
    about = models.MODELS[name]

    def build(rngs: Any, classes: int) -> VisionTransformer:
        return VisionTransformer(oracle.config, classes, rngs=rngs)

    monkeypatch.setitem(models.MODELS, name, replace(about, build=build))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "case", "classes", "grid"),
    [
        ("clip_vit_b16_embedding", "clip", 1, (3, 3)),
        ("clip_vit_l14_embedding", "clip of transformers", 2, (3, 3)),
        ("clip_vit_b16_pooled", "deepfakebench", 2, (4, 2)),
        ("vit_b16", "timm", 3, (3, 3)),
        ("vit_b16", "torchvision", 2, (3, 3)),
        ("vit_l16", "vit", 2, (3, 3)),
        ("dinov2_b14", "timm", 2, (2, 5)),
        ("dinov2_s14_pooled", "dinov2", 2, (4, 2)),
        ("dinov2_b14_registers", "registers", 2, (2, 2)),
        ("siglip_b16", "siglip", 2, (3, 3)),
    ],
)
def test_parity(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    check_parity: Any,
    name: str,
    case: str,
    classes: int,
    grid: tuple[int, int],
) -> None:
    oracle, path = Oracle(case, name, classes=classes), tmp_path / "net.pth"
    tiny(monkeypatch, name, oracle)
    torch.save({"model": oracle.state | EXTRAS.get(case, {})}, path)
    loaded = models.load(name, path)
    image = np.random.default_rng(1).normal(size=(grid[0] * PATCH, grid[1] * PATCH, 3))
    check_parity(loaded, image, oracle.trunk, oracle.head, tolerance=1e-6)


@pytest.mark.slow
def test_a_head_in_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    oracle = Oracle("clip", "clip_vit_l14_embedding", classes=1)
    tiny(monkeypatch, "clip_vit_l14_embedding", oracle)
    trunk, head = tmp_path / "ViT-L-14.pth", tmp_path / "fc_weights.pth"
    torch.save({k: v for k, v in oracle.state.items() if not k.startswith("fc.")}, trunk)
    torch.save(dict(zip(("weight", "bias"), oracle.head_weights, strict=True)), head)
    model, params = models.load("universal_fake_detect", trunk, head=head)
    image = np.random.default_rng(1).normal(size=(12, 12, 3)).astype(np.float32)
    x = torch.from_numpy(image).double().permute(2, 0, 1)[None]
    z = oracle.head(oracle.trunk(x)).item()
    np.testing.assert_allclose(model.logits(params, image), [-z / 2, z / 2], rtol=1e-5)
    with pytest.raises(InputError, match="give the file of its head with --head-weights"):
        models.load("universal_fake_detect", trunk)
    torch.save({"weight": torch.zeros(1, 9), "bias": torch.zeros(1), "c": torch.ones(2)}, head)
    with pytest.raises(InputError, match=r"fc_weights.pth is no head.*not weight \[1, 9\]"):
        models.load("universal_fake_detect", trunk, head=head)
    torch.save(oracle.state, trunk)
    torch.save({"fc.weight": torch.zeros(1, 10), "fc.bias": torch.zeros(1)}, head)
    with pytest.raises(InputError, match=r"ViT-L-14.pth has .*head"):
        models.load("universal_fake_detect", trunk, head=head)


@pytest.mark.slow
def test_an_image_of_no_whole_number_of_patches_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tiny(monkeypatch, "siglip_b16", Oracle("siglip", "siglip_b16"))
    model, params = models.load("siglip_b16")
    with pytest.raises(InputError, match="12 x 13 pixels have no whole number of patches of 4"):
        model.logits(params, np.zeros((12, 13, 3), np.float32))
