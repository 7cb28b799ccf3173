"""Small networks and a training step in PyTorch, the reference of `training.py`."""
# The types of PyTorch, where it is installed, are wider than the values here.
# pyright: reportCallIssue=false, reportArgumentType=false

from collections.abc import Callable
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from torch import nn  # pyright: ignore[reportMissingImports]
from torch.nn import functional  # pyright: ignore[reportMissingImports]
from torch_meso import TorchMeso4
from torch_networks import TorchResNet


class TorchSmall(nn.Module):
    """Four convolutions of a grey image and its high-pass, as `salix.models.small`."""

    def __init__(self):
        super().__init__()
        sizes = zip((2, 16, 32, 64), (16, 32, 64, 64), (2, 2, 2, 1), strict=True)
        self.convolutions = nn.ModuleList(nn.Conv2d(i, o, 3, s, 1) for i, o, s in sizes)
        self.classifier = nn.Linear(64, 2)

    def forward(self, x: Any) -> Any:
        mean = functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        h = torch.cat([2 * x - 1, 32 * (x - mean)], 1)
        for convolution in self.convolutions:
            h = functional.relu(convolution(h))
        return self.classifier(h.mean((2, 3)))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "small": TorchSmall,
    "meso4": TorchMeso4,
    "resnet18": lambda: TorchResNet((2, 2, 2, 2), False, 2),
}


def training_call(
    network: str, pixels: np.ndarray, labels: np.ndarray, *, compiled: bool
) -> tuple[Callable[[], Any], int]:
    """Return a training step of SGD with momentum, channels last, and the number of parameters."""
    torch.manual_seed(0)
    net = NETWORKS[network]().train().to(memory_format=torch.channels_last)
    count = sum(p.numel() for p in net.parameters())
    rule = torch.optim.SGD(net.parameters(), 0.005, momentum=0.9, weight_decay=1e-6, foreach=True)
    images, targets = torch.from_numpy(pixels), torch.from_numpy(labels.astype(np.int64))

    def loss_of(images: Any) -> Any:
        x = images.permute(0, 3, 1, 2).float() / 255  # channels last already
        return functional.cross_entropy(net(x), targets)

    forward = torch.compile(loss_of) if compiled else loss_of

    def step() -> Any:
        rule.zero_grad()
        loss = forward(images)
        loss.backward()
        rule.step()
        return loss

    return step, count
