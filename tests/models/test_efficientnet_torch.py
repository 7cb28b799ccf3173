"""EfficientNet against definitions in PyTorch, by the names of its three sources, in float64."""

import math
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from salix import models
from salix.attribution import CAM, GradCAM
from salix.scores import logit

torch: Any = pytest.importorskip("torch")
tnn, functional = torch.nn, torch.nn.functional

# t, k, s, c, n of table 2 of the paper on MobileNetV2, as table 1 of EfficientNet's has them
ROWS = [(1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3)]
ROWS += [(6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)]


class SameConv(tnn.Conv2d):
    """TensorFlow's padding, with the odd pixel below and to the right."""

    def forward(self, x: Any) -> Any:
        pads: list[int] = []
        for n, k, s in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            total = max((math.ceil(n / s) - 1) * s + k - n, 0)
            pads += [total // 2, total - total // 2]
        return functional.conv2d(
            functional.pad(x, pads), self.weight, None, self.stride, 0, 1, self.groups
        )


class FixedConv(SameConv):
    """TensorFlow's padding of grids with one side, whatever the size of the image."""

    side = 0

    def forward(self, x: Any) -> Any:
        k, s = self.kernel_size[0], self.stride[0]
        total = max((math.ceil(self.side / s) - 1) * s + k - self.side, 0)
        x = functional.pad(x, [total // 2, total - total // 2] * 2)
        return functional.conv2d(x, self.weight, None, self.stride, 0, 1, self.groups)


class Twin(tnn.Module):
    """The network of a list of (name, layer), with the names of a source.

    `side` is that of the images for which efficientnet_pytorch fixes its padding.
    """

    def __init__(
        self,
        source: str,
        scale: tuple[float, float],
        classes: int,
        lite: bool,
        tf: bool,
        side: int = 0,
    ):
        super().__init__()
        self.side = side
        self.lite, self.tf, self.source = lite, tf, source
        self.program: list[Any] = []
        width, depth = scale

        def wide(c: int) -> int:
            near = max(8, int(c * width + 4) // 8 * 8)
            return near + 8 if near < 0.9 * c * width else near

        torchvision, timm = source == "torchvision", source == "timm"
        stem = wide(32)
        names = {"torchvision": "features.0.0 features.0.1", "timm": "conv_stem bn1"}
        self.unit(names.get(source, "_conv_stem _bn0"), 3, stem, 3, 2)
        inputs, number = stem, 0
        for stage, (t, k, s, c, n) in enumerate(ROWS):
            for index in range(math.ceil(n * depth)):
                outputs, strides, middle = wide(c), s if index == 0 else 1, inputs * t
                added = strides == 1 and inputs == outputs
                path = f"features.{stage + 1}.{index}.block" if torchvision else f"_blocks.{number}"
                path = f"blocks.{stage}.{index}" if timm else path
                place = iter(range(9))
                bn = iter(range(1, 9))
                self.program.append(("keep",))

                def named(own: str, path: str = path, place: Any = place, bn: Any = bn) -> str:
                    conv, last, norm = own.split()
                    if torchvision:
                        prefix = f"{path}.{next(place)}"
                        return f"{prefix}.0 {prefix}.1"
                    ours = f"{path}.{conv} {path}.bn{next(bn)}"
                    return ours if timm else f"{path}.{last} {path}.{norm}"

                if t > 1:
                    self.unit(named("conv_pw _expand_conv _bn0"), inputs, middle, 1, 1)
                self.unit(named("conv_dw _depthwise_conv _bn1"), middle, middle, k, strides, middle)
                if not lite:
                    both = f"{path}._se_reduce {path}._se_expand"
                    both = f"{path}.se.conv_reduce {path}.se.conv_expand" if timm else both
                    if torchvision:
                        i = next(place)
                        both = f"{path}.{i}.fc1 {path}.{i}.fc2"
                    reduce, expand = both.split()
                    self.put(reduce, tnn.Conv2d(middle, max(1, inputs // 4), 1))
                    self.put(expand, tnn.Conv2d(max(1, inputs // 4), middle, 1))
                    self.program.append(("squeeze", reduce, expand))
                last = "conv_pwl" if t > 1 else "conv_pw"
                self.unit(named(f"{last} _project_conv _bn2"), middle, outputs, 1, 1, 1, False)
                self.program.append(("add" if added else "forget",))
                inputs, number = outputs, number + 1
        names = {"torchvision": "features.8.0 features.8.1", "timm": "conv_head bn2"}
        self.unit(names.get(source, "_conv_head _bn1"), inputs, wide(1280), 1, 1)
        fc = {"torchvision": "classifier.1", "timm": "classifier"}.get(source, "_fc")
        self.put(fc, tnn.Linear(wide(1280), classes))
        self.fc = [fc]

    def put(self, path: str, layer: Any) -> None:
        node, (*parents, leaf) = self, path.split(".")
        for name in parents:
            if name not in dict(node.named_children()):
                node.add_module(name, tnn.Module())
            node = dict(node.named_children())[name]
        node.add_module(leaf, layer)

    def unit(
        self, names: str, i: int, o: int, k: int, s: int, g: int = 1, acts: bool = True
    ) -> None:
        conv, norm = names.split()
        kind = FixedConv if self.side else SameConv if self.tf else tnn.Conv2d
        layer = kind(i, o, k, s, 0 if self.tf else (k - 1) // 2, 1, g, bias=False)
        if isinstance(layer, FixedConv):
            layer.side, self.side = self.side, math.ceil(self.side / s)
        self.put(conv, layer)
        self.put(norm, tnn.BatchNorm2d(o, eps=1e-3 if self.tf else 1e-5))
        self.program.append(("unit", conv, norm, acts))

    def act(self, x: Any) -> Any:
        return x.clamp(0, 6) if self.lite else x * torch.sigmoid(x)

    def trunk(self, x: Any) -> Any:
        shortcut = x
        for step, *names in self.program:
            if step == "keep":
                shortcut = x
            elif step == "unit":
                x = self.get_submodule(names[1])(self.get_submodule(names[0])(x))
                x = self.act(x) if names[2] else x
            elif step == "squeeze":
                h = functional.silu(self.get_submodule(names[0])(x.mean((2, 3), keepdim=True)))
                x = x * self.get_submodule(names[1])(h).sigmoid()
            elif step == "add":
                x = x + shortcut
        return x

    def head(self, x: Any) -> Any:
        return self.get_submodule(self.fc[0])(x.mean((2, 3)))


def shaken(net: Any) -> Any:
    torch.manual_seed(0)
    for module in net.modules():
        if isinstance(module, tnn.BatchNorm2d):
            tnn.init.normal_(module.running_mean, std=0.3)
            tnn.init.uniform_(module.running_var, 0.5, 2.0)
            tnn.init.uniform_(module.weight, 0.8, 1.5)
            tnn.init.normal_(module.bias, std=0.3)
        elif isinstance(module, tnn.Conv2d):
            fan = module.weight[0].numel()
            tnn.init.normal_(module.weight, std=(1.5 / fan) ** 0.5)
    return net.eval().double()


CASES = [
    ("efficientnet_b0", "torchvision", (1.0, 1.0), (96, 96)),
    ("tf_efficientnet_b0", "lukemelas", (1.0, 1.0), (70, 97)),
    ("efficientnet_b4", "timm", (1.4, 1.8), (64, 64)),
    ("efficientnet_lite0", "timm", (1.0, 1.0), (96, 70)),
    ("efficientnet_lite0", "lukemelas", (1.0, 1.0), (65, 96)),
]


@pytest.mark.parametrize(("name", "source", "scale", "size"), CASES)
def test_parity(tmp_path: Path, name: str, source: str, scale: Any, size: Any) -> None:
    lite = name.endswith("lite0")
    tf = lite or name.startswith("tf_")
    twin = shaken(Twin(source, scale, 7, lite, tf))
    path = tmp_path / "net.pth"
    torch.save({"state_dict": {n: t.float() for n, t in twin.state_dict().items()}}, path)
    twin.load_state_dict({n: t.float().double() for n, t in twin.state_dict().items()})
    model, params = models.load(name, path)
    assert model.classes == tuple("0123456")
    image = np.random.default_rng(0).normal(size=(*size, 3)).astype(np.float32)

    x = torch.tensor(image.transpose(2, 0, 1)[None].astype(np.float64), requires_grad=True)
    features = twin.trunk(x)
    features.retain_grad()
    logits = twin.head(features)
    logits[0, 3].backward()

    score, key = model.score(params, logit(3)), jax.random.key(0)

    @jax.jit
    def evaluate(x: Any) -> Any:
        maps = [method(score, x, key)[..., 0] for method in (GradCAM(), CAM())]
        return model.features(params, x), model.logits(params, x), jax.grad(score)(x), maps

    actual, actual_logits, slope, maps = evaluate(image)
    expected = logits[0].detach().numpy()
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(actual_logits, expected, atol=1e-5 * np.abs(expected).max())
    grid = features[0].detach().permute(1, 2, 0).numpy()
    np.testing.assert_allclose(actual, grid, atol=2e-5 * np.abs(grid).max())
    theirs = x.grad[0].permute(1, 2, 0).numpy()
    assert np.corrcoef(slope.ravel(), theirs.ravel())[0, 1] > 0.999999
    alpha = features.grad[0].mean((1, 2)).numpy()
    weighted, close = (grid * alpha).sum(-1), 2e-5 * np.abs(grid * alpha).sum(-1).max()
    np.testing.assert_allclose(maps[0], np.maximum(weighted, 0), atol=close)
    np.testing.assert_allclose(maps[1] / weighted.size, weighted, atol=close)
