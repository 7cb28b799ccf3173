"""MobileNetV3 and Swin against modules of PyTorch whose children are named as torchvision's."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flax import nnx

from salix import models
from salix.models.checkpoints.module_state import arrays
from salix.models.swin import Swin

torch: Any = pytest.importorskip("torch")
nn: Any = torch.nn
# inputs, kernel, width within, outputs, squeeze, activation (ReLU or hard swish), stride
LARGE = """16 3 16 16 - RE 1|16 3 64 24 - RE 2|24 3 72 24 - RE 1|24 5 72 40 SE RE 2
40 5 120 40 SE RE 1|40 5 120 40 SE RE 1|40 3 240 80 - HS 2|80 3 200 80 - HS 1|80 3 184 80 - HS 1
80 3 184 80 - HS 1|80 3 480 112 SE HS 1|112 3 672 112 SE HS 1|112 5 672 160 SE HS 2
160 5 960 160 SE HS 1|160 5 960 160 SE HS 1"""
SMALL = """16 3 16 16 SE RE 2|16 3 72 24 - RE 2|24 3 88 24 - RE 1|24 5 96 40 SE HS 2
40 5 240 40 SE HS 1|40 5 240 40 SE HS 1|40 5 120 48 SE HS 1|48 5 144 48 SE HS 1
48 5 288 96 SE HS 2|96 5 576 96 SE HS 1|96 5 576 96 SE HS 1"""
SQUEEZED = {16: 8, 72: 24, 96: 24, 120: 32, 144: 40, 240: 64, 288: 72, 480: 120, 576: 144}
SQUEEZED |= {672: 168, 960: 240}


def conv_norm(i: int, o: int, size: int, stride: int, act: Any = None, groups: int = 1) -> Any:
    conv = nn.Conv2d(i, o, size, stride, size // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(o, eps=1e-3), *([act()] if act else []))


class TorchSqueeze(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, SQUEEZED[channels], 1)
        self.fc2 = nn.Conv2d(SQUEEZED[channels], channels, 1)

    def forward(self, x: Any) -> Any:
        scale = self.fc2(self.fc1(x.mean((2, 3), keepdim=True)).relu())
        return x * nn.functional.hardsigmoid(scale)


class TorchBlock(nn.Module):
    def __init__(self, row: str):
        super().__init__()
        i, size, middle, o, stride = (int(n) for n in row.split() if n.isdigit())
        act = nn.Hardswish if "HS" in row else nn.ReLU
        layers = [conv_norm(i, middle, 1, 1, act)] if i != middle else []
        layers.append(conv_norm(middle, middle, size, stride, act, groups=middle))
        layers += [TorchSqueeze(middle)] if "SE" in row else []
        self.block = nn.Sequential(*layers, conv_norm(middle, o, 1, 1))
        self.added = stride == 1 and i == o

    def forward(self, x: Any) -> Any:
        return self.block(x) + x if self.added else self.block(x)


class TorchMobileNet(nn.Module):
    def __init__(self, table: str, hidden: int):
        super().__init__()
        rows = table.replace("\n", "|").split("|")
        last = int(rows[-1].split()[3])
        self.features = nn.Sequential(
            conv_norm(3, 16, 3, 2, nn.Hardswish),
            *map(TorchBlock, rows),
            conv_norm(last, 6 * last, 1, 1, nn.Hardswish),
        )
        self.classifier = nn.Sequential(
            nn.Linear(6 * last, hidden), nn.Hardswish(), nn.Dropout(), nn.Linear(hidden, 2)
        )

    def head(self, features: Any) -> Any:
        return self.classifier(features.mean((2, 3)))


def randomised(net: Any) -> Any:
    """The network in evaluation, with random weights that keep the size of activations."""
    torch.manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, std=(2 / module.weight[0].numel()) ** 0.5)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
        if getattr(module, "bias", None) is not None:
            nn.init.normal_(module.bias, std=0.3)
        if isinstance(module, nn.LayerNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return net.eval()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "table", "hidden"), [("large", LARGE, 1280), ("small", SMALL, 1024)]
)
def test_mobilenet_v3(
    tmp_path: Path, check_parity: Any, size: str, table: str, hidden: int
) -> None:
    net, path = randomised(TorchMobileNet(table, hidden)), tmp_path / "net.pth"
    torch.save({"state_dict": {f"module.{n}": t for n, t in net.state_dict().items()}}, path)
    net.double()
    image = np.random.default_rng(1).normal(size=(72, 96, 3))
    loaded = models.load(f"mobilenet_v3_{size}", path)
    check_parity(loaded, image, net.features, net.head, tolerance=1e-6)


WINDOW, WIDTH, DEPTHS, HEADS = 3, 8, (2, 2, 2), (1, 2, 4)


class TorchWindows(nn.Module):
    """Attention in the windows of a shifted grid, one window and one head at a time."""

    def __init__(self, width: int, heads: int, shift: int):
        super().__init__()
        self.heads, self.shift, n = heads, shift, WINDOW**2
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        table = torch.randn((2 * WINDOW - 1) ** 2, heads)
        self.relative_position_bias_table = nn.Parameter(table)
        index = [
            (a // WINDOW - b // WINDOW + WINDOW - 1) * (2 * WINDOW - 1)
            + a % WINDOW - b % WINDOW + WINDOW - 1
            for a in range(n)
            for b in range(n)
        ]  # fmt: skip
        self.register_buffer("relative_position_index", torch.tensor(index))

    def forward(self, x: Any) -> Any:
        b, h, w, c = x.shape
        x = nn.functional.pad(x, (0, 0, 0, -w % WINDOW, 0, -h % WINDOW))
        sides = x.shape[1:3]
        shifts = [self.shift if side > WINDOW else 0 for side in sides]
        rolled, result = torch.roll(x, [-s for s in shifts], (1, 2)), torch.zeros_like(x)
        n = WINDOW**2
        bias = self.relative_position_bias_table[self.relative_position_index].reshape(n, n, -1)
        for top in range(0, sides[0], WINDOW):
            for left in range(0, sides[1], WINDOW):
                part = (slice(None), slice(top, top + WINDOW), slice(left, left + WINDOW))
                # a token has come around an edge where its place was before it
                around = [
                    torch.arange(start, start + WINDOW) + shift >= side
                    for start, shift, side in zip((top, left), shifts, sides, strict=True)
                ]
                region = (2 * around[0][:, None] + around[1][None].int()).flatten()
                far = -100.0 * (region[:, None] != region[None])
                q, k, v = self.qkv(rolled[part].reshape(b, n, c)).chunk(3, -1)
                heads = []
                for head in range(self.heads):
                    d = slice(head * c // self.heads, (head + 1) * c // self.heads)
                    scale = (c // self.heads) ** -0.5
                    products = q[..., d] @ k[..., d].transpose(1, 2) * scale + bias[..., head] + far
                    heads.append(products.softmax(-1) @ v[..., d])
                shape = (b, WINDOW, WINDOW, c)
                result[part] = self.proj(torch.cat(heads, -1)).reshape(shape)
        return torch.roll(result, shifts, (1, 2))[:, :h, :w]


class TorchSwinBlock(nn.Module):
    def __init__(self, width: int, heads: int, shift: int):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = TorchWindows(width, heads, shift)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Any) -> Any:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class TorchMerging(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)
        self.norm = nn.LayerNorm(4 * width)

    def forward(self, x: Any) -> Any:
        x = nn.functional.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        parts = [x[:, i::2, j::2] for i, j in ((0, 0), (1, 0), (0, 1), (1, 1))]
        return self.reduction(self.norm(torch.cat(parts, -1)))


class ChannelsLast(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.permute(0, 2, 3, 1)


class TorchSwin(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        first = nn.Sequential(nn.Conv2d(3, WIDTH, 4, 4), ChannelsLast(), nn.LayerNorm(WIDTH))
        widths = [WIDTH * 2**i for i in range(len(DEPTHS))]
        layers = [first]
        for width, depth, heads in zip(widths, DEPTHS, HEADS, strict=True):
            layers += [TorchMerging(width // 2)] if width > WIDTH else []
            shifts = [i % 2 * (WINDOW // 2) for i in range(depth)]
            layers.append(nn.Sequential(*(TorchSwinBlock(width, heads, s) for s in shifts)))
        self.features = nn.Sequential(*layers)
        self.norm, self.head = nn.LayerNorm(widths[-1]), nn.Linear(widths[-1], 2)

    def trunk(self, x: Any) -> Any:
        """Normalised tokens, reshaped to channels first as for a convolutional network."""
        return self.norm(self.features(x)).permute(0, 3, 1, 2)

    def classify(self, features: Any) -> Any:
        return self.head(features.mean((2, 3)))


def renamed(pairs: dict[str, str]) -> Callable[[str], str]:
    """Return a renaming: the stages of torchvision, then texts by others."""

    def rename(name: str) -> str:
        first, *rest = name.split(".")
        if first == "features" and rest[0] != "0":
            number, kind = (int(rest[0]) - 1) // 2, int(rest[0]) % 2
            outer = f"blocks.{rest.pop(1)}" if kind else f"downsample{number}"
            name = ".".join([f"layers.{number}", outer, *rest[1:]])
        for old, new in pairs.items():
            name = name.replace(old, new)
        return name

    return rename


OUTER = {"features.0.0": "patch_embed.proj", "features.0.2": "patch_embed.norm"}
OUTER |= {"mlp.0": "mlp.fc1", "mlp.3": "mlp.fc2"}
TRANSFORMERS = {
    **{"patch_embed.proj": "embeddings.patch_embeddings.projection", "layers": "encoder.layers"},
    **{"patch_embed.norm": "embeddings.norm", "attn.rel": "attention.self.rel"},
    **{"norm1": "layernorm_before", "norm2": "layernorm_after", "head": "classifier"},
    **{"attn.proj": "attention.output.dense", "mlp.fc1": "intermediate.dense"},
    **{"mlp.fc2": "output.dense", "downsample0": "downsample", "downsample1": "downsample"},
}


def as_timm(state: dict[str, Any]) -> dict[str, Any]:
    last = {"layers.0.downsample0": "layers.1.downsample", "head": "head.fc"}
    last |= {"layers.1.downsample1": "layers.2.downsample"}
    return {renamed({**OUTER, **last})(n): t for n, t in state.items()}


def as_microsoft(state: dict[str, Any]) -> dict[str, Any]:
    last = {"downsample0": "downsample", "downsample1": "downsample"}
    masks = {"layers.0.blocks.1.attn_mask": torch.zeros(4, 9, 9)}
    return {renamed({**OUTER, **last})(n): t for n, t in state.items()} | masks


def as_transformers(state: dict[str, Any]) -> dict[str, Any]:
    split: dict[str, Any] = {}
    for name, tensor in state.items():
        theirs = renamed({**OUTER, **TRANSFORMERS})(name)
        theirs = "layernorm" + theirs.removeprefix("norm") if theirs.startswith("norm") else theirs
        theirs = theirs if theirs.startswith("classifier") else f"swin.{theirs}"
        if "attn.qkv" in theirs:
            for part, third in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                split[theirs.replace("attn.qkv", f"attention.self.{part}")] = third
        else:
            split[theirs] = tensor
    return split


@pytest.mark.slow
def test_swin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check_parity: Any) -> None:
    def build(rngs: Any, classes: int) -> Swin:
        return Swin(rngs, classes, width=WIDTH, depths=DEPTHS, heads=HEADS, window=WINDOW)

    about = replace(models.MODELS["swin_t"], build=build)
    monkeypatch.setitem(models.MODELS, "swin_t", about)
    net = randomised(TorchSwin())
    state, params = net.state_dict(), []
    for library in (dict, as_timm, as_microsoft, as_transformers):
        path = tmp_path / f"{library.__name__}.pth"
        torch.save(library(state), path)
        loaded = models.load("swin_t", path)
        params.append(arrays(loaded[1]))
        assert loaded[0].weights is not None
        assert loaded[0].weights.left_out == sum(
            n.endswith(("index", "mask")) for n in library(state)
        )
    for first, second in pairwise(params):
        assert first.keys() == second.keys()
        assert all(np.array_equal(first[name], second[name]) for name in first)
    net.double()
    # grids of 13 x 10, 7 x 5 and 4 x 3: padded to windows and to pairs, the last not shifted right
    image = np.random.default_rng(1).normal(size=(52, 40, 3))
    loaded = models.load("swin_t", tmp_path / "dict.pth")
    check_parity(loaded, image, net.trunk, net.classify, tolerance=1e-6)


def test_swin_is_cut_between_its_stages() -> None:
    net = Swin(nnx.Rngs(0), 2, width=4, depths=(1, 2), heads=(1, 2), window=2)
    assert net.cuts == ("stage1", "stage2", "norm")
    shapes = [
        nnx.eval_shape(lambda m, x, c=c: m.trunk(x, c), net, np.zeros((1, 20, 12, 3), "f")).shape
        for c in net.cuts
    ]
    assert shapes == [(1, 5, 3, 4), (1, 3, 2, 8), (1, 3, 2, 8)]
