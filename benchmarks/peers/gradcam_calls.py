"""pytorch-grad-cam, https://github.com/jacobgil/pytorch-grad-cam.

Maps [b h w] are enlarged to the image and scaled to [0, 1] each; no option turns this off.
"""

from functools import partial

import numpy as np

from peers.case import BenchmarkCase, PeerCall, PeerVariants
from peers.prepare import batch, import_package, network_with_stage


def gradcam(tuned: bool, batched: bool, case: BenchmarkCase) -> PeerCall:
    """Explain all images in one call if `batched`, else one image per call."""
    if case.precision == "bfloat16":
        raise RuntimeError("pytorch-grad-cam converts features to NumPy, which has no bfloat16")
    library = import_package("pytorch_grad_cam")
    target = import_package("pytorch_grad_cam.utils.model_targets").ClassifierOutputTarget(0)
    (net, stage), x = network_with_stage(case, tuned), batch(case, tuned)
    method = library.GradCAM(model=net, target_layers=[stage])
    parts = [x] if batched else x.split(1)
    return lambda: np.concatenate(
        [method(input_tensor=part, targets=[target] * len(part)) for part in parts]
    )


VARIANTS: PeerVariants = {
    "gradcam": {
        "grad-cam default": partial(gradcam, False, False),
        "grad-cam batched": partial(gradcam, False, True),
        "grad-cam tuned": partial(gradcam, True, True),
    },
}
