"""EfficientNet-B0 and MobileNetV2 in PyTorch."""

from collections.abc import Iterator
from typing import Any

from torch import nn  # pyright: ignore[reportMissingImports]
from torch_arrays import salix_arrays

# expansion, kernel, stride, width and depth of each stage
EFFICIENTNET = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
MOBILENET = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 3, 2, 32, 3),
    (6, 3, 2, 64, 4),
    (6, 3, 1, 96, 3),
    (6, 3, 2, 160, 3),
    (6, 3, 1, 320, 1),
)


def blocks_of(stages: tuple[tuple[int, ...], ...]) -> Iterator[tuple[int, int, int, int, int, int]]:
    """Yield stage, expansion, kernel, stride, inputs and outputs of each block."""
    inputs = 32
    for stage, (expansion, size, first, outputs, depth) in enumerate(stages, 1):
        for index in range(depth):
            yield stage, expansion, size, 1 if index else first, inputs, outputs
            inputs = outputs


def unit(i: int, o: int, size: int, stride: int, groups: int, *activation: Any) -> nn.Sequential:
    """Convolution, normalisation and activation, named as in torchvision."""
    conv = nn.Conv2d(i, o, size, stride, size // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(o), *activation)


class TorchSqueeze(nn.Module):
    """Squeeze and excitation, names of torchvision."""

    def __init__(self, channels: int, squeezed: int):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)
        self.activation, self.gate = nn.SiLU(), nn.Sigmoid()

    def forward(self, x: Any) -> Any:
        mean = x.mean((2, 3), keepdim=True)
        return x * self.gate(self.fc2(self.activation(self.fc1(mean))))


class TorchEfficientBlock(nn.Module):
    """Inverted bottleneck with a squeeze, names of torchvision."""

    def __init__(self, expansion: int, size: int, stride: int, i: int, o: int):
        super().__init__()
        wide = expansion * i
        layers = [unit(i, wide, 1, 1, 1, nn.SiLU())] if expansion > 1 else []
        layers += [unit(wide, wide, size, stride, wide, nn.SiLU()), TorchSqueeze(wide, i // 4)]
        self.block = nn.Sequential(*layers, unit(wide, o, 1, 1, 1))
        self.added = stride == 1 and i == o

    def forward(self, x: Any) -> Any:
        return self.block(x) + x if self.added else self.block(x)


class TorchEfficientNet(nn.Module):
    """EfficientNet-B0, names of torchvision. Tan and Le (2019), arXiv:1905.11946, table 1."""

    def __init__(self, classes: int = 1000):
        super().__init__()
        stages: list[list[nn.Module]] = [[] for _ in EFFICIENTNET]
        for stage, *shape in blocks_of(EFFICIENTNET):
            stages[stage - 1].append(TorchEfficientBlock(*shape))
        first, last = unit(3, 32, 3, 2, 1, nn.SiLU()), unit(320, 1280, 1, 1, 1, nn.SiLU())
        middle = (nn.Sequential(*stage) for stage in stages)
        self.features = nn.Sequential(first, *middle, last)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, classes))

    def trunk(self, x: Any) -> Any:
        return self.features(x)

    def head(self, features: Any) -> Any:
        return self.classifier(features.mean((2, 3)))

    def forward(self, x: Any) -> Any:
        return self.head(self.trunk(x))


class TorchPaddedUnit(nn.Module):
    """Convolution with TensorFlow's padding of even sides and normalisation, names of Salix.

    At stride 2 it pads below and to the right alone, which PyTorch's convolutions have no option
    for.
    """

    def __init__(self, i: int, o: int, size: int, stride: int = 1, groups: int = 1):
        super().__init__()
        strided = stride > 1
        self.pad = nn.ZeroPad2d((0, 1, 0, 1)) if strided else None
        pad = 0 if strided else size // 2
        self.conv = nn.Conv2d(i, o, size, stride, pad, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(o, eps=1e-3)

    def forward(self, x: Any) -> Any:
        return self.norm(self.conv(x if self.pad is None else self.pad(x)))


class TorchMobileBlock(nn.Module):
    """Inverted bottleneck with ReLU6, names of Salix."""

    def __init__(self, expansion: int, size: int, stride: int, i: int, o: int):
        super().__init__()
        wide = expansion * i
        self.expand = TorchPaddedUnit(i, wide, 1) if expansion > 1 else None
        self.depthwise = TorchPaddedUnit(wide, wide, size, stride, wide)
        self.project = TorchPaddedUnit(wide, o, 1)
        self.activation, self.added = nn.ReLU6(), stride == 1 and i == o

    def forward(self, x: Any) -> Any:
        h = x if self.expand is None else self.activation(self.expand(x))
        h = self.project(self.activation(self.depthwise(h)))
        return h + x if self.added else h


class TorchMobileNet(nn.Module):
    """MobileNetV2 of nsfwjs for images of sides that 32 divides, names of Salix.

    Sandler et al. (2018), arXiv:1801.04381, table 2, with the padding of TensorFlow.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = TorchPaddedUnit(3, 32, 3, 2)
        self.blocks = nn.Sequential(*(TorchMobileBlock(*s) for _, *s in blocks_of(MOBILENET)))
        self.last, self.activation = TorchPaddedUnit(320, 1280, 1), nn.ReLU6()
        self.fc: Any = nn.Module()
        self.fc.layers = nn.ModuleList(
            nn.Linear(i, o) for i, o in ((1280, 256), (256, 128), (128, 5))
        )

    def trunk(self, x: Any) -> Any:
        h = self.blocks(self.activation(self.stem(x)))
        return self.activation(self.last(h))

    def head(self, features: Any) -> Any:
        first, second, last = self.fc.layers
        return last(second(first(features.mean((2, 3))).relu()).relu())

    def forward(self, x: Any) -> Any:
        return self.head(self.trunk(x))

    def arrays(self) -> dict[str, Any]:
        """Weights with the names and in the layouts of Salix."""
        return salix_arrays(self)
