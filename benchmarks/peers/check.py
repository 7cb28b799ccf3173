"""Check the results of other libraries: python benchmarks/peers/check.py [--network resnet50].

Each variant is compared with a plain loop in float64, by Pearson's correlation over the batch and
by the ratio of mean absolute values; maps that a library scales or enlarges are compared with the
loop's after the same step. SmoothGrad has to agree with the loop as well as a second draw of noise
does. Exit status 1 if a variant fails.
"""

import argparse
import importlib
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch  # pyright: ignore[reportMissingImports]
from torch.nn import functional  # pyright: ignore[reportMissingImports]
from torch_networks import torch_network

from peers.case import BenchmarkCase

MODULES = (
    "captum_calls",
    "saliency_calls",
    "torchcam_calls",
    "gradcam_calls",
    "quantus_calls",
)
MINIMUM_CORRELATION = {"float32": 0.9999, "tf32": 0.99, "bfloat16": 0.9}
SIZE_TOLERANCE = {"float32": 0.01, "tf32": 0.02, "bfloat16": 0.1}  # of the ratio to 1
NOISE_TOLERANCE = 0.05  # added to both for SmoothGrad


class ReferenceLoop:
    """The tasks in float64, one image and one gradient at a time."""

    def __init__(self, case: BenchmarkCase):
        self.case, self.net = case, torch_network(case.network)
        self.net.load_state_dict(torch.load(case.path, weights_only=True))
        self.net.double().requires_grad_(False)
        self.images = torch.from_numpy(case.images).double().permute(0, 3, 1, 2)

    def gradient(self, image: Any) -> Any:
        x = image[None].clone().requires_grad_()
        return torch.autograd.grad(self.net(x)[0, 0], x)[0][0]

    def saliency(self) -> Any:
        return torch.stack([self.gradient(x) for x in self.images]).permute(0, 2, 3, 1)

    def ig(self, nodes: Any = None) -> Any:
        nodes = (np.arange(self.case.steps) + 0.5) / self.case.steps if nodes is None else nodes
        maps = [x * sum(self.gradient(t * x) for t in nodes) / len(nodes) for x in self.images]
        return torch.stack(maps).permute(0, 2, 3, 1)

    def smoothgrad(self, seed: int = 0) -> Any:
        generator, maps = torch.Generator().manual_seed(seed), []
        for x in self.images:
            scale = self.case.noise * (x.max() - x.min())
            samples = [torch.randn(x.shape, generator=generator) for _ in range(self.case.samples)]
            maps.append(sum(self.gradient(x + scale * noise) for noise in samples))
        return torch.stack(maps).permute(0, 2, 3, 1) / self.case.samples

    def weighted_features(self) -> Any:
        features = self.net.trunk(self.images).requires_grad_()
        slopes = torch.autograd.grad(self.net.head(features)[:, 0].sum(), features)[0]
        return (slopes.sum((2, 3), keepdim=True) * features).sum(1).detach()

    def cam(self) -> Any:
        return self.weighted_features()

    def gradcam(self) -> Any:
        maps = self.weighted_features()
        return maps.relu() / maps[0].numel()

    def deletion(self) -> Any:
        curves = []
        orders = self.case.maps.reshape(len(self.images), -1)
        for image, order in zip(self.images, orders, strict=True):
            ranked, curve = np.argsort(-order, kind="stable"), []
            for step in range(1, self.case.steps + 1):
                deleted = image.flatten(1).clone()
                deleted[:, ranked[: step * len(ranked) // self.case.steps]] = 0
                curve.append(self.net(deleted.reshape(1, *image.shape)).softmax(1)[0, 0])
            curves.append(torch.stack(curve))
        return torch.stack(curves)


def expected(loop: ReferenceLoop, name: str) -> Any:
    task = loop.case.task
    if name.startswith("pair") and task == "ig":
        return loop.ig(np.linspace(0, 1, loop.case.steps))
    maps = getattr(loop, task)()
    if name.startswith("grad-cam"):
        maps = rescale(maps)[:, None]
        size = loop.images.shape[2:]
        maps = functional.interpolate(maps, size, mode="bilinear", align_corners=False)
        maps = rescale(maps[:, 0])
    return maps


def rescale(maps: Any) -> Any:
    low, high = (f(maps, (1, 2), keepdim=True) for f in (torch.amin, torch.amax))
    return (maps - low) / (high - low).clamp(min=1e-12)  # zeros stay zeros


def smooth_fields(count: int, size: int) -> np.ndarray:
    """Smooth random fields [count size size] in [0, 1], without ties."""
    noise = torch.from_numpy(np.random.default_rng(0).random((count, 1, 9, 9)))
    return rescale(functional.interpolate(noise, (size, size), mode="bicubic")[:, 0]).numpy()


def check(name: str, build: Any, loop: ReferenceLoop) -> bool:
    task, case = loop.case.task, loop.case
    try:
        call = build(case)
    except RuntimeError as error:
        print(f"{task:10} {name:18} left out: {error}")
        return True
    call()
    started = time.perf_counter()
    result = call()
    seconds = time.perf_counter() - started
    output = result[0] if isinstance(result, tuple) else result
    output = torch.as_tensor(output).double().cpu().numpy()
    wanted = expected(loop, name).numpy()
    if output.shape != wanted.shape:
        print(f"{task:10} {name:18} has shape {output.shape}, not {wanted.shape}")
        return False
    if np.ptp(wanted) == 0:
        same = np.allclose(output, wanted, 1e-4)
        print(f"{task:10} {name:18} constant, {'as expected' if same else 'but of another value'}")
        return same
    r, size = correlation(output, wanted), np.abs(output).mean() / np.abs(wanted).mean()
    passes = f", {call.passes} passes of the batch" if hasattr(call, "passes") else ""
    print(f"{task:10} {name:18} r {r:.7f}  size {size:.5f}  {seconds:.2f} s{passes}")
    minimum, tolerance = MINIMUM_CORRELATION[case.precision], SIZE_TOLERANCE[case.precision]
    if task == "smoothgrad":
        minimum = minimum * correlation(loop.smoothgrad(1), wanted) - NOISE_TOLERANCE
        tolerance += NOISE_TOLERANCE
    passed = r > minimum and abs(size - 1) < tolerance
    if not passed:
        print(f"{task:10} {name:18} needs r > {minimum:.5f} and a size within {tolerance:.2f} of 1")
    return bool(passed)


def correlation(result: Any, wanted: Any) -> float:
    return float(np.corrcoef(np.reshape(result, -1), np.reshape(wanted, -1))[0, 1])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--precision", default="float32", choices=list(MINIMUM_CORRELATION))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--modules", nargs="+", default=MODULES)
    options = parser.parse_args()
    torch.set_num_threads(2)
    shape, passed = (options.batch, options.size), True
    images = (
        4
        * np.stack(
            [smooth_fields(*shape), smooth_fields(*shape)[::-1], smooth_fields(*shape) ** 2], -1
        )
        - 2
    )
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/weights.pth"
        torch.save(torch_network(options.network).state_dict(), path)
        for module in options.modules:
            for task, builders in importlib.import_module(f"peers.{module}").VARIANTS.items():
                maps = smooth_fields(*shape).astype(np.float32)
                loop = ReferenceLoop(
                    BenchmarkCase(
                        options.network,
                        task,
                        path,
                        images.astype(np.float32),
                        maps,
                        precision=options.precision,
                        device=options.device,
                    )
                )
                for name, build in builders.items():
                    passed = check(name, build, loop) and passed
    return 0 if passed else 1


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
