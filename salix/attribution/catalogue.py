"""Catalogue of the attribution methods: title, source and family of each."""

from dataclasses import dataclass
from typing import Literal

Family = Literal[
    "gradient",
    "path",
    "class activation map",
    "attention",
    "backpropagation rule",
    "perturbation",
    "segment",
]


@dataclass(frozen=True)
class MethodInfo:
    """Title, source and family of an attribution method, and what it asks of an image.

    `random`: its attributions depend on the key. `axes` are the numbers of spatial axes of the
    images that it takes, () for any. `needs` names what a method with the default settings requires
    beside a differentiable function of the image: "trunk" (features under a cut), "named cuts" (of
    a model), "logits" (a score of a model's), "ReLU" (in the score), "attention weights" (of a
    transformer); and data for which the default is only a stand-in: "segments" (a grid), "reference
    images" (black and white). `cost` is the cost of one image where it depends on the model.
    """

    title: str
    source: str
    family: Family
    random: bool = False
    axes: tuple[int, ...] = ()
    needs: tuple[str, ...] = ()
    cost: str = ""


# Needs of several methods
TRUNK, SEGMENTS, REFERENCES = ("trunk",), ("segments",), ("reference images",)
RELU, WEIGHTS = ("ReLU",), ("attention weights",)

# fmt: off
CATALOGUE: dict[str, MethodInfo] = {
    "Gradient": MethodInfo("Gradient", "Simonyan et al., 2013, arXiv:1312.6034", "gradient"),
    "InputXGradient": MethodInfo(
        "Input x gradient", "Shrikumar et al., 2016, arXiv:1605.01713", "gradient",
    ),
    "IntegratedGradients": MethodInfo(
        "Integrated gradients", "Sundararajan et al., 2017, arXiv:1703.01365", "path",
    ),
    "AdaptiveIntegratedGradients": MethodInfo(
        "Integrated gradients to a tolerance", "Sundararajan et al., 2017, arXiv:1703.01365",
        "path",
    ),
    "NonuniformIntegratedGradients": MethodInfo(
        "Integrated gradients, non-uniform steps", "Bhat and Raychowdhury, 2023, arXiv:2302.11107",
        "path",
    ),
    "ExpectedGradients": MethodInfo(
        "Expected gradients (GradientSHAP)", "Erion et al., 2021, arXiv:1906.10670", "path",
        random=True, needs=REFERENCES,
    ),
    "GuidedIG": MethodInfo(
        "Guided integrated gradients", "Kapishnikov et al., 2021, arXiv:2106.09788", "path",
    ),
    "BlurIG": MethodInfo("Blur integrated gradients", "Xu et al., 2020, arXiv:2004.03383", "path"),
    "SmoothGrad": MethodInfo(
        "SmoothGrad", "Smilkov et al., 2017, arXiv:1706.03825", "gradient", random=True,
    ),
    "VarGrad": MethodInfo(
        "VarGrad", "Adebayo et al., 2018, arXiv:1810.03307", "gradient", random=True,
    ),
    "CAM": MethodInfo(
        "Class activation map", "Zhou et al., 2016, arXiv:1512.04150", "class activation map",
        needs=TRUNK,
    ),
    "GradCAM": MethodInfo(
        "Grad-CAM", "Selvaraju et al., 2017, arXiv:1610.02391", "class activation map", needs=TRUNK,
    ),
    "GradCAMPlusPlus": MethodInfo(
        "Grad-CAM++", "Chattopadhyay et al., 2018, arXiv:1710.11063", "class activation map",
        needs=TRUNK,
    ),
    "XGradCAM": MethodInfo(
        "XGrad-CAM", "Fu et al., 2020, arXiv:2008.02312", "class activation map", needs=TRUNK,
    ),
    "LayerCAM": MethodInfo(
        "LayerCAM", "Jiang et al., 2021, doi:10.1109/TIP.2021.3089943", "class activation map",
        needs=TRUNK,
    ),
    "HiResCAM": MethodInfo(
        "HiResCAM", "Draelos and Carin, 2020, arXiv:2011.08891", "class activation map",
        needs=TRUNK,
    ),
    "EigenCAM": MethodInfo(
        "Eigen-CAM", "Muhammad and Yeasin, 2020, arXiv:2008.00299", "class activation map",
        needs=TRUNK,
    ),
    "GuidedGradCAM": MethodInfo(
        "Guided Grad-CAM", "Selvaraju et al., 2017, arXiv:1610.02391", "backpropagation rule",
        needs=("trunk", "ReLU"),
    ),
    "DeepLIFT": MethodInfo(
        "DeepLIFT", "Shrikumar et al., 2017, arXiv:1704.02685", "backpropagation rule",
    ),
    "DeepLIFTSHAP": MethodInfo(
        "DeepLIFT-SHAP", "Lundberg and Lee, 2017, arXiv:1705.07874", "backpropagation rule",
        needs=REFERENCES,
    ),
    "LRP": MethodInfo(
        "Layer-wise relevance propagation", "Bach et al., 2015, doi:10.1371/journal.pone.0130140",
        "backpropagation rule",
    ),
    "GuidedBackprop": MethodInfo(
        "Guided backpropagation", "Springenberg et al., 2014, arXiv:1412.6806",
        "backpropagation rule", needs=RELU,
    ),
    "Deconvnet": MethodInfo(
        "Deconvolutional network", "Zeiler and Fergus, 2013, arXiv:1311.2901",
        "backpropagation rule", needs=RELU,
    ),
    "SmoothGradCAMPlusPlus": MethodInfo(
        "Smooth Grad-CAM++", "Omeiza et al., 2019, arXiv:1908.01224", "class activation map",
        random=True, needs=TRUNK,
    ),
    "ScoreCAM": MethodInfo(
        "Score-CAM", "Wang et al., 2020, arXiv:1910.01279", "class activation map", needs=TRUNK,
        cost="1 evaluation, and 1 for each channel of the trunk",
    ),
    "AblationCAM": MethodInfo(
        "Ablation-CAM", "Desai and Ramaswamy, 2020, doi:10.1109/WACV45572.2020.00106",
        "class activation map", needs=TRUNK,
        cost="1 evaluation, and 1 of the head for each channel of the trunk",
    ),
    "FinerCAM": MethodInfo(
        "Finer-CAM", "Zhang et al., 2025, arXiv:2501.11309", "class activation map",
        needs=("trunk", "logits"),
    ),
    "AtCuts": MethodInfo(
        "Maps of several cuts", "Jiang et al., 2021, doi:10.1109/TIP.2021.3089943",
        "class activation map", needs=("trunk", "named cuts"), cost="1 gradient for each cut",
    ),
    "AttentionRollout": MethodInfo(
        "Attention rollout", "Abnar and Zuidema, 2020, arXiv:2005.00928", "attention",
        needs=WEIGHTS,
    ),
    "AttentionGradient": MethodInfo(
        "Attention x gradient", "Chefer et al., 2021, arXiv:2103.15679", "attention", needs=WEIGHTS,
    ),
    "XRAI": MethodInfo(
        "XRAI", "Kapishnikov et al., 2019, arXiv:1906.02825", "segment", axes=(2,), needs=SEGMENTS,
    ),
    "Occlusion": MethodInfo(
        "Occlusion", "Zeiler and Fergus, 2014, arXiv:1311.2901", "perturbation",
    ),
    "FeatureAblation": MethodInfo(
        "Feature ablation", "Zeiler and Fergus, 2014, arXiv:1311.2901", "segment", needs=SEGMENTS,
    ),
    "ShapleySampling": MethodInfo(
        "Shapley values by sampling", "Castro et al., 2009, doi:10.1016/j.cor.2008.04.004",
        "segment", random=True, needs=SEGMENTS,
    ),
    "KernelSHAP": MethodInfo(
        "Kernel SHAP", "Lundberg and Lee, 2017, arXiv:1705.07874", "segment", random=True,
        needs=SEGMENTS,
    ),
    "LIME": MethodInfo(
        "LIME", "Ribeiro et al., 2016, arXiv:1602.04938", "segment", random=True, needs=SEGMENTS,
    ),
    "RISE": MethodInfo(
        "RISE", "Petsiuk et al., 2018, arXiv:1806.07421", "perturbation", random=True,
    ),
    "Sobol": MethodInfo(
        "Sobol indices", "Fel et al., 2021, arXiv:2111.04138", "segment", random=True,
        needs=SEGMENTS,
    ),
    "HSIC": MethodInfo(
        "HSIC", "Novello et al., 2022, arXiv:2206.06219", "segment", random=True, needs=SEGMENTS,
    ),
}
# fmt: on
