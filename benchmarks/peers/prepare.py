"""PyTorch inputs of a case: the network as a module, images with channels first."""

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

import torch  # pyright: ignore[reportMissingImports]
from torch import nn  # pyright: ignore[reportMissingImports]
from torch_networks import torch_network

from peers.case import BenchmarkCase, PeerCall

FORMS = {"default": False, "tuned": True}
CHUNK = {"cpu": 8, "cuda": 64}  # images in a batch of tuned methods of many gradients


def default_and_tuned(
    library: str, build: Callable[[bool, BenchmarkCase], PeerCall]
) -> dict[str, Callable[[BenchmarkCase], PeerCall]]:
    """Variants `LIBRARY default` and `LIBRARY tuned` of a function `build(tuned, case)`."""
    return {f"{library} {name}": partial(build, tuned) for name, tuned in FORMS.items()}


def last_linear(net: Any, network: str) -> Any:
    """Last linear layer. Raises `RuntimeError` unless the head is a mean and that layer."""
    head = getattr(net, "fc", None) or getattr(net, "classifier", None) or nn.Identity()
    linear = [module for module in head.modules() if isinstance(module, nn.Linear)]
    if len(linear) != 1:
        raise RuntimeError(f"the head of {network} is not a mean and a linear layer")
    return linear[0]


def import_package(name: str) -> Any:
    """Import a package. Raises `RuntimeError` if it is missing or broken."""
    try:
        return importlib.import_module(name)
    except (ImportError, RuntimeError, AttributeError) as error:
        raise RuntimeError(f"{name} does not import: {error}") from error


def network(case: BenchmarkCase, tuned: bool) -> Any:
    """Network in its default form, or tuned: channels last and frozen parameters.

    Images [b c h w] and logits are float32 in every precision.
    """
    net = torch_network(case.network)
    net.load_state_dict(torch.load(case.path, weights_only=True))
    torch.backends.cuda.matmul.allow_tf32 = case.precision == "tf32"
    torch.backends.cudnn.allow_tf32 = case.precision == "tf32"
    net.to(case.device)
    if tuned:
        net.requires_grad_(False).to(memory_format=torch.channels_last)
    if case.precision == "bfloat16":
        net.to(torch.bfloat16)
        net.register_forward_pre_hook(lambda _, inputs: inputs[0].to(torch.bfloat16))
        net.register_forward_hook(lambda _, inputs, logits: logits.float())
    return net


def network_with_stage(case: BenchmarkCase, tuned: bool) -> tuple[Any, Any]:
    """Network, and a module in it whose output is the last spatial features.

    Libraries hook modules, but some networks end their trunk with a function. In the tuned form no
    gradient is computed beyond the features, so that no activations are stored for it.
    """
    net, stage = network(case, tuned), nn.Identity()
    if not hasattr(net, "trunk"):
        raise RuntimeError(f"{case.network} has no trunk with spatial features")

    def forward(x: Any) -> Any:
        if not tuned:
            return net.head(stage(net.trunk(x)))
        with torch.no_grad():
            features = net.trunk(x)
        return net.head(stage(features.requires_grad_(not torch.is_inference(features))))

    net.add_module("stage", stage)
    net.forward = forward
    return net, stage


def batch(case: BenchmarkCase, tuned: bool) -> Any:
    """Images [b c h w], in memory with channels last if tuned, first otherwise."""
    x = torch.from_numpy(case.images).to(case.device).permute(0, 3, 1, 2)
    layout = torch.channels_last if tuned else torch.contiguous_format
    return x.contiguous(memory_format=layout)


def channels_last(x: Any) -> Any:
    """Gradient [b c h w] as [b h w c]."""
    return x.detach().permute(0, 2, 3, 1)
