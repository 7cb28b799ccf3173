"""Attribution methods: frozen dataclasses called as `method(score, image, key)`.

One image in, one attribution out; `vmap` makes batches. `METHODS` names them for `salix.spec`,
`CATALOGUE` describes them.
"""

from salix.attribution.cam import CAM, head_gradient
from salix.attribution.catalogue import CATALOGUE, MethodInfo
from salix.attribution.cost import passes_of
from salix.attribution.eigencam import EigenCAM
from salix.attribution.gradcam import GradCAM
from salix.attribution.gradcam_plus_plus import GradCAMPlusPlus
from salix.attribution.gradient import Gradient
from salix.attribution.hirescam import HiResCAM
from salix.attribution.input_x_gradient import InputXGradient
from salix.attribution.integrated_gradients import IntegratedGradients
from salix.attribution.layercam import LayerCAM
from salix.attribution.pooling import pool, pooling_of
from salix.attribution.segment_ranking import RankedSegments, rank_segments
from salix.attribution.smoothgrad import SmoothGrad
from salix.attribution.xgradcam import XGradCAM
from salix.attribution.xrai import XRAI

__all__ = [
    "CAM",
    "CATALOGUE",
    "METHODS",
    "XRAI",
    "EigenCAM",
    "GradCAM",
    "GradCAMPlusPlus",
    "Gradient",
    "HiResCAM",
    "InputXGradient",
    "IntegratedGradients",
    "LayerCAM",
    "MethodInfo",
    "RankedSegments",
    "SmoothGrad",
    "XGradCAM",
    "head_gradient",
    "passes_of",
    "pool",
    "pooling_of",
    "rank_segments",
]

METHODS: dict[str, type] = {
    "Gradient": Gradient,
    "InputXGradient": InputXGradient,
    "IntegratedGradients": IntegratedGradients,
    "SmoothGrad": SmoothGrad,
    "CAM": CAM,
    "GradCAM": GradCAM,
    "GradCAMPlusPlus": GradCAMPlusPlus,
    "XGradCAM": XGradCAM,
    "LayerCAM": LayerCAM,
    "HiResCAM": HiResCAM,
    "EigenCAM": EigenCAM,
    "XRAI": XRAI,
}
