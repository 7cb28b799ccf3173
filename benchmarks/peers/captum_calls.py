"""Captum, https://captum.ai: one batch by default, smaller ones when tuned."""

from peers.case import BenchmarkCase, PeerCall, PeerVariants
from peers.prepare import (
    CHUNK,
    batch,
    channels_last,
    default_and_tuned,
    import_package,
    network,
    network_with_stage,
)

PRECISIONS = ("float32", "tf32", "bfloat16")


def saliency(tuned: bool, case: BenchmarkCase) -> PeerCall:
    method, x = import_package("captum.attr").Saliency(network(case, tuned)), batch(case, tuned)
    return lambda: channels_last(method.attribute(x, target=0, abs=False))


def ig(tuned: bool, case: BenchmarkCase) -> PeerCall:
    method = import_package("captum.attr").IntegratedGradients(network(case, tuned))
    x = batch(case, tuned)
    chunk = max(CHUNK[case.device], len(x)) if tuned else None
    # The default is Gauss-Legendre with 50 steps; a step costs the same in any rule.
    options = {"n_steps": case.steps, "method": "riemann_middle", "internal_batch_size": chunk}
    return lambda: channels_last(method.attribute(x, target=0, **options))


def smoothgrad(tuned: bool, case: BenchmarkCase) -> PeerCall:
    attr = import_package("captum.attr")
    method, x = attr.NoiseTunnel(attr.Saliency(network(case, tuned))), batch(case, tuned)
    # Captum uses one standard deviation for the batch: here that of the mean range of the images.
    ranges = x.amax((1, 2, 3)) - x.amin((1, 2, 3))
    options = {
        "nt_samples": case.samples,
        "nt_samples_batch_size": max(1, CHUNK[case.device] // len(x)) if tuned else None,
        "stdevs": case.noise * ranges.mean().item(),
        "abs": False,
    }
    return lambda: channels_last(method.attribute(x, target=0, **options))


def gradcam(tuned: bool, case: BenchmarkCase) -> PeerCall:
    net, stage = network_with_stage(case, tuned)
    method, x = import_package("captum.attr").LayerGradCam(net, stage), batch(case, tuned)
    return lambda: method.attribute(x, target=0, relu_attributions=True).detach()[:, 0]


VARIANTS: PeerVariants = {
    "saliency": default_and_tuned("captum", saliency),
    "ig": default_and_tuned("captum", ig),
    "smoothgrad": default_and_tuned("captum", smoothgrad),
    "gradcam": default_and_tuned("captum", gradcam),
}
