"""Quantus, https://github.com/understandable-machine-intelligence-lab/Quantus: PixelFlipping.

It repeats a map over the channels, ranks each value of an image by itself and replaces
`features_in_step` of them a pass; that number has to divide the pixels. A sixteenth of the pixels
so takes 48 passes of an image with three channels, and no number takes 16. The tuned form lays the
channels below each other, as one: three times as many pixels, of which a sixteenth takes 16 passes.
"""

from functools import partial
from typing import Any

import numpy as np

from peers.case import Case, Variants
from peers.prepare import FORMS, network, package


class Flipping:
    """A call that returns probabilities [b steps] and their area [b], of the task's steps.

    `passes` is how often it ran the model on the batch. The library's own area is not taken: it
    asks of NumPy a function that 2.4 no longer has.
    """

    def __init__(self, tuned: bool, case: Case):
        flipping, net = package("quantus").PixelFlipping, network(case, tuned)
        images = np.ascontiguousarray(case.images.transpose(0, 3, 1, 2))
        shape, maps = images.shape, case.maps[:, None]
        b, channels, height, width = shape
        self.passes, self.between = 0, 1 if tuned else channels
        if tuned:
            images = images.reshape(b, 1, channels * height, width)
            maps = np.tile(maps, (1, 1, channels, 1))
            net.register_forward_pre_hook(lambda _, given: given[0].view(shape), prepend=True)
        net.register_forward_pre_hook(self.count)
        pixels = images[0, 0].size
        if pixels % case.steps:
            raise RuntimeError(f"quantus wants steps that divide {pixels}; {case.steps} do not")
        # By default it replaces by the least value of an image, not by its mean, which is 0.
        self.metric = flipping(pixels // case.steps, perturb_baseline=0.0, disable_warnings=True)
        self.given: dict[str, Any] = {
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
        curve = np.asarray(self.metric(**self.given))[:, self.between - 1 :: self.between]
        return curve, np.trapezoid(curve) / (curve.shape[1] - 1)


VARIANTS: Variants = {
    "deletion": {f"quantus {name}": partial(Flipping, tuned) for name, tuned in FORMS.items()}
}
