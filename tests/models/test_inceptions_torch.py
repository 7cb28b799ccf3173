"""Inception-v3 and Xception against PyTorch: logits, features, gradients and maps at full size."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from salix import models
from salix.attribution import CAM, GradCAM
from salix.model import logit

torch: Any = pytest.importorskip("torch")
nn, functional = torch.nn, torch.nn.functional


class Unit(nn.Module):
    def __init__(self, i: int, o: int, size: Any = 1, stride: int = 1, pad: Any = 0):
        super().__init__()
        self.conv = nn.Conv2d(i, o, size, stride, pad, bias=False)
        self.bn = nn.BatchNorm2d(o, eps=0.001)

    def forward(self, x: Any) -> Any:
        return functional.relu(self.bn(self.conv(x)))


class Mixed(nn.Module):
    """Named units; `paths` tells which follow which, "" standing for the mean before them."""

    def __init__(self, i: int, units: dict[str, tuple], paths: list[str], pool: bool):
        super().__init__()
        self.paths, self.pool = [path.split() for path in paths], pool
        widths: dict[str, int] = {}
        for path in self.paths:
            at = i
            for name in path:
                if name not in widths:
                    self.add_module(name, Unit(at, *units[name]))
                    widths[name] = units[name][0]
                at = widths[name]

    def forward(self, x: Any) -> Any:
        found = []
        for path in self.paths:
            y = functional.avg_pool2d(x, 3, 1, 1) if path[0] == "branch_pool" else x
            for name in path:
                y = getattr(self, name)(y)
            found.append(y)
        return torch.cat([*found, functional.max_pool2d(x, 3, 2)] if self.pool else found, 1)


def block_a(i: int, pooled: int) -> Mixed:
    units = {"branch1x1": (64,), "branch5x5_1": (48,), "branch5x5_2": (64, 5, 1, 2)}
    units |= {"branch3x3dbl_1": (64,), "branch3x3dbl_2": (96, 3, 1, 1)}
    units |= {"branch3x3dbl_3": (96, 3, 1, 1), "branch_pool": (pooled,)}
    paths = ["branch1x1", "branch5x5_1 branch5x5_2"]
    paths += ["branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3", "branch_pool"]
    return Mixed(i, units, paths, False)


def block_b() -> Mixed:
    units = {"branch3x3": (384, 3, 2), "branch3x3dbl_1": (64,)}
    units |= {"branch3x3dbl_2": (96, 3, 1, 1), "branch3x3dbl_3": (96, 3, 2)}
    paths = ["branch3x3", "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3"]
    return Mixed(288, units, paths, True)


def block_c(c: int) -> Mixed:
    across, down = ((1, 7), 1, (0, 3)), ((7, 1), 1, (3, 0))
    units = {"branch1x1": (192,), "branch_pool": (192,), "branch7x7_1": (c,)}
    units |= {"branch7x7_2": (c, *across), "branch7x7_3": (192, *down), "branch7x7dbl_1": (c,)}
    units |= {"branch7x7dbl_2": (c, *down), "branch7x7dbl_3": (c, *across)}
    units |= {"branch7x7dbl_4": (c, *down), "branch7x7dbl_5": (192, *across)}
    chains = [[f"branch7x7_{at}" for at in (1, 2, 3)], [f"branch7x7dbl_{at}" for at in range(1, 6)]]
    return Mixed(768, units, ["branch1x1", *map(" ".join, chains), "branch_pool"], False)


def block_d() -> Mixed:
    units = {"branch3x3_1": (192,), "branch3x3_2": (320, 3, 2), "branch7x7x3_1": (192,)}
    units |= {"branch7x7x3_2": (192, (1, 7), 1, (0, 3)), "branch7x7x3_3": (192, (7, 1), 1, (3, 0))}
    units |= {"branch7x7x3_4": (192, 3, 2)}
    paths = ["branch3x3_1 branch3x3_2", " ".join(f"branch7x7x3_{at}" for at in (1, 2, 3, 4))]
    return Mixed(768, units, paths, True)


def block_e(i: int) -> Mixed:
    wide, high = (384, (1, 3), 1, (0, 1)), (384, (3, 1), 1, (1, 0))
    units = {"branch1x1": (320,), "branch_pool": (192,), "branch3x3_1": (384,)}
    units |= {"branch3x3_2a": wide, "branch3x3_2b": high, "branch3x3dbl_1": (448,)}
    units |= {"branch3x3dbl_2": (384, 3, 1, 1), "branch3x3dbl_3a": wide, "branch3x3dbl_3b": high}
    paths = ["branch1x1", "branch3x3_1 branch3x3_2a", "branch3x3_1 branch3x3_2b"]
    paths += [f"branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3{side}" for side in "ab"]
    return Mixed(i, units, [*paths, "branch_pool"], False)


class Inception(nn.Module):
    def __init__(self, classes: int):
        super().__init__()
        self.Conv2d_1a_3x3, self.Conv2d_2a_3x3 = Unit(3, 32, 3, 2), Unit(32, 32, 3)
        self.Conv2d_2b_3x3 = Unit(32, 64, 3, 1, 1)
        self.Conv2d_3b_1x1, self.Conv2d_4a_3x3 = Unit(64, 80), Unit(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c = block_a(192, 32), block_a(256, 64)
        self.Mixed_5d, self.Mixed_6a = block_a(288, 64), block_b()
        self.Mixed_6b, self.Mixed_6c = block_c(128), block_c(160)
        self.Mixed_6d, self.Mixed_6e = block_c(160), block_c(192)
        self.AuxLogits = nn.Linear(768, classes)  # of the training
        self.Mixed_7a, self.Mixed_7b, self.Mixed_7c = block_d(), block_e(1280), block_e(2048)
        self.fc = nn.Linear(2048, classes)

    def features(self, x: Any) -> Any:
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(functional.max_pool2d(x, 3, 2)))
        x = functional.max_pool2d(x, 3, 2)
        for name in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c"):
            x = getattr(self, f"Mixed_{name}")(x)
        return x


class Separable(nn.Module):
    def __init__(self, i: int, o: int):
        super().__init__()
        self.conv1 = nn.Conv2d(i, i, 3, 1, 1, groups=i, bias=False)
        self.pointwise = nn.Conv2d(i, o, 1, bias=False)

    def forward(self, x: Any) -> Any:
        return self.pointwise(self.conv1(x))


class Residual(nn.Module):
    def __init__(self, widths: tuple[int, ...], stride: int, first: bool = True):
        super().__init__()
        layers: list[Any] = []
        for i, o in zip(widths[:-1], widths[1:], strict=True):  # noqa: RUF007
            layers += [nn.ReLU(), Separable(i, o), nn.BatchNorm2d(o)]
        layers += [nn.MaxPool2d(3, stride, 1)] if stride > 1 else []
        self.rep, self.stride = nn.Sequential(*layers[not first :]), stride
        if stride > 1:
            self.skip = nn.Conv2d(widths[0], widths[-1], 1, stride, bias=False)
            self.skipbn = nn.BatchNorm2d(widths[-1])

    def forward(self, x: Any) -> Any:
        return self.rep(x) + (self.skipbn(self.skip(x)) if self.stride > 1 else x)


class Xception(nn.Module):
    def __init__(self, classes: int):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 32, 3, 2, bias=False), nn.BatchNorm2d(32)
        self.conv2, self.bn2 = nn.Conv2d(32, 64, 3, bias=False), nn.BatchNorm2d(64)
        widths = [(64, 128, 128), (128, 256, 256), (256, 728, 728), *[(728,) * 4] * 8]
        for at, shape in enumerate([*widths, (728, 728, 1024)], 1):
            block = Residual(shape, 1 if len(shape) == 4 else 2, at > 1)
            self.add_module(f"block{at}", block)
        self.conv3, self.bn3 = Separable(1024, 1536), nn.BatchNorm2d(1536)
        self.conv4, self.bn4 = Separable(1536, 2048), nn.BatchNorm2d(2048)
        self.fc = nn.Linear(2048, classes)

    def features(self, x: Any) -> Any:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = functional.relu(self.bn2(self.conv2(x)))
        for at in range(1, 13):
            x = getattr(self, f"block{at}")(x)
        x = functional.relu(self.bn3(self.conv3(x)))
        return functional.relu(self.bn4(self.conv4(x)))


def shaken(net: Any) -> Any:
    """The network in evaluation, with random weights and statistics."""
    torch.manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.1, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
        elif isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight)
    return net.eval()


NETS = {"inception_v3": Inception, "xception": Xception}


def alike(a: Any, b: Any) -> float:
    """Correlation of two arrays."""
    return np.corrcoef(np.ravel(a), np.ravel(b))[0, 1]


@pytest.mark.parametrize("name", NETS)
def test_maps_agree(tmp_path: Path, name: str) -> None:
    net = shaken(NETS[name](5))
    torch.save({"epoch": 3, "state_dict": net.state_dict()}, tmp_path / "net.pth")
    image = np.random.default_rng(0).uniform(-1, 1, (299, 299, 3)).astype(np.float32)
    net = net.double()
    x = torch.tensor(image.transpose(2, 0, 1)[None], dtype=torch.float64, requires_grad=True)
    features = net.features(x)
    logits = net.fc(features.mean((2, 3)))[0]
    best = int(logits.argmax())  # its Grad-CAM is not dead: the mean of its CAM is positive
    by_image, by_features = torch.autograd.grad(logits[best], (x, features))
    maps = (net.fc.weight[best].reshape(-1, 1, 1) * features[0]).sum(0)
    alphas = by_features[0].mean((1, 2), keepdim=True)
    grad_maps = functional.relu((alphas * features[0]).sum(0))

    model, params = models.load(name, tmp_path / "net.pth")
    assert model.classes == ("0", "1", "2", "3", "4")

    @jax.jit
    def run(params: Any, x: Any) -> tuple[Any, ...]:
        score, key = model.score(params, logit(best)), jax.random.key(0)
        maps = (method(score, x, key)[..., 0] for method in (CAM(), GradCAM()))
        return model.logits(params, x), model.features(params, x), *maps, jax.grad(score)(x)

    parts = (logits, features[0].permute(1, 2, 0), maps, grad_maps, by_image[0].permute(1, 2, 0))
    expected = [part.detach().numpy() for part in parts]
    *found, gradient = run(params, image)
    for ours, theirs in zip(found, expected[:-1], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5 * np.abs(theirs).max(), rtol=0)
    # In float32 a ReLU near zero falls on either side, in PyTorch too: these steep networks reach
    # 0.9998, its own 0.99998. The definition is held in float64, below.
    assert alike(gradient, expected[-1]) > 0.999
    with jax.enable_x64(True):
        double = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
        for ours, theirs in zip(run(double, image.astype(np.float64)), expected, strict=True):
            assert ours.dtype == np.float64
            assert np.ptp(theirs) > 0  # a dead map would compare nothing
            np.testing.assert_allclose(ours, theirs, atol=1e-8 * np.abs(theirs).max(), rtol=0)
            assert alike(ours, theirs) > 0.999999

    models.save(tmp_path / "net.safetensors", name, params, model.classes)
    again, kept = models.load(name, tmp_path / "net.safetensors")
    assert again.classes == model.classes
    assert jax.tree.all(jax.tree.map(np.array_equal, params, kept))
