"""PyTorch by itself, as it comes and in its best forms.

"torch default" runs the network as it comes, NCHW; the others have the channels last, their
normalisations folded into the convolutions, or are compiled. In all of them only the image takes a
gradient. In bfloat16 the network's weights are rounded; "torch autocast" keeps them.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch  # pyright: ignore[reportMissingImports]
from torch import nn  # pyright: ignore[reportMissingImports]
from torch.fx.experimental.optimization import fuse  # pyright: ignore[reportMissingImports]
from torch.nn import functional  # pyright: ignore[reportMissingImports]
from twins import twin

from peers.case import Call, Case, Variants

PRECISIONS = ("float32", "tf32", "bfloat16")
INNER = {"cpu": 8, "cuda": 64}  # images in a batch of the methods that take many gradients


@dataclass(frozen=True)
class Form:
    channels_last: bool = True
    folded: bool = False
    compiled: bool = False
    autocast: bool = False


class Trunk(nn.Module):
    def __init__(self, net: Any):
        super().__init__()
        self.net = net

    def forward(self, x: Any) -> Any:
        return self.net.trunk(x)


@dataclass(frozen=True)
class Network:
    """A network in a form: the features of images, what they say, and the images."""

    logits: Callable[[Any], Any]
    trunk: Callable[[Any], Any]
    head: Callable[[Any], Any]
    linear: Any  # the last layer, where the head is a mean and that layer
    images: Any  # [b c h w]
    layout: Any
    numbers: Any  # the context of what is computed


def network(form: Form, case: Case) -> Network:
    low = case.precision == "bfloat16"
    if form.autocast and not low:
        raise RuntimeError(f"autocast is for bfloat16, not {case.precision}")
    net = twin(case.network)
    if form.folded and not any(isinstance(m, nn.BatchNorm2d) for m in net.modules()):
        raise RuntimeError(f"{case.network} has no batch normalisation to fold")
    net.load_state_dict(torch.load(case.path, weights_only=True))
    kind = torch.bfloat16 if low and not form.autocast else torch.float32
    layout = torch.channels_last if form.channels_last else torch.contiguous_format
    whole, trunk = (net, Trunk(net).eval())
    if form.folded:
        whole, trunk = fuse(whole), fuse(trunk)
    for part in (net, whole, trunk):
        part.requires_grad_(False).to(case.device, kind, memory_format=layout)
    linear = getattr(net, "fc", None) or getattr(net, "classifier", None)
    if form.compiled:
        mode = "max-autotune" if case.device == "cuda" else None
        whole, trunk = torch.compile(whole, mode=mode), torch.compile(trunk, mode=mode)
    images = torch.from_numpy(case.images).permute(0, 3, 1, 2).to(case.device, kind)
    cast = partial(torch.autocast, case.device, torch.bfloat16) if form.autocast else nullcontext
    images = images.contiguous(memory_format=layout)
    return Network(whole, trunk, net.head, linear, images, layout, cast)


def gradient(net: Network, images: Any) -> Any:
    held = images.detach().requires_grad_()
    with net.numbers():
        score = net.logits(held)[:, 0].sum()
    return torch.autograd.grad(score, held)[0]


def last(images: Any) -> Any:
    """Return images with their channels last, as Salix has them."""
    return images.permute(0, 2, 3, 1)


def forward(form: Form, case: Case) -> Call:
    net = network(form, case)

    def run() -> Any:
        with torch.inference_mode(), net.numbers():
            return net.logits(net.images)

    return run


def cam(form: Form, case: Case) -> Call:
    net = network(form, case)
    if net.linear is None:
        raise RuntimeError(f"the head of {case.network} is not a mean and a linear layer")
    weights = net.linear.weight[0].reshape(1, -1, 1, 1)

    def run() -> Any:
        with torch.inference_mode(), net.numbers():
            return (net.trunk(net.images) * weights).sum(1)

    return run


def gradcam(form: Form, case: Case) -> Call:
    net = network(form, case)

    def run() -> Any:
        with torch.no_grad(), net.numbers():
            features = net.trunk(net.images)
        held = features.detach().requires_grad_()
        with net.numbers():
            score = net.head(held)[:, 0].sum()
        alpha = torch.autograd.grad(score, held)[0].mean((2, 3), keepdim=True)
        return functional.relu((alpha * features).sum(1))

    return run


def saliency(form: Form, case: Case) -> Call:
    net = network(form, case)
    return lambda: last(gradient(net, net.images))


def summed(net: Network, count: int, inner: int, vary: Callable[[Any, Any], Any]) -> Any:
    """Return the sum of the gradients at `count` variants of each image.

    `vary(images, numbers)` gives those of some numbers, [n b c h w]; `inner` images are one batch.
    """
    totals = []
    for images in net.images.split(inner):
        total = torch.zeros_like(images, dtype=torch.float32)
        for numbers in torch.arange(count, device=images.device).split(inner // len(images)):
            varied = vary(images, numbers).to(images.dtype).flatten(0, 1)
            found = gradient(net, varied.contiguous(memory_format=net.layout))
            total += found.unflatten(0, (len(numbers), -1)).float().sum(0)
        totals.append(total)
    return torch.cat(totals)


def smoothgrad(form: Form, case: Case) -> Call:
    net, inner = network(form, case), INNER[case.device]

    def vary(images: Any, numbers: Any) -> Any:
        low, high = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
        shape = (len(numbers), *images.shape)
        noise = torch.randn(shape, dtype=images.dtype, device=images.device)
        return images + case.noise * (high - low) * noise

    def run() -> Any:
        return last(summed(net, case.samples, inner, vary) / case.samples)

    return run


def ig(form: Form, case: Case) -> Call:
    net, inner = network(form, case), INNER[case.device]

    def vary(images: Any, numbers: Any) -> Any:
        return ((numbers + 0.5) / case.steps).reshape(-1, 1, 1, 1, 1) * images

    def run() -> Any:
        return last(net.images * summed(net, case.steps, inner, vary) / case.steps)

    return run


def deletion(form: Form, case: Case) -> Call:
    net, inner = network(form, case), INNER[case.device]
    maps = torch.from_numpy(case.maps).to(case.device)
    cells = maps[0].numel()
    counts = [round((i + 1) * cells / case.steps) for i in range(case.steps)]
    limits = torch.tensor(counts, device=case.device).reshape(-1, 1, 1, 1)
    every = torch.arange(len(maps) * len(counts), device=case.device)

    def run() -> Any:
        with torch.inference_mode(), net.numbers():
            ranks = maps.flatten(1).argsort(1, descending=True).argsort(1)
            ranks, values = ranks.reshape(len(maps), 1, *maps.shape[1:]), []
            for some in every.split(inner):
                image, step = some // len(counts), some % len(counts)
                left = net.images[image] * (ranks[image] >= limits[step])
                left = left.contiguous(memory_format=net.layout)
                values.append(net.logits(left).float().softmax(1)[:, 0])
            return torch.cat(values).reshape(len(maps), -1)

    return run


FORMS = {
    "torch default": Form(channels_last=False),
    "torch channels_last": Form(),
    "torch folded": Form(folded=True),
    "torch compiled": Form(compiled=True),
    "torch compiled folded": Form(folded=True, compiled=True),
    "torch autocast": Form(autocast=True),
}
TASKS = {
    "forward": forward,
    "cam": cam,
    "gradcam": gradcam,
    "saliency": saliency,
    "smoothgrad": smoothgrad,
    "ig": ig,
    "deletion": deletion,
}
SOME = {"torch compiled folded": ("forward", "saliency", "ig"), "torch autocast": tuple(TASKS)[:4]}
VARIANTS: Variants = {
    task: {
        name: partial(build, form) for name, form in FORMS.items() if task in SOME.get(name, TASKS)
    }
    for task, build in TASKS.items()
}
