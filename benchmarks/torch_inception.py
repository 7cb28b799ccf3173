"""Inception-v3 and Xception in PyTorch, with the parameter names of torchvision and Cadene."""

from typing import Any

import torch  # pyright: ignore[reportMissingImports]
from torch import nn  # pyright: ignore[reportMissingImports]
from torch.nn import functional  # pyright: ignore[reportMissingImports]


class TorchConvUnit(nn.Module):
    def __init__(self, i: int, o: int, size: Any = 1, stride: int = 1, pad: Any = 0):
        super().__init__()
        self.conv = nn.Conv2d(i, o, size, stride, pad, bias=False)
        self.bn = nn.BatchNorm2d(o, eps=0.001)

    def forward(self, x: Any) -> Any:
        return functional.relu(self.bn(self.conv(x)))


class TorchMixed(nn.Module):
    """Concatenation of parallel paths of named units; `paths` lists the units of each in order."""

    def __init__(self, i: int, units: dict[str, tuple], paths: list[str], pool: bool):
        super().__init__()
        self.paths, self.pool = [path.split() for path in paths], pool
        widths: dict[str, int] = {}
        for path in self.paths:
            width = i
            for name in path:
                if name not in widths:
                    self.add_module(name, TorchConvUnit(width, *units[name]))
                    widths[name] = units[name][0]
                width = widths[name]

    def forward(self, x: Any) -> Any:
        outputs, computed = [], {}
        for path in self.paths:
            y = functional.avg_pool2d(x, 3, 1, 1) if path[0] == "branch_pool" else x
            for name in path:  # a unit that two paths share runs once
                y = computed[name] if name in computed else getattr(self, name)(y)
                computed[name] = y
            outputs.append(y)
        return torch.cat([*outputs, functional.max_pool2d(x, 3, 2)] if self.pool else outputs, 1)


def block_a(i: int, pooled: int) -> TorchMixed:
    units = {"branch1x1": (64,), "branch5x5_1": (48,), "branch5x5_2": (64, 5, 1, 2)}
    units |= {"branch3x3dbl_1": (64,), "branch3x3dbl_2": (96, 3, 1, 1)}
    units |= {"branch3x3dbl_3": (96, 3, 1, 1), "branch_pool": (pooled,)}
    paths = ["branch1x1", "branch5x5_1 branch5x5_2"]
    paths += ["branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3", "branch_pool"]
    return TorchMixed(i, units, paths, False)


def block_b() -> TorchMixed:
    units = {"branch3x3": (384, 3, 2), "branch3x3dbl_1": (64,)}
    units |= {"branch3x3dbl_2": (96, 3, 1, 1), "branch3x3dbl_3": (96, 3, 2)}
    paths = ["branch3x3", "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3"]
    return TorchMixed(288, units, paths, True)


def block_c(c: int) -> TorchMixed:
    across, down = ((1, 7), 1, (0, 3)), ((7, 1), 1, (3, 0))
    units = {"branch1x1": (192,), "branch_pool": (192,), "branch7x7_1": (c,)}
    units |= {"branch7x7_2": (c, *across), "branch7x7_3": (192, *down), "branch7x7dbl_1": (c,)}
    units |= {"branch7x7dbl_2": (c, *down), "branch7x7dbl_3": (c, *across)}
    units |= {"branch7x7dbl_4": (c, *down), "branch7x7dbl_5": (192, *across)}
    chains = [[f"branch7x7_{k}" for k in (1, 2, 3)], [f"branch7x7dbl_{k}" for k in range(1, 6)]]
    return TorchMixed(768, units, ["branch1x1", *map(" ".join, chains), "branch_pool"], False)


def block_d() -> TorchMixed:
    units = {"branch3x3_1": (192,), "branch3x3_2": (320, 3, 2), "branch7x7x3_1": (192,)}
    units |= {"branch7x7x3_2": (192, (1, 7), 1, (0, 3)), "branch7x7x3_3": (192, (7, 1), 1, (3, 0))}
    units |= {"branch7x7x3_4": (192, 3, 2)}
    paths = ["branch3x3_1 branch3x3_2", " ".join(f"branch7x7x3_{k}" for k in (1, 2, 3, 4))]
    return TorchMixed(768, units, paths, True)


def block_e(i: int) -> TorchMixed:
    wide, high = (384, (1, 3), 1, (0, 1)), (384, (3, 1), 1, (1, 0))
    units = {"branch1x1": (320,), "branch_pool": (192,), "branch3x3_1": (384,)}
    units |= {"branch3x3_2a": wide, "branch3x3_2b": high, "branch3x3dbl_1": (448,)}
    units |= {"branch3x3dbl_2": (384, 3, 1, 1), "branch3x3dbl_3a": wide, "branch3x3dbl_3b": high}
    paths = ["branch1x1", "branch3x3_1 branch3x3_2a", "branch3x3_1 branch3x3_2b"]
    paths += [f"branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3{side}" for side in "ab"]
    return TorchMixed(i, units, [*paths, "branch_pool"], False)


class TorchInception(nn.Module):
    def __init__(self, classes: int):
        super().__init__()
        self.Conv2d_1a_3x3, self.Conv2d_2a_3x3 = (
            TorchConvUnit(3, 32, 3, 2),
            TorchConvUnit(32, 32, 3),
        )
        self.Conv2d_2b_3x3 = TorchConvUnit(32, 64, 3, 1, 1)
        self.Conv2d_3b_1x1, self.Conv2d_4a_3x3 = TorchConvUnit(64, 80), TorchConvUnit(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c = block_a(192, 32), block_a(256, 64)
        self.Mixed_5d, self.Mixed_6a = block_a(288, 64), block_b()
        self.Mixed_6b, self.Mixed_6c = block_c(128), block_c(160)
        self.Mixed_6d, self.Mixed_6e = block_c(160), block_c(192)
        self.AuxLogits = nn.Linear(768, classes)  # used in training only
        self.Mixed_7a, self.Mixed_7b, self.Mixed_7c = block_d(), block_e(1280), block_e(2048)
        self.fc = nn.Linear(2048, classes)

    def trunk(self, x: Any) -> Any:
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(functional.max_pool2d(x, 3, 2)))
        x = functional.max_pool2d(x, 3, 2)
        for name in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c"):
            x = getattr(self, f"Mixed_{name}")(x)
        return x

    def head(self, features: Any) -> Any:
        return self.fc(features.mean((2, 3)))

    def forward(self, x: Any) -> Any:
        return self.head(self.trunk(x))


class TorchSeparable(nn.Module):
    def __init__(self, i: int, o: int):
        super().__init__()
        self.conv1 = nn.Conv2d(i, i, 3, 1, 1, groups=i, bias=False)
        self.pointwise = nn.Conv2d(i, o, 1, bias=False)

    def forward(self, x: Any) -> Any:
        return self.pointwise(self.conv1(x))


class TorchXceptionBlock(nn.Module):
    def __init__(self, widths: tuple[int, ...], stride: int, first: bool = True):
        super().__init__()
        layers: list[Any] = []
        for i, o in zip(widths[:-1], widths[1:], strict=True):  # noqa: RUF007
            layers += [nn.ReLU(), TorchSeparable(i, o), nn.BatchNorm2d(o)]
        layers += [nn.MaxPool2d(3, stride, 1)] if stride > 1 else []
        self.rep, self.stride = nn.Sequential(*layers[not first :]), stride
        if stride > 1:
            self.skip = nn.Conv2d(widths[0], widths[-1], 1, stride, bias=False)
            self.skipbn = nn.BatchNorm2d(widths[-1])

    def forward(self, x: Any) -> Any:
        return self.rep(x) + (self.skipbn(self.skip(x)) if self.stride > 1 else x)


class TorchXception(nn.Module):
    def __init__(self, classes: int):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 32, 3, 2, bias=False), nn.BatchNorm2d(32)
        self.conv2, self.bn2 = nn.Conv2d(32, 64, 3, bias=False), nn.BatchNorm2d(64)
        widths = [(64, 128, 128), (128, 256, 256), (256, 728, 728), *[(728,) * 4] * 8]
        for k, shape in enumerate([*widths, (728, 728, 1024)], 1):
            block = TorchXceptionBlock(shape, 1 if len(shape) == 4 else 2, k > 1)
            self.add_module(f"block{k}", block)
        self.conv3, self.bn3 = TorchSeparable(1024, 1536), nn.BatchNorm2d(1536)
        self.conv4, self.bn4 = TorchSeparable(1536, 2048), nn.BatchNorm2d(2048)
        self.fc = nn.Linear(2048, classes)

    def trunk(self, x: Any) -> Any:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = functional.relu(self.bn2(self.conv2(x)))
        for k in range(1, 13):
            x = getattr(self, f"block{k}")(x)
        x = functional.relu(self.bn3(self.conv3(x)))
        return functional.relu(self.bn4(self.conv4(x)))

    def head(self, features: Any) -> Any:
        return self.fc(features.mean((2, 3)))

    def forward(self, x: Any) -> Any:
        return self.head(self.trunk(x))
