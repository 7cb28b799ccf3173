"""pytorch-grad-cam, https://github.com/jacobgil/pytorch-grad-cam.

Its maps [b h w] are enlarged to the image and each scaled to [0, 1]; no option leaves them alone.
"""

from functools import partial

import numpy as np

from peers.case import Call, Case, Variants
from peers.prepare import batch, package, staged


def gradcam(tuned: bool, together: bool, case: Case) -> Call:
    """Take the images `together`, or one a call."""
    if case.precision == "bfloat16":
        raise RuntimeError("pytorch-grad-cam takes features to NumPy, which has no bfloat16")
    library = package("pytorch_grad_cam")
    target = package("pytorch_grad_cam.utils.model_targets").ClassifierOutputTarget(0)
    (net, stage), x = staged(case, tuned), batch(case, tuned)
    method = library.GradCAM(model=net, target_layers=[stage])
    parts = [x] if together else x.split(1)
    return lambda: np.concatenate(
        [method(input_tensor=part, targets=[target] * len(part)) for part in parts]
    )


VARIANTS: Variants = {
    "gradcam": {
        "grad-cam default": partial(gradcam, False, False),
        "grad-cam batched": partial(gradcam, False, True),
        "grad-cam tuned": partial(gradcam, True, True),
    },
}
