"""Metrics of Quantus, Captum and pytorch-grad-cam, by default and tuned.

Both forms have the steps of `family_tasks`; tuned: channels last, frozen parameters, and one
batched gradient as the explanation function in place of Captum's Saliency.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import family_tasks as t
import numpy as np
import torch  # pyright: ignore[reportMissingImports]

from peers.case import BenchmarkCase, PeerCall, PeerVariants
from peers.prepare import batch, default_and_tuned, import_package, network

FEATURES = 224 * 224 * 3 // t.STEPS  # values in a step
QUIET = {"disable_warnings": True, "display_progressbar": False}
PATCHES = {"patch_size": t.PATCH, "perturb_baseline": 0.0}
VALUES = {"features_in_step": FEATURES, "perturb_baseline": 0.0}


def explain_by_gradient(model: Any, inputs: Any, targets: Any, **_: Any) -> np.ndarray:
    """Gradients of the targets' logits as NumPy arrays [b c h w]."""
    x = torch.as_tensor(np.asarray(inputs), dtype=torch.float32)
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    index = torch.as_tensor(np.asarray(targets)).long()[:, None]
    return torch.autograd.grad(model(x).gather(1, index).sum(), x)[0].numpy()


def quantus(name: str, options: dict[str, Any], tuned: bool, case: BenchmarkCase) -> PeerCall:
    """A metric of Quantus of maps, or of gradients where it explains perturbed images."""
    library, net = import_package("quantus"), network(case, tuned)
    metric = getattr(library, name)(**options, **QUIET)
    images = np.ascontiguousarray(case.images.transpose(0, 3, 1, 2))
    maps = case.maps[:, None]
    if name == "IROF":  # it asks for a map of the image's shape
        maps = np.repeat(maps, images.shape[1], 1)
    arguments: dict[str, Any] = {
        "model": net, "x_batch": images, "y_batch": np.zeros(len(images), int),
        "a_batch": maps, "channel_first": True, "device": case.device,
    }  # fmt: skip
    if name in ("MaxSensitivity", "LocalLipschitzEstimate", "RandomLogit"):
        arguments |= {"a_batch": None, "explain_func": library.explain}
        # `abs` and a sum over channels are options of its own function.
        arguments["explain_func_kwargs"] = {"method": "Saliency", "abs": False}
        if tuned:
            arguments["explain_func"], arguments["explain_func_kwargs"] = explain_by_gradient, {}
    return lambda: np.asarray(metric(**arguments))


def infidelity(tuned: bool, case: BenchmarkCase) -> PeerCall:
    metrics, net, x = import_package("captum.metrics"), network(case, tuned), batch(case, tuned)
    maps = torch.from_numpy(case.maps)[:, None].expand(x.shape) / x.shape[1]
    options: dict[str, Any] = {"n_perturb_samples": t.PERTURBATIONS, "target": 0}
    options["max_examples_per_batch"] = 8 if tuned else None

    def perturb(inputs: Any) -> Any:
        noise = 0.1 * torch.randn_like(inputs)
        return noise, inputs - noise

    def call() -> Any:
        with torch.no_grad():
            return metrics.infidelity(net, perturb, x, maps, **options)

    return call


def max_sensitivity(tuned: bool, case: BenchmarkCase) -> PeerCall:
    metrics, net, x = import_package("captum.metrics"), network(case, tuned), batch(case, tuned)
    method = import_package("captum.attr").Saliency(net)
    options = {"perturb_radius": t.RADIUS, "n_perturb_samples": t.DRAWS, "target": 0}
    options["max_examples_per_batch"] = 8 if tuned else None

    def explain(inputs: Any, **arguments: Any) -> Any:
        # The metric needs gradients with channels first.
        maps = method.attribute(inputs, abs=False, **arguments)
        return tuple(map.contiguous() for map in maps)

    return lambda: metrics.sensitivity_max(explain, x, **options).detach()


def road(tuned: bool, case: BenchmarkCase) -> PeerCall:
    library = import_package("pytorch_grad_cam.metrics.road")
    target = import_package("pytorch_grad_cam.utils.model_targets").ClassifierOutputSoftmaxTarget(0)
    net, x = network(case, tuned), batch(case, tuned)
    metric = library.ROADMostRelevantFirstAverage([round(100 * share) for share in t.TENTHS])

    def call() -> Any:
        with torch.no_grad():
            return metric(x, case.maps, [target] * len(x), net)

    return call


def by_quantus(name: str, **options: Any) -> Any:
    return default_and_tuned("quantus", partial(quantus, name, options))


def by_captum(build: Callable[[bool, BenchmarkCase], PeerCall]) -> Any:
    return default_and_tuned("captum", build)


VARIANTS: PeerVariants = {
    "pixel_flipping": by_quantus("PixelFlipping", **VALUES),
    "region_perturbation": by_quantus(
        "RegionPerturbation", regions_evaluation=t.REGIONS, **PATCHES
    ),
    "selectivity": by_quantus("Selectivity", **PATCHES),
    "irof": by_quantus("IROF", return_aggregate=False),
    "road": default_and_tuned("grad-cam", road),
    "sensitivity_n": by_quantus("SensitivityN", return_aggregate=False, **VALUES),
    "faithfulness_correlation": by_quantus(
        "FaithfulnessCorrelation",
        nr_runs=t.RUNS,
        subset_size=t.SUBSET,
        perturb_baseline=0.0,
        return_aggregate=False,
    ),
    "faithfulness_estimate": by_quantus("FaithfulnessEstimate", **VALUES),
    "monotonicity": by_quantus("Monotonicity", **VALUES),
    "infidelity": by_captum(infidelity),
    "max_sensitivity": by_captum(max_sensitivity)
    | by_quantus("MaxSensitivity", nr_samples=t.DRAWS, lower_bound=t.RADIUS),
    "local_lipschitz": by_quantus(
        "LocalLipschitzEstimate", nr_samples=t.DRAWS, perturb_std=t.LIPSCHITZ, normalise=False
    ),
    "random_logit": by_quantus("RandomLogit", num_classes=1000),
    "sparseness": by_quantus("Sparseness"),
    "complexity": by_quantus("Complexity"),
}
