"""Attribution methods of Captum, torch-cam and PAIR saliency, by default and tuned.

Tuned: channels last, frozen parameters, and several perturbed images in one batch where the library
has an option for it.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import family_tasks as t
import numpy as np
import torch  # pyright: ignore[reportMissingImports]

from peers import captum_calls, torchcam_calls
from peers.case import BenchmarkCase, PeerCall, PeerVariants
from peers.module_network import module_network
from peers.prepare import (
    batch,
    channels_last,
    default_and_tuned,
    import_package,
    network,
    network_with_stage,
)
from peers.saliency_calls import gradients

CHUNK = 8  # images in a batch of tuned methods


def with_steps(build: Callable[[BenchmarkCase], PeerCall]) -> Callable[[BenchmarkCase], PeerCall]:
    """A variant of another module with the steps and samples of these tasks."""
    return lambda case: build(replace(case, steps=t.IG_STEPS, samples=t.SAMPLES))


def gradient_shap(tuned: bool, case: BenchmarkCase) -> PeerCall:
    attr, x = import_package("captum.attr"), batch(case, tuned)
    method = attr.GradientShap(network(case, tuned))
    # All samples are one batch; the tuned form runs it in as many calls as make batches of 8.
    calls = max(1, len(x) * t.SHAP_SAMPLES // CHUNK) if tuned else 1
    options = {"baselines": torch.zeros_like(x[:1]), "n_samples": t.SHAP_SAMPLES // calls}

    def call() -> Any:
        parts = [method.attribute(x, target=0, **options) for _ in range(calls)]
        return channels_last(sum(parts) / calls)

    return call


def scorecam(tuned: bool, case: BenchmarkCase) -> PeerCall:
    (net, stage), x = network_with_stage(case, tuned), batch(case, tuned)
    options = {"batch_size": CHUNK} if tuned else {}
    method = import_package("torchcam.methods").ScoreCAM(net, stage, **options)

    def call() -> Any:
        with torch.no_grad():
            net(x)
            return method(0, normalized=False)[0]

    return call


def hooked(name: str, options: dict[str, Any], tuned: bool, case: BenchmarkCase) -> PeerCall:
    """A method of Captum that hooks modules."""
    attr, x = import_package("captum.attr"), batch(case, tuned)
    method = getattr(attr, name)(module_network(case, tuned))
    return lambda: channels_last(method.attribute(x, target=0, **options))


def perturbed(
    name: str, options: Callable[[int, Any], dict[str, Any]], tuned: bool, case: BenchmarkCase
) -> PeerCall:
    """A method of Captum that evaluates perturbed images; maps [b h w 1]."""
    attr, x = import_package("captum.attr"), batch(case, tuned)
    method = getattr(attr, name)(network(case, tuned))
    single = name in ("KernelShap", "Lime")  # one perturbed image of one example at a time
    evaluations = max(1, CHUNK // (1 if single else len(x))) if tuned else 1
    arguments = options(evaluations, segments(x))
    return lambda: channels_last(method.attribute(x, target=0, **arguments))[..., :1]


def segments(x: Any) -> Any:
    """Labels [1 1 h w] of equal blocks."""
    rows, columns = (torch.arange(n) * t.GRID // n for n in x.shape[2:])
    return (t.GRID * rows[:, None] + columns)[None, None]


def occlusion_options(evaluations: int, labels: Any) -> dict[str, Any]:
    window, stride = (3, t.WINDOW, t.WINDOW), (3, t.STRIDE, t.STRIDE)
    return {
        "sliding_window_shapes": window, "strides": stride, "perturbations_per_eval": evaluations,
    }  # fmt: skip


def segment_options(samples: int | None, evaluations: int, labels: Any) -> dict[str, Any]:
    options = {"feature_mask": labels, "perturbations_per_eval": evaluations}
    return options | ({"n_samples": samples} if samples else {})


def guided_ig(tuned: bool, case: BenchmarkCase) -> PeerCall:
    method, call = import_package("saliency.core").GuidedIG(), gradients(tuned, case)
    # NumPy 2.4 has removed the keyword that the library uses.
    quantile = np.quantile
    np.quantile = lambda a, q, interpolation: quantile(a, q, method=interpolation)
    options = {"x_steps": t.PATH_STEPS, "fraction": 0.25, "max_dist": 0.02}
    zeros = np.zeros_like(case.images[0])
    return lambda: np.stack(
        [method.GetMask(x, call, x_baseline=zeros, **options) for x in case.images]
    )


def blur_ig(tuned: bool, case: BenchmarkCase) -> PeerCall:
    method, call = import_package("saliency.core").BlurIG(), gradients(tuned, case)
    options = {"steps": t.BLUR_STEPS, "batch_size": CHUNK if tuned else 1}
    return lambda: np.stack([method.GetMask(x, call, **options) for x in case.images])


def captum(build: Callable[..., PeerCall], *arguments: Any) -> Any:
    return default_and_tuned(
        "captum", lambda tuned, case: build(*arguments, tuned=tuned, case=case)
    )


SURROGATE = partial(segment_options, t.SURROGATE_SAMPLES)
VARIANTS: PeerVariants = {
    "ig": {n: with_steps(v) for n, v in captum_calls.VARIANTS["ig"].items()},
    "smoothgrad": {n: with_steps(v) for n, v in captum_calls.VARIANTS["smoothgrad"].items()},
    "gradient_shap": captum(gradient_shap),
    "gradcam": captum_calls.VARIANTS["gradcam"] | torchcam_calls.VARIANTS["gradcam"],
    "scorecam": default_and_tuned("torch-cam", scorecam),
    "guided_backprop": captum(hooked, "GuidedBackprop", {}),
    "deeplift": captum(hooked, "DeepLift", {}),
    "lrp": captum(hooked, "LRP", {}),
    "occlusion": captum(perturbed, "Occlusion", occlusion_options),
    "feature_ablation": captum(perturbed, "FeatureAblation", partial(segment_options, None)),
    "kernel_shap": captum(perturbed, "KernelShap", SURROGATE),
    "lime": captum(perturbed, "Lime", SURROGATE),
    "guided_ig": default_and_tuned("pair", guided_ig),
    "blur_ig": default_and_tuned("pair", blur_ig),
}
