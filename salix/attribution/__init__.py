"""Attribution methods: frozen dataclasses called as `method(score, image, key)`.

One image in, one attribution out; `vmap` makes batches. `METHODS` names them for `salix.spec`.
"""

from salix.attribution.cam import CAM, head_gradient
from salix.attribution.feature_ablation import FeatureAblation
from salix.attribution.gradcam import GradCAM
from salix.attribution.gradient import Gradient
from salix.attribution.input_x_gradient import InputXGradient
from salix.attribution.integrated_gradients import IntegratedGradients
from salix.attribution.occlusion import Occlusion
from salix.attribution.pooling import pool, pooling_of
from salix.attribution.segment_ranking import RankedSegments, rank_segments
from salix.attribution.shapley_sampling import ShapleySampling
from salix.attribution.smoothgrad import SmoothGrad
from salix.attribution.xrai import XRAI

__all__ = [
    "CAM",
    "METHODS",
    "XRAI",
    "FeatureAblation",
    "GradCAM",
    "Gradient",
    "InputXGradient",
    "IntegratedGradients",
    "Occlusion",
    "RankedSegments",
    "ShapleySampling",
    "SmoothGrad",
    "head_gradient",
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
    "XRAI": XRAI,
    "Occlusion": Occlusion,
    "FeatureAblation": FeatureAblation,
    "ShapleySampling": ShapleySampling,
}
