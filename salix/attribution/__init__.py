"""Attribution methods: frozen dataclasses called as `method(score, image, key)`.

One image in, one attribution out; `vmap` makes batches. `METHODS` names them for `salix.spec`,
`CATALOGUE` describes them, and `ARGUMENTS` names what they take beside methods.
"""

from salix.attribution.ablationcam import AblationCAM
from salix.attribution.adaptive_integrated_gradients import AdaptiveIntegratedGradients
from salix.attribution.at_cuts import AtCuts
from salix.attribution.attention_gradient import AttentionGradient
from salix.attribution.attention_rollout import AttentionRollout
from salix.attribution.blur_ig import BlurIG
from salix.attribution.cam import CAM, head_gradient
from salix.attribution.catalogue import CATALOGUE, MethodInfo
from salix.attribution.completeness import completeness_residual
from salix.attribution.cost import passes_of
from salix.attribution.deconvnet import Deconvnet
from salix.attribution.deeplift import DeepLIFT
from salix.attribution.deeplift_shap import DeepLIFTSHAP
from salix.attribution.eigencam import EigenCAM
from salix.attribution.expected_gradients import ExpectedGradients
from salix.attribution.feature_ablation import FeatureAblation
from salix.attribution.finercam import FinerCAM
from salix.attribution.gradcam import GradCAM
from salix.attribution.gradcam_plus_plus import GradCAMPlusPlus
from salix.attribution.gradient import Gradient
from salix.attribution.guided_backprop import GuidedBackprop
from salix.attribution.guided_gradcam import GuidedGradCAM
from salix.attribution.guided_ig import GuidedIG
from salix.attribution.hirescam import HiResCAM
from salix.attribution.hsic import HSIC
from salix.attribution.input_x_gradient import InputXGradient
from salix.attribution.integrated_gradients import IntegratedGradients
from salix.attribution.kernel_shap import KernelSHAP
from salix.attribution.layercam import LayerCAM
from salix.attribution.lime import LIME
from salix.attribution.lrp import LRP
from salix.attribution.mask_estimate import MaskEstimate
from salix.attribution.nonuniform_integrated_gradients import NonuniformIntegratedGradients
from salix.attribution.occlusion import Occlusion
from salix.attribution.pooling import pool, pooling_of
from salix.attribution.rise import RISE
from salix.attribution.scorecam import ScoreCAM
from salix.attribution.segment_ranking import RankedSegments, rank_segments
from salix.attribution.shapley_sampling import ShapleySampling
from salix.attribution.smoothgrad import SmoothGrad
from salix.attribution.smoothgradcam_plus_plus import SmoothGradCAMPlusPlus
from salix.attribution.sobol import Sobol
from salix.attribution.vargrad import VarGrad
from salix.attribution.xgradcam import XGradCAM
from salix.attribution.xrai import XRAI
from salix.perturb.partition import PARTITIONS

__all__ = [
    "ARGUMENTS",
    "CAM",
    "CATALOGUE",
    "HSIC",
    "LIME",
    "LRP",
    "METHODS",
    "RISE",
    "XRAI",
    "AblationCAM",
    "AdaptiveIntegratedGradients",
    "AtCuts",
    "AttentionGradient",
    "AttentionRollout",
    "BlurIG",
    "Deconvnet",
    "DeepLIFT",
    "DeepLIFTSHAP",
    "EigenCAM",
    "ExpectedGradients",
    "FeatureAblation",
    "FinerCAM",
    "GradCAM",
    "GradCAMPlusPlus",
    "Gradient",
    "GuidedBackprop",
    "GuidedGradCAM",
    "GuidedIG",
    "HiResCAM",
    "InputXGradient",
    "IntegratedGradients",
    "KernelSHAP",
    "LayerCAM",
    "MaskEstimate",
    "MethodInfo",
    "NonuniformIntegratedGradients",
    "Occlusion",
    "RankedSegments",
    "ScoreCAM",
    "ShapleySampling",
    "SmoothGrad",
    "SmoothGradCAMPlusPlus",
    "Sobol",
    "VarGrad",
    "XGradCAM",
    "completeness_residual",
    "head_gradient",
    "passes_of",
    "pool",
    "pooling_of",
    "rank_segments",
]

ARGUMENTS: dict[str, type] = dict(PARTITIONS)
METHODS: dict[str, type] = {
    "Gradient": Gradient,
    "InputXGradient": InputXGradient,
    "IntegratedGradients": IntegratedGradients,
    "AdaptiveIntegratedGradients": AdaptiveIntegratedGradients,
    "NonuniformIntegratedGradients": NonuniformIntegratedGradients,
    "ExpectedGradients": ExpectedGradients,
    "GuidedIG": GuidedIG,
    "BlurIG": BlurIG,
    "SmoothGrad": SmoothGrad,
    "VarGrad": VarGrad,
    "CAM": CAM,
    "GradCAM": GradCAM,
    "GradCAMPlusPlus": GradCAMPlusPlus,
    "XGradCAM": XGradCAM,
    "LayerCAM": LayerCAM,
    "HiResCAM": HiResCAM,
    "EigenCAM": EigenCAM,
    "GuidedGradCAM": GuidedGradCAM,
    "DeepLIFT": DeepLIFT,
    "DeepLIFTSHAP": DeepLIFTSHAP,
    "LRP": LRP,
    "GuidedBackprop": GuidedBackprop,
    "Deconvnet": Deconvnet,
    "SmoothGradCAMPlusPlus": SmoothGradCAMPlusPlus,
    "ScoreCAM": ScoreCAM,
    "AblationCAM": AblationCAM,
    "FinerCAM": FinerCAM,
    "AtCuts": AtCuts,
    "AttentionRollout": AttentionRollout,
    "AttentionGradient": AttentionGradient,
    "XRAI": XRAI,
    "Occlusion": Occlusion,
    "FeatureAblation": FeatureAblation,
    "ShapleySampling": ShapleySampling,
    "KernelSHAP": KernelSHAP,
    "LIME": LIME,
    "RISE": RISE,
    "Sobol": Sobol,
    "HSIC": HSIC,
}
