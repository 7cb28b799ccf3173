"""PAIR saliency, https://github.com/PAIR-code/saliency: one image per call, in NumPy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]

from peers.case import BenchmarkCase, PeerCall, PeerVariants
from peers.prepare import CHUNK, channels_last, default_and_tuned, import_package, network


def gradients(tuned: bool, case: BenchmarkCase) -> Callable[..., dict[str, np.ndarray]]:
    """Function from which the library gets gradients [b h w c]."""
    key = import_package("saliency.core").INPUT_OUTPUT_GRADIENTS
    net = network(case, tuned)
    layout = torch.channels_last if tuned else torch.contiguous_format

    def call(images: np.ndarray, call_model_args: Any = None, expected_keys: Any = None) -> Any:
        x = torch.from_numpy(np.asarray(images, np.float32)).to(case.device).permute(0, 3, 1, 2)
        x = x.contiguous(memory_format=layout).requires_grad_()
        return {key: channels_last(torch.autograd.grad(net(x)[:, 0].sum(), x)[0]).cpu().numpy()}

    return call


def saliency(tuned: bool, case: BenchmarkCase) -> PeerCall:
    method, call = import_package("saliency.core").GradientSaliency(), gradients(tuned, case)
    return lambda: np.stack([method.GetMask(x, call) for x in case.images])


def ig(tuned: bool, case: BenchmarkCase) -> PeerCall:
    # The library's rule: equally weighted nodes that include both ends of the path.
    method, call = import_package("saliency.core").IntegratedGradients(), gradients(tuned, case)
    options = {"x_steps": case.steps, "batch_size": CHUNK[case.device] if tuned else 1}
    return lambda: np.stack([method.GetMask(x, call, **options) for x in case.images])


def smoothgrad(tuned: bool, case: BenchmarkCase) -> PeerCall:
    method, call = import_package("saliency.core").GradientSaliency(), gradients(tuned, case)
    # The default is the mean of the squared gradients.
    options = {"stdev_spread": case.noise, "nsamples": case.samples, "magnitude": False}
    return lambda: np.stack([method.GetSmoothedMask(x, call, **options) for x in case.images])


VARIANTS: PeerVariants = {
    "saliency": default_and_tuned("pair", saliency),
    "ig": default_and_tuned("pair", ig),
    "smoothgrad": default_and_tuned("pair", smoothgrad),
}
