"""Methods and metrics that `family.py` times: their settings, shared by both sides."""

from dataclasses import dataclass

IG_STEPS, SAMPLES, SHAP_SAMPLES, PATH_STEPS, BLUR_STEPS = 16, 16, 16, 16, 16
GRID, SURROGATE_SAMPLES = 7, 100  # segments in a row, and samples of LIME and KernelSHAP
WINDOW, STRIDE = 32, 16  # of occlusion
# Quantus perturbs values, three for each pixel, and their number in a step has to divide the
# pixels: a 24th of the values, which is a 24th of the pixels where the channels are equal.
STEPS = 24
PATCH, REGIONS = 28, 32  # of region perturbation and selectivity
RUNS, SUBSET = 50, 6272  # faithfulness correlation: subsets, and values in each
PERTURBATIONS = 32  # of infidelity
DRAWS, RADIUS = 10, 0.02  # of sensitivity
LIPSCHITZ = 0.1  # deviation of the noise of local Lipschitz constants
TENTHS = tuple(i / 10 for i in range(1, 10))  # of ROAD
KIND_TITLES = {
    "method": "Attribution methods",
    "perturbation": "Metrics of perturbed images",
    "metric": "Other metrics",
}
SHARED_PASSES = (
    "Both evaluate as many images, and nearly all of the time is in the network: convolutions of "
    "oneDNN and XLA that are about as fast"
)
_SCANNED = "Samples are scanned, so that a batch is the 4 images of the task; the tuned form has 8"
MISSED = {  # why, where it is something else
    "gradcam": "A single forward pass, in which oneDNN's convolutions are faster than XLA's",
    "smoothgrad": _SCANNED,
    "gradient_shap": _SCANNED,
    "guided_ig": "Measured while each step sorted the slopes of all values, about half of the "
    "time; since then their quantile is found without a sort",
    "road": "About two fifths of the time are passes; the rest is mostly the fill, solved on the "
    "device to 1e-5 of the image's range",
}


@dataclass(frozen=True)
class FamilyTask:
    """A method or a metric: `kind`, images in a batch, and what differs between the libraries.

    `values` says how results compare: "equal" by one definition, "random" draws differ, or "other"
    definitions.
    """

    title: str
    kind: str  # "method", "perturbation" (metric of perturbed images) or "metric"
    batch: int
    values: str
    differs: str = ""


TASKS = {
    "ig": FamilyTask("Integrated gradients, 16 steps", "method", 8, "equal"),
    "smoothgrad": FamilyTask("SmoothGrad, 16 samples", "method", 8, "random"),
    "gradient_shap": FamilyTask(
        "Expected gradients (GradientSHAP), 16 samples", "method", 8, "random"
    ),
    "gradcam": FamilyTask("Grad-CAM", "method", 8, "equal"),
    "scorecam": FamilyTask("Score-CAM, 512 channels", "method", 1, "other",
        "torch-cam scales masks before it enlarges them; Salix, as the paper, after"),
    "guided_backprop": FamilyTask("Guided backpropagation", "method", 8, "equal"),
    "deeplift": FamilyTask(
        "DeepLIFT, rescale", "method", 4, "other",
        "Captum needs a module for each ReLU, called once: the network is rewritten for it; "
        "results differ (r = 0.97), probably at the maximum pooling, whose rule is another",
    ),
    "lrp": FamilyTask(
        "LRP-epsilon", "method", 4, "other",
        "Captum needs modules for ReLUs and sums, and takes a batch normalisation for a layer of "
        "its own; Salix for a part of the convolution before it",
    ),
    "occlusion": FamilyTask("Occlusion, 169 windows", "method", 1, "equal"),
    "feature_ablation": FamilyTask("Feature ablation, 49 segments", "method", 2, "equal"),
    "kernel_shap": FamilyTask("KernelSHAP, 49 segments, 100 samples", "method", 1, "random"),
    "lime": FamilyTask("LIME, 49 segments, 100 samples", "method", 1, "other",
        "Captum fits its default, a lasso whose coefficients are all 0 here; Salix the ridge "
        "regression of the released code"),
    "guided_ig": FamilyTask("Guided integrated gradients, 16 steps", "method", 1, "equal"),
    "blur_ig": FamilyTask("Blur integrated gradients, 16 steps", "method", 1, "equal"),
    "pixel_flipping": FamilyTask("Pixel flipping (deletion), 24 steps", "perturbation", 2, "equal",
        "Quantus flips values of the channels, Salix pixels"),
    "region_perturbation": FamilyTask(
        "Region perturbation (MoRF), 32 of 64 regions", "perturbation", 2, "equal"
    ),
    "selectivity": FamilyTask("Selectivity, 64 patches", "perturbation", 2, "equal"),
    "irof": FamilyTask("IROF, 100 superpixels at most", "perturbation", 2, "other",
        "both find superpixels by scikit-image on the host; Quantus sums the area over them"),
    "road": FamilyTask("ROAD, 9 fractions", "perturbation", 2, "random",
        "Quantus fails for images with three channels (IndexError): pytorch-grad-cam's, which "
        "evaluates the image again for each fraction; both: mean change of the score"),
    "sensitivity_n": FamilyTask("Sensitivity-n", "perturbation", 2, "other",
        "Quantus correlates over growing sets of the most relevant values, Salix over random "
        "subsets as the paper"),
    "faithfulness_correlation": FamilyTask(
        "Faithfulness correlation, 50 subsets", "perturbation", 2, "random",
        "Quantus draws values of the channels, Salix pixels"),
    "faithfulness_estimate": FamilyTask("Faithfulness estimate", "perturbation", 2, "other",
        "Quantus removes 24 sets of values of like relevance, Salix 25 blocks"),
    "monotonicity": FamilyTask("Monotonicity (Arya)", "perturbation", 2, "other",
        "Quantus reveals 24 sets of values, Salix 25 blocks"),
    "infidelity": FamilyTask("Infidelity, 32 perturbations", "perturbation", 2, "random"),
    "max_sensitivity": FamilyTask("Max-sensitivity of the gradient, 10 samples",
        "perturbation", 2, "random"),
    "local_lipschitz": FamilyTask(
        "Local Lipschitz constant of the gradient, 10 samples", "perturbation", 2, "random"
    ),
    "random_logit": FamilyTask("Random logit", "metric", 4, "random",
        "Quantus: similarity of the flat vectors, Salix of the maps"),
    "sparseness": FamilyTask("Sparseness (Gini)", "metric", 32, "equal"),
    "complexity": FamilyTask("Complexity (entropy of a map)", "metric", 32, "equal",
        "both in nats"),
}  # fmt: skip
