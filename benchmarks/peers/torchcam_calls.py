"""torch-cam, https://github.com/frgfm/torch-cam: maps on the grid of the features.

The default scaling of each map to [0, 1] is off, as the task asks for unscaled maps.
"""

from typing import Any

import torch  # pyright: ignore[reportMissingImports]

from peers.case import BenchmarkCase, PeerCall, PeerVariants
from peers.prepare import batch, default_and_tuned, import_package, last_linear, network_with_stage

PRECISIONS = ("float32", "tf32", "bfloat16")


def cam(tuned: bool, case: BenchmarkCase) -> PeerCall:
    (net, stage), x = network_with_stage(case, tuned), batch(case, tuned)
    linear = last_linear(net, case.network)
    method = import_package("torchcam.methods").CAM(net, stage, linear)

    def call() -> Any:
        with torch.inference_mode():
            net(x)
            return method(0, normalized=False)[0]

    return call


def gradcam(tuned: bool, case: BenchmarkCase) -> PeerCall:
    (net, stage), x = network_with_stage(case, tuned), batch(case, tuned)
    method = import_package("torchcam.methods").GradCAM(net, stage)
    return lambda: method(0, net(x), normalized=False)[0]


VARIANTS: PeerVariants = {
    "cam": default_and_tuned("torch-cam", cam),
    "gradcam": default_and_tuned("torch-cam", gradcam),
}
