"""Published detectors against PyTorch: logits and Grad-CAM through files of their own names."""

import runpy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flax import nnx

from salix import models
from salix.models.resnet import Basic, Bottleneck, ResNet
from salix.typing import InputError

torch: Any = pytest.importorskip("torch")
functional: Any = torch.nn.functional
NETWORKS = Path(__file__).parents[2] / "benchmarks" / "torch_networks.py"
Tensors = dict[str, Any]


def image(side: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(side, side, 3))


def drawn(shapes: dict[str, tuple[int, ...]]) -> Tensors:
    """Return random weights of layers, with the statistics of normalisations where named so."""
    torch.manual_seed(0)
    state: Tensors = {}
    for name, shape in shapes.items():
        if name.endswith("running_var"):
            state[name] = torch.rand(shape) + 0.5
        elif len(shape) == 1:
            state[name] = 0.3 * torch.randn(shape) + (0.7 if name.endswith("weight") else 0)
        else:
            state[name] = torch.randn(shape) * (2 / np.prod(shape[1:])) ** 0.5
    return state


def norm_shapes(name: str, width: int) -> dict[str, tuple[int, ...]]:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (width,) for part in parts}


def normalise(x: Any, w: Tensors, name: str) -> Any:
    mean, var, scale, shift = (
        w[f"{name}.{p}"][:, None, None] for p in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (var + 1e-5).sqrt() * scale + shift


def conv(x: Any, w: Tensors, name: str, dilation: int = 1) -> Any:
    kernel = w[f"{name}.weight"]
    pad = dilation * (kernel.shape[-1] // 2)
    return functional.conv2d(x, kernel, padding=pad, dilation=dilation)


def dense(h: Any, w: Tensors) -> Any:
    h = h.flatten(1) @ w["fc1.weight"].T + w["fc1.bias"]
    return torch.maximum(h, 0.1 * h) @ w["fc2.weight"].T + w["fc2.bias"]


DENSE = {"fc1.weight": (16, 1024), "fc1.bias": (16,), "fc2.weight": (2, 16), "fc2.bias": (2,)}
MESO4 = {f"conv{i}.weight": s for i, s in enumerate([(8, 3, 3, 3), (8, 8, 5, 5)], 1)}
MESO4 |= {"conv3.weight": (16, 8, 5, 5), "conv4.weight": (16, 16, 5, 5), **DENSE}
MESO4 |= norm_shapes("bn1", 8) | norm_shapes("bn2", 16)
BRANCHES = (("conv2", 4, 1), ("conv3", 4, 2), ("conv4", 2, 3))  # name, width, dilation


def meso4_trunk(w: Tensors, x: Any) -> Any:
    """One normalisation serves the first two blocks, another the last two."""
    for i, norm, pool in ((1, 1, 2), (2, 1, 2), (3, 2, 2), (4, 2, 4)):
        x = functional.max_pool2d(normalise(conv(x, w, f"conv{i}").relu(), w, f"bn{norm}"), pool)
    return x


def inception_shapes() -> dict[str, tuple[int, ...]]:
    shapes = {"conv1.weight": (16, 12, 5, 5), "conv2.weight": (16, 16, 5, 5), **DENSE}
    for module, inputs, first in ((1, 3, 1), (2, 11, 2)):
        name = f"Incption{module}_"
        shapes |= {f"{name}conv1.weight": (first, inputs, 1, 1)}
        for branch, width, _ in BRANCHES:
            shapes[f"{name}{branch}_1.weight"] = (width, inputs, 1, 1)
            shapes[f"{name}{branch}_2.weight"] = (width, width, 3, 3)
        shapes |= norm_shapes(f"{name}bn", first + 10)
    return shapes | norm_shapes("bn1", 16)


def inception_trunk(w: Tensors, x: Any) -> Any:
    for module in (1, 2):
        name = f"Incption{module}_"
        parts = [conv(x, w, f"{name}conv1")]
        for branch, _, dilation in BRANCHES:
            inner = conv(x, w, f"{name}{branch}_1")
            parts.append(conv(inner, w, f"{name}{branch}_2", dilation))
        x = functional.max_pool2d(normalise(torch.cat(parts, 1), w, f"{name}bn"), 2)
    for i, pool in ((1, 2), (2, 4)):
        x = functional.max_pool2d(normalise(conv(x, w, f"conv{i}").relu(), w, "bn1"), pool)
    return x


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "shapes", "trunk"),
    [
        ("deepfakebench_meso4", MESO4, meso4_trunk),
        ("deepfakebench_mesoinception4", inception_shapes(), inception_trunk),
    ],
)
def test_mesonet(
    tmp_path: Path, check_parity: Any, name: str, shapes: Any, trunk: Callable[[Tensors, Any], Any]
) -> None:
    path, state = tmp_path / "meso4_best.pth", drawn(shapes)
    torch.save({f"module.backbone.{key}": value for key, value in state.items()}, path)
    wide = {key: value.double() for key, value in state.items()}
    loaded = models.load(name, path)
    assert (loaded[0].name, loaded[0].classes) == (name, ("real", "fake"))
    check_parity(loaded, image(256), lambda x: trunk(wide, x), lambda h: dense(h, wide))


def shallow(monkeypatch: pytest.MonkeyPatch, name: str, block: Any, **options: Any) -> None:
    """Register a residual network with one block a stage."""

    def build(rngs: nnx.Rngs, classes: int) -> ResNet:
        return ResNet(block, (1, 1, 1, 1), classes, rngs=rngs, **options)

    monkeypatch.setitem(models.MODELS, name, replace(models.MODELS[name], build=build))


@pytest.mark.slow
def test_cnn_aug(tmp_path: Path, check_parity: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shallow(monkeypatch, "resnet34", Basic)
    path, twins = tmp_path / "cnnaug_best.pth", runpy.run_path(str(NETWORKS))
    net = twins["TorchResNet"]((1, 1, 1, 1), False, 2).eval()
    children = {"conv1": "0", "bn1": "1"} | {f"layer{i}": f"{i + 3}" for i in range(1, 5)}
    state: Tensors = {}
    for key, value in net.state_dict().items():
        first, _, rest = key.partition(".")
        inner = f"fc.{rest}" if first == "fc" else f"resnet.{children[first]}.{rest}"
        state[f"backbone.{inner}"] = value
    torch.save(state, path)
    loaded = models.load("deepfakebench_cnn_aug", path)
    net.double()
    check_parity(loaded, image(64), net.trunk, net.head)


@pytest.mark.slow
def test_one_logit_without_strides(
    tmp_path: Path, check_parity: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shallow(monkeypatch, "resnet50_nodown", Bottleneck, stem=1)
    path, twins = tmp_path / "corvi22_latent_model.pth", runpy.run_path(str(NETWORKS))
    net = twins["TorchResNet"]((1, 1, 1, 1), True, 1).eval()
    torch.save({"model": net.state_dict(), "optimizer": {}, "total_steps": 7}, path)
    loaded = models.load("corvi2022", path)
    assert loaded[0].preprocess == models.DETECTORS["corvi2022"].preprocess
    net.double()

    def trunk(x: Any) -> Any:
        h = functional.conv2d(x, net.conv1.weight, padding=3)
        h = functional.max_pool2d(net.bn1(h).relu(), 3, 1, 1)
        return net.layer4(net.layer3(net.layer2(net.layer1(h))))

    check_parity(loaded, image(40), trunk, net.head)
    saved = tmp_path / "own.safetensors"
    models.save("corvi2022", saved, loaded[1])
    for name in ("corvi2022", "resnet50_nodown"):
        again = models.load(name, saved)[0]
        assert (again.name, again.preprocess) == (name, loaded[0].preprocess)


def test_weights_of_photographs_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shallow(monkeypatch, "resnet34", Basic)
    path, twins = tmp_path / "resnet34.pth", runpy.run_path(str(NETWORKS))
    torch.save(twins["TorchResNet"]((1, 1, 1, 1), False, 1000).state_dict(), path)
    with pytest.raises(
        InputError, match="1000 outputs, and deepfakebench_cnn_aug is a detector of"
    ):
        models.load("deepfakebench_cnn_aug", path)
