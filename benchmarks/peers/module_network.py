"""ResNet-18 of modules alone, as Captum's DeepLIFT, LRP and guided backpropagation need it.

They replace derivatives by hooks of modules: each ReLU, sum and mean has to be a module that is
called once. Parameters are those of `torch_networks`.
"""
# The types of PyTorch, where it is installed, are wider than the values here.
# pyright: reportCallIssue=false, reportArgumentType=false

from typing import Any

from torch import nn  # pyright: ignore[reportMissingImports]

from peers.case import BenchmarkCase
from peers.prepare import import_package, network


class ModuleBlock(nn.Module):
    """Basic residual block of modules."""

    def __init__(self, block: Any):
        super().__init__()
        self.conv1, self.bn1, self.relu1 = block.conv1, block.bn1, nn.ReLU()
        self.conv2, self.bn2, self.relu2 = block.conv2, block.bn2, nn.ReLU()
        self.downsample = block.downsample
        self.add = sum_module()

    def forward(self, x: Any) -> Any:
        shortcut = x if self.downsample is None else self.downsample(x)
        h = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return self.relu2(self.add(h, shortcut))


def sum_module() -> Any:
    """Captum's module of a sum."""
    return import_package("captum.attr._utils.custom_modules").Addition_Module()


class ModuleResNet(nn.Module):
    """ResNet of modules from one of `torch_networks`."""

    def __init__(self, net: Any):
        super().__init__()
        self.conv1, self.bn1, self.relu = net.conv1, net.bn1, nn.ReLU()
        self.pool = nn.MaxPool2d(3, 2, 1)
        stages = (net.layer1, net.layer2, net.layer3, net.layer4)
        self.blocks = nn.Sequential(*(ModuleBlock(block) for stage in stages for block in stage))
        self.mean, self.fc = nn.AdaptiveAvgPool2d(1), net.fc

    def forward(self, x: Any) -> Any:
        x = self.pool(self.relu(self.bn1(self.conv1(x))))
        return self.fc(self.mean(self.blocks(x)).flatten(1))


def module_network(case: BenchmarkCase, tuned: bool) -> Any:
    """Network of a case, made of modules. Raises `RuntimeError` unless it is ResNet-18."""
    if case.network != "resnet18":
        raise RuntimeError(f"{case.network} has no form of modules here, only resnet18")
    return ModuleResNet(network(case, tuned)).eval()
