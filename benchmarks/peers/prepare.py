"""A case as the libraries of PyTorch want it: a module, and images with their channels first."""

import importlib
from typing import Any

import torch  # pyright: ignore[reportMissingImports]
from torch import nn  # pyright: ignore[reportMissingImports]
from twins import twin

from peers.case import Case

FORMS = {"default": False, "tuned": True}
CHUNK = {"cpu": 8, "cuda": 64}  # images in a batch of methods that take many gradients, tuned


def package(name: str) -> Any:
    """Import a package. Raises `RuntimeError` where it is missing or broken."""
    try:
        return importlib.import_module(name)
    except (ImportError, RuntimeError, AttributeError) as error:
        raise RuntimeError(f"{name} does not import: {error}") from error


def network(case: Case, tuned: bool) -> Any:
    """Return the network as it comes, or tuned: channels last, and parameters frozen.

    It takes images [b c h w] in float32 and returns logits in float32, whatever it computes in.
    """
    net = twin(case.network)
    net.load_state_dict(torch.load(case.path, weights_only=True))
    torch.backends.cuda.matmul.allow_tf32 = case.precision == "tf32"
    torch.backends.cudnn.allow_tf32 = case.precision == "tf32"
    net.to(case.device)
    if tuned:
        net.requires_grad_(False).to(memory_format=torch.channels_last)
    if case.precision == "bfloat16":
        net.to(torch.bfloat16)
        net.register_forward_pre_hook(lambda _, given: given[0].to(torch.bfloat16))
        net.register_forward_hook(lambda _, given, logits: logits.float())
    return net


def staged(case: Case, tuned: bool) -> tuple[Any, Any]:
    """Return the network, and within it a module that gives the last spatial features.

    Libraries hook a module, and some networks end their trunk with a function. In the tuned form no
    gradient goes further back than the features, so that nothing is kept for it.
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


def batch(case: Case, tuned: bool) -> Any:
    """Return the images [b c h w], in memory with channels last if tuned, first otherwise."""
    x = torch.from_numpy(case.images).to(case.device).permute(0, 3, 1, 2)
    layout = torch.channels_last if tuned else torch.contiguous_format
    return x.contiguous(memory_format=layout)


def last(x: Any) -> Any:
    """Return [b h w c] of a gradient [b c h w]."""
    return x.detach().permute(0, 2, 3, 1)
