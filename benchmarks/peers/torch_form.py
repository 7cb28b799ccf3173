"""Forms of a network in PyTorch: layout, folding, compilation and autocast."""
# The types of PyTorch, where it is installed, are wider than the values here.
# pyright: reportCallIssue=false

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch  # pyright: ignore[reportMissingImports]
from torch import nn  # pyright: ignore[reportMissingImports]
from torch.fx.experimental.optimization import fuse  # pyright: ignore[reportMissingImports]
from torch_networks import torch_network

from peers.case import BenchmarkCase


@dataclass(frozen=True)
class TorchForm:
    """Options of a network; folding merges normalisations into convolutions."""

    channels_last: bool = True
    folded: bool = False
    compiled: bool = False
    autocast: bool = False


class Trunk(nn.Module):
    """The trunk of a network as a module of its own."""

    def __init__(self, net: Any):
        super().__init__()
        self.net = net

    def forward(self, x: Any) -> Any:
        return self.net.trunk(x)


@dataclass(frozen=True)
class TorchProgram:
    """Functions of a network in a form, and its images in the same layout and precision."""

    logits: Callable[[Any], Any]
    trunk: Callable[[Any], Any]
    head: Callable[[Any], Any]
    module: Any
    images: Any  # [b c h w]
    layout: Any
    autocast: Any  # context manager of the computation


def count_norms(net: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in net.modules())


def prepare_network(form: TorchForm, case: BenchmarkCase) -> TorchProgram:
    bfloat16 = case.precision == "bfloat16"
    if form.autocast and not bfloat16:
        raise RuntimeError(f"autocast is for bfloat16, not {case.precision}")
    net = torch_network(case.network)
    net.load_state_dict(torch.load(case.path, weights_only=True))
    dtype = torch.bfloat16 if bfloat16 and not form.autocast else torch.float32
    layout = torch.channels_last if form.channels_last else torch.contiguous_format
    logits, trunk = (net, Trunk(net).eval())
    if form.folded:
        if not count_norms(net):
            raise RuntimeError(f"{case.network} has no batch normalisation to fold")
        logits, trunk = fuse(logits), fuse(trunk)
        if count_norms(logits) == count_norms(net):
            raise RuntimeError(f"no batch normalisation of {case.network} follows a convolution")
    for part in (net, logits, trunk):
        part.requires_grad_(False).to(case.device, dtype, memory_format=layout)
    if form.compiled:
        mode = "max-autotune" if case.device == "cuda" else None
        logits, trunk = torch.compile(logits, mode=mode), torch.compile(trunk, mode=mode)
    images = torch.from_numpy(case.images).permute(0, 3, 1, 2).to(case.device, dtype)
    autocast = (
        partial(torch.autocast, case.device, torch.bfloat16) if form.autocast else nullcontext
    )
    images = images.contiguous(memory_format=layout)
    return TorchProgram(logits, trunk, net.head, net, images, layout, autocast)
