"""Attribution methods: frozen dataclasses called as `method(score, image, key)`.

One image in, one attribution out; `vmap` makes batches. `METHODS` names them for `salix.spec`,
`CATALOGUE` describes them.
"""

from salix.attribution.adaptive_integrated_gradients import AdaptiveIntegratedGradients
from salix.attribution.cam import CAM, head_gradient
from salix.attribution.catalogue import CATALOGUE, MethodInfo
from salix.attribution.completeness import completeness_residual
from salix.attribution.cost import passes_of
from salix.attribution.expected_gradients import ExpectedGradients
from salix.attribution.gradcam import GradCAM
from salix.attribution.gradient import Gradient
from salix.attribution.input_x_gradient import InputXGradient
from salix.attribution.integrated_gradients import IntegratedGradients
from salix.attribution.nonuniform_integrated_gradients import NonuniformIntegratedGradients
from salix.attribution.pooling import pool, pooling_of
from salix.attribution.segment_ranking import RankedSegments, rank_segments
from salix.attribution.smoothgrad import SmoothGrad
from salix.attribution.vargrad import VarGrad
from salix.attribution.xrai import XRAI

__all__ = [
    "CAM",
    "CATALOGUE",
    "METHODS",
    "XRAI",
    "AdaptiveIntegratedGradients",
    "ExpectedGradients",
    "GradCAM",
    "Gradient",
    "InputXGradient",
    "IntegratedGradients",
    "MethodInfo",
    "NonuniformIntegratedGradients",
    "RankedSegments",
    "SmoothGrad",
    "VarGrad",
    "completeness_residual",
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
    "AdaptiveIntegratedGradients": AdaptiveIntegratedGradients,
    "NonuniformIntegratedGradients": NonuniformIntegratedGradients,
    "ExpectedGradients": ExpectedGradients,
    "SmoothGrad": SmoothGrad,
    "VarGrad": VarGrad,
    "CAM": CAM,
    "GradCAM": GradCAM,
    "XRAI": XRAI,
}
