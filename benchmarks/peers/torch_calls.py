"""PyTorch alone, in its default and in its best forms.

"torch default" has channels first; the others have channels last, normalisations folded into the
convolutions, or are compiled. Only the image requires a gradient. In bfloat16 the weights are
rounded; "torch autocast" keeps them in float32.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch  # pyright: ignore[reportMissingImports]
from torch.nn import functional  # pyright: ignore[reportMissingImports]

from peers.case import BenchmarkCase, PeerCall, PeerVariants
from peers.prepare import channels_last, last_linear
from peers.torch_form import TorchForm, TorchProgram, prepare_network

PRECISIONS = ("float32", "tf32", "bfloat16")
INNER_BATCH = {"cpu": 8, "cuda": 64}  # of methods that need many gradients of an image


def gradient(net: TorchProgram, images: Any) -> Any:
    x = images.detach().requires_grad_()
    with net.autocast():
        score = net.logits(x)[:, 0].sum()
    return torch.autograd.grad(score, x)[0]


def forward(form: TorchForm, case: BenchmarkCase) -> PeerCall:
    net = prepare_network(form, case)

    def run() -> Any:
        with torch.inference_mode(), net.autocast():
            return net.logits(net.images)

    return run


def cam(form: TorchForm, case: BenchmarkCase) -> PeerCall:
    net = prepare_network(form, case)
    weights = last_linear(net.module, case.network).weight[0].reshape(1, -1, 1, 1)

    def run() -> Any:
        with torch.inference_mode(), net.autocast():
            return (net.trunk(net.images) * weights).sum(1)

    return run


def gradcam(form: TorchForm, case: BenchmarkCase) -> PeerCall:
    net = prepare_network(form, case)

    def run() -> Any:
        with torch.no_grad(), net.autocast():
            features = net.trunk(net.images)
        x = features.detach().requires_grad_()
        with net.autocast():
            score = net.head(x)[:, 0].sum()
        alpha = torch.autograd.grad(score, x)[0].mean((2, 3), keepdim=True)
        return functional.relu((alpha * features).sum(1))

    return run


def saliency(form: TorchForm, case: BenchmarkCase) -> PeerCall:
    net = prepare_network(form, case)
    return lambda: channels_last(gradient(net, net.images))


def sum_of_gradients(
    net: TorchProgram, count: int, inner: int, vary: Callable[[Any, Any], Any]
) -> Any:
    """Sum of the gradients at `count` variants of each image.

    `vary(images, numbers)` returns the variants of these numbers, [n b c h w]; a batch has `inner`.
    """
    totals = []
    for images in net.images.split(inner):
        total = torch.zeros_like(images, dtype=torch.float32)
        for numbers in torch.arange(count, device=images.device).split(inner // len(images)):
            varied = vary(images, numbers).to(images.dtype).flatten(0, 1)
            gradients = gradient(net, varied.contiguous(memory_format=net.layout))
            total += gradients.unflatten(0, (len(numbers), -1)).float().sum(0)
        totals.append(total)
    return torch.cat(totals)


def smoothgrad(form: TorchForm, case: BenchmarkCase) -> PeerCall:
    net, inner = prepare_network(form, case), INNER_BATCH[case.device]

    def vary(images: Any, numbers: Any) -> Any:
        low, high = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
        shape = (len(numbers), *images.shape)
        noise = torch.randn(shape, dtype=images.dtype, device=images.device)
        return images + case.noise * (high - low) * noise

    def run() -> Any:
        return channels_last(sum_of_gradients(net, case.samples, inner, vary) / case.samples)

    return run


def ig(form: TorchForm, case: BenchmarkCase) -> PeerCall:
    net, inner = prepare_network(form, case), INNER_BATCH[case.device]

    def vary(images: Any, numbers: Any) -> Any:
        return ((numbers + 0.5) / case.steps).reshape(-1, 1, 1, 1, 1) * images

    def run() -> Any:
        return channels_last(
            net.images * sum_of_gradients(net, case.steps, inner, vary) / case.steps
        )

    return run


def deletion(form: TorchForm, case: BenchmarkCase) -> PeerCall:
    net, inner = prepare_network(form, case), INNER_BATCH[case.device]
    maps = torch.from_numpy(case.maps).to(case.device)
    pixels = maps[0].numel()
    counts = [round((i + 1) * pixels / case.steps) for i in range(case.steps)]
    limits = torch.tensor(counts, device=case.device).reshape(-1, 1, 1, 1)
    variants = torch.arange(len(maps) * len(counts), device=case.device)

    def run() -> Any:
        with torch.inference_mode(), net.autocast():
            ranks = maps.flatten(1).argsort(1, descending=True).argsort(1)
            ranks, values = ranks.reshape(len(maps), 1, *maps.shape[1:]), []
            for chunk in variants.split(inner):
                image, step = chunk // len(counts), chunk % len(counts)
                deleted = net.images[image] * (ranks[image] >= limits[step])
                deleted = deleted.contiguous(memory_format=net.layout)
                values.append(net.logits(deleted).float().softmax(1)[:, 0])
            return torch.cat(values).reshape(len(maps), -1)

    return run


FORMS = {
    "torch default": TorchForm(channels_last=False),
    "torch channels_last": TorchForm(),
    "torch folded": TorchForm(folded=True),
    "torch compiled": TorchForm(compiled=True),
    "torch compiled folded": TorchForm(folded=True, compiled=True),
    "torch autocast": TorchForm(autocast=True),
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
RESTRICTED = {
    "torch compiled folded": ("forward", "saliency", "ig"),
    "torch autocast": tuple(TASKS)[:4],
}
VARIANTS: PeerVariants = {
    task: {
        name: partial(build, form)
        for name, form in FORMS.items()
        if task in RESTRICTED.get(name, TASKS)
    }
    for task, build in TASKS.items()
}
