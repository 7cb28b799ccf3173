"""Captum, https://captum.ai: all in one batch by default, in smaller ones when tuned."""

from collections.abc import Callable
from functools import partial

from peers.case import Call, Case, Variants
from peers.prepare import CHUNK, FORMS, batch, last, network, package, staged

PRECISIONS = ("float32", "tf32", "bfloat16")


def saliency(tuned: bool, case: Case) -> Call:
    method, x = package("captum.attr").Saliency(network(case, tuned)), batch(case, tuned)
    return lambda: last(method.attribute(x, target=0, abs=False))


def ig(tuned: bool, case: Case) -> Call:
    method = package("captum.attr").IntegratedGradients(network(case, tuned))
    x = batch(case, tuned)
    chunk = max(CHUNK[case.device], len(x)) if tuned else None
    # By default it takes 50 steps of Gauss-Legendre; a step costs the same in any rule.
    options = {"n_steps": case.steps, "method": "riemann_middle", "internal_batch_size": chunk}
    return lambda: last(method.attribute(x, target=0, **options))


def smoothgrad(tuned: bool, case: Case) -> Call:
    attr = package("captum.attr")
    method, x = attr.NoiseTunnel(attr.Saliency(network(case, tuned))), batch(case, tuned)
    # It takes one deviation for a batch: that of the mean range of the images.
    ranges = x.amax((1, 2, 3)) - x.amin((1, 2, 3))
    options = {
        "nt_samples": case.samples,
        "nt_samples_batch_size": max(1, CHUNK[case.device] // len(x)) if tuned else None,
        "stdevs": case.noise * ranges.mean().item(),
        "abs": False,
    }
    return lambda: last(method.attribute(x, target=0, **options))


def gradcam(tuned: bool, case: Case) -> Call:
    net, stage = staged(case, tuned)
    method, x = package("captum.attr").LayerGradCam(net, stage), batch(case, tuned)
    return lambda: method.attribute(x, target=0, relu_attributions=True).detach()[:, 0]


def forms(build: Callable[[bool, Case], Call]) -> dict[str, Callable[[Case], Call]]:
    return {f"captum {name}": partial(build, tuned) for name, tuned in FORMS.items()}


VARIANTS: Variants = {
    "saliency": forms(saliency),
    "ig": forms(ig),
    "smoothgrad": forms(smoothgrad),
    "gradcam": forms(gradcam),
}
