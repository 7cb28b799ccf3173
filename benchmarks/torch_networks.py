"""Reference networks in PyTorch, with the parameter names of published weights.

Each has a `trunk` from images to features, and a `head` from features to logits.
"""
# The types of PyTorch, where it is installed, are wider than the values here.
# pyright: reportCallIssue=false, reportArgumentType=false

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from torch import nn  # pyright: ignore[reportMissingImports]
from torch.nn import functional  # pyright: ignore[reportMissingImports]


def conv(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)


class TorchResidualBlock(nn.Module):
    """Residual block, basic or `bottleneck`."""

    def __init__(self, inputs: int, width: int, stride: int, bottleneck: bool):
        super().__init__()
        self.bottleneck = bottleneck
        outputs = width * 4 if bottleneck else width
        if bottleneck:
            self.conv1, self.conv2 = conv(inputs, width, 1), conv(width, width, 3, stride)
            self.conv3, self.bn3 = conv(width, outputs, 1), nn.BatchNorm2d(outputs)
        else:
            self.conv1, self.conv2 = conv(inputs, width, 3, stride), conv(width, width, 3)
        self.bn1, self.bn2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.downsample = None
        if stride > 1 or inputs != outputs:
            projection = (conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))
            self.downsample = nn.Sequential(*projection)

    def forward(self, x: Any) -> Any:
        shortcut = x if self.downsample is None else self.downsample(x)
        h = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        if self.bottleneck:
            h = self.bn3(self.conv3(functional.relu(h)))
        return functional.relu(h + shortcut)


class TorchResNet(nn.Module):
    """ResNet of basic or bottleneck blocks, names of torchvision."""

    def __init__(self, depths: tuple[int, ...], bottleneck: bool, classes: int = 1000):
        super().__init__()
        self.conv1, self.bn1 = conv(3, 64, 7, 2), nn.BatchNorm2d(64)
        inputs = 64
        for stage, depth in enumerate(depths):
            width, blocks = 64 * 2**stage, []
            for number in range(depth):
                stride = 2 if stage and not number else 1
                blocks.append(TorchResidualBlock(inputs, width, stride, bottleneck))
                inputs = width * 4 if bottleneck else width
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(inputs, classes)

    def trunk(self, x: Any) -> Any:
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))

    def head(self, features: Any) -> Any:
        return self.fc(features.mean((2, 3)))

    def forward(self, x: Any) -> Any:
        return self.head(self.trunk(x))


class TorchDenseLayer(nn.Module):
    """Bottleneck layer that appends 32 channels to its input."""

    def __init__(self, inputs: int):
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, 128, 1)
        self.norm2, self.conv2 = nn.BatchNorm2d(128), conv(128, 32, 3)

    def forward(self, x: Any) -> Any:
        h = self.conv1(functional.relu(self.norm1(x)))
        return torch.cat([x, self.conv2(functional.relu(self.norm2(h)))], 1)


class TorchDenseNet(nn.Module):
    """DenseNet-121, names of torchvision."""

    def __init__(self, classes: int = 1000):
        super().__init__()
        features: Any = nn.Sequential()
        features.conv0, features.norm0 = conv(3, 64, 7, 2), nn.BatchNorm2d(64)
        features.relu0, features.pool0 = nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        width = 64
        for stage, depth in enumerate((6, 12, 24, 16), 1):
            block = nn.Sequential()
            for number in range(1, depth + 1):
                block.add_module(f"denselayer{number}", TorchDenseLayer(width))
                width += 32
            features.add_module(f"denseblock{stage}", block)
            if stage < 4:
                parts: Any = nn.Sequential()
                parts.norm, parts.relu = nn.BatchNorm2d(width), nn.ReLU()
                parts.conv, parts.pool = conv(width, width // 2, 1), nn.AvgPool2d(2)
                features.add_module(f"transition{stage}", parts)
                width //= 2
        features.norm5 = nn.BatchNorm2d(width)
        self.features, self.classifier = features, nn.Linear(width, classes)

    def trunk(self, x: Any) -> Any:
        return functional.relu(self.features(x))

    def head(self, features: Any) -> Any:
        return self.classifier(features.mean((2, 3)))

    def forward(self, x: Any) -> Any:
        return self.head(self.trunk(x))


STEEP = ("inception_v3", "efficientnet_b0", "nsfwjs_mobilenet_v2")


def import_sibling(module: str) -> Any:
    """Import a file of this folder, also where a test runs this file by its path."""
    sys.path.insert(0, str(Path(__file__).parent))
    try:
        return importlib.import_module(module)
    finally:
        sys.path.pop(0)


def torch_network(name: str, classes: int = 1000) -> Any:
    """Network in evaluation mode, with random weights and random statistics of its norms.

    The statistics keep activations near one through a hundred layers.
    """
    torch.manual_seed(0)
    builds = {
        "resnet18": lambda: TorchResNet((2, 2, 2, 2), False, classes),
        "resnet50": lambda: TorchResNet((3, 4, 6, 3), True, classes),
        "densenet121": lambda: TorchDenseNet(classes),
        "inception_v3": lambda: import_sibling("torch_inception").TorchInception(classes),
        "xception": lambda: import_sibling("torch_inception").TorchXception(classes),
        "clip_vit_b16": lambda: import_sibling("torch_vit").TorchViT(),
        "efficientnet_b0": lambda: import_sibling("torch_mobile").TorchEfficientNet(classes),
        "nsfwjs_mobilenet_v2": lambda: import_sibling("torch_mobile").TorchMobileNet(),
        "meso4": lambda: import_sibling("torch_meso").TorchMeso4(),
    }
    net = builds[name]()
    # Where few sums are residual, norms must not shrink the differences between inputs every time.
    largest = 1.5 if name in STEEP else 1.0
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_in")
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, largest)
            nn.init.normal_(module.bias, std=0.3)
    return net.eval()


def save_weights(name: str, path: str) -> None:
    """Write random weights of a network in a format that Salix reads as well."""
    net = torch_network(name)
    torch.save(net.state_dict(), path)
    if hasattr(net, "arrays"):  # no published PyTorch file: with the names of Salix
        np.savez(f"{path}.npz", **net.arrays())
