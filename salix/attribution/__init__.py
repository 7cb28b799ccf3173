"""Attribution methods: frozen dataclasses called as `method(score, image, key)`.

One image in, one attribution out; `vmap` makes batches. `METHODS` names them for `salix.spec`.
"""

from salix.attribution.cam import CAM, head_gradient
from salix.attribution.gradcam import GradCAM
from salix.attribution.gradient import Gradient
from salix.attribution.input_x_gradient import InputXGradient
from salix.attribution.integrated_gradients import IntegratedGradients
from salix.attribution.pooling import pool, pooling_of
from salix.attribution.smoothgrad import SmoothGrad

__all__ = [
    "CAM",
    "METHODS",
    "GradCAM",
    "Gradient",
    "InputXGradient",
    "IntegratedGradients",
    "SmoothGrad",
    "head_gradient",
    "pool",
    "pooling_of",
]

METHODS: dict[str, type] = {
    "Gradient": Gradient,
    "InputXGradient": InputXGradient,
    "IntegratedGradients": IntegratedGradients,
    "SmoothGrad": SmoothGrad,
    "CAM": CAM,
    "GradCAM": GradCAM,
}
