"""Quantus, https://github.com/understandable-machine-intelligence-lab/Quantus: PixelFlipping.

Quantus repeats a map over the channels, ranks every value of an image and replaces
`features_in_step` of them per pass; that number has to divide the pixels. Steps of a sixteenth of
the pixels therefore take 48 passes for three channels, and no number of features takes 16. The
tuned form stacks the channels vertically into one: three times as many pixels and 16 passes.
"""

from functools import partial
from typing import Any

import numpy as np

from peers.case import BenchmarkCase, PeerVariants
from peers.prepare import FORMS, import_package, network


class PixelFlipping:
    """Call that returns probabilities [b steps] at the task's steps and their area [b].

    `passes` counts the runs of the model on the batch. The area is computed here: the library's own
    uses a function that NumPy 2.4 has removed.
    """

    def __init__(self, tuned: bool, case: BenchmarkCase):
        flipping, net = import_package("quantus").PixelFlipping, network(case, tuned)
        images = np.ascontiguousarray(case.images.transpose(0, 3, 1, 2))
        shape, maps = images.shape, case.maps[:, None]
        b, channels, height, width = shape
        self.passes, self.stride = 0, 1 if tuned else channels
        if tuned:
            images = images.reshape(b, 1, channels * height, width)
            maps = np.tile(maps, (1, 1, channels, 1))
            net.register_forward_pre_hook(lambda _, inputs: inputs[0].view(shape), prepend=True)
        net.register_forward_pre_hook(self.count)
        pixels = images[0, 0].size
        if pixels % case.steps:
            raise RuntimeError(
                f"Quantus needs a number of steps that divides {pixels}, not {case.steps}"
            )
        # The default replaces by the minimum of an image; the task by its mean, which is 0.
        self.metric = flipping(pixels // case.steps, perturb_baseline=0.0, disable_warnings=True)
        self.arguments: dict[str, Any] = {
            "model": net,
            "x_batch": images,
            "y_batch": np.zeros(b, int),
            "a_batch": maps,
            "channel_first": True,
            "device": case.device,
        }

    def count(self, *_: Any) -> None:
        self.passes += 1

    def __call__(self) -> tuple[np.ndarray, np.ndarray]:
        self.passes = 0
        curve = np.asarray(self.metric(**self.arguments))[:, self.stride - 1 :: self.stride]
        return curve, np.trapezoid(curve) / (curve.shape[1] - 1)


VARIANTS: PeerVariants = {
    "deletion": {f"quantus {name}": partial(PixelFlipping, tuned) for name, tuned in FORMS.items()}
}
