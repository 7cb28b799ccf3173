"""torch-cam, https://github.com/frgfm/torch-cam: maps on the grid of the features.

By default it scales each map to [0, 1]; here it does not, so that maps are those of the task.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch  # pyright: ignore[reportMissingImports]

from peers.case import Call, Case, Variants
from peers.prepare import FORMS, batch, package, staged

PRECISIONS = ("float32", "tf32", "bfloat16")


def cam(tuned: bool, case: Case) -> Call:
    (net, stage), x = staged(case, tuned), batch(case, tuned)
    linear = getattr(net, "fc", None) or getattr(net, "classifier", None)
    if linear is None:
        raise RuntimeError(f"the head of {case.network} is not a mean and a linear layer")
    method = package("torchcam.methods").CAM(net, stage, linear)

    def call() -> Any:
        with torch.inference_mode():
            net(x)
            return method(0, normalized=False)[0]

    return call


def gradcam(tuned: bool, case: Case) -> Call:
    (net, stage), x = staged(case, tuned), batch(case, tuned)
    method = package("torchcam.methods").GradCAM(net, stage)
    return lambda: method(0, net(x), normalized=False)[0]


def forms(build: Callable[[bool, Case], Call]) -> dict[str, Callable[[Case], Call]]:
    return {f"torch-cam {name}": partial(build, tuned) for name, tuned in FORMS.items()}


VARIANTS: Variants = {"cam": forms(cam), "gradcam": forms(gradcam)}
