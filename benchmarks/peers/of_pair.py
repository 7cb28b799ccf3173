"""PAIR's saliency, https://github.com/PAIR-code/saliency: one image a call, in NumPy."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]

from peers.case import Call, Case, Variants
from peers.prepare import CHUNK, FORMS, last, network, package


def gradients(tuned: bool, case: Case) -> Callable[..., dict[str, np.ndarray]]:
    """Return the function that the library asks for gradients [b h w c]."""
    key = package("saliency.core").INPUT_OUTPUT_GRADIENTS
    net = network(case, tuned)
    layout = torch.channels_last if tuned else torch.contiguous_format

    def call(images: np.ndarray, call_model_args: Any = None, expected_keys: Any = None) -> Any:
        x = torch.from_numpy(np.asarray(images, np.float32)).to(case.device).permute(0, 3, 1, 2)
        x = x.contiguous(memory_format=layout).requires_grad_()
        return {key: last(torch.autograd.grad(net(x)[:, 0].sum(), x)[0]).cpu().numpy()}

    return call


def saliency(tuned: bool, case: Case) -> Call:
    method, call = package("saliency.core").GradientSaliency(), gradients(tuned, case)
    return lambda: np.stack([method.GetMask(x, call) for x in case.images])


def ig(tuned: bool, case: Case) -> Call:
    # Its rule is its own: equal weights of the nodes, among which are both ends of the path.
    method, call = package("saliency.core").IntegratedGradients(), gradients(tuned, case)
    options = {"x_steps": case.steps, "batch_size": CHUNK[case.device] if tuned else 1}
    return lambda: np.stack([method.GetMask(x, call, **options) for x in case.images])


def smoothgrad(tuned: bool, case: Case) -> Call:
    method, call = package("saliency.core").GradientSaliency(), gradients(tuned, case)
    # By default it takes the mean of the squares.
    options = {"stdev_spread": case.noise, "nsamples": case.samples, "magnitude": False}
    return lambda: np.stack([method.GetSmoothedMask(x, call, **options) for x in case.images])


def forms(build: Callable[[bool, Case], Call]) -> dict[str, Callable[[Case], Call]]:
    return {f"pair {name}": partial(build, tuned) for name, tuned in FORMS.items()}


VARIANTS: Variants = {
    "saliency": forms(saliency),
    "ig": forms(ig),
    "smoothgrad": forms(smoothgrad),
}
