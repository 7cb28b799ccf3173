"""Check what other libraries return: python benchmarks/peers/check.py [--network resnet50].

Each variant is compared with a plain loop in float64, by Pearson's correlation over the batch and
by the ratio of the means of absolutes; of a map that the library scales or enlarges the loop's is
too. SmoothGrad has to agree with a loop as well as another draw of noise does. Ends with 1 if one
falls short.
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
from twins import twin

from peers.case import Case

MODULES = ("of_captum", "of_pair", "of_torchcam", "of_gradcam", "of_quantus")
LEAST = {"float32": 0.9999, "tf32": 0.99, "bfloat16": 0.9}  # correlation
OFF = {"float32": 0.01, "tf32": 0.02, "bfloat16": 0.1}  # of the ratio of sizes
DRAWN = 0.05  # what SmoothGrad may be off more, in both


class Loop:
    """The tasks, one image and one gradient at a time."""

    def __init__(self, case: Case):
        self.case, self.net = case, twin(case.network)
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
        found = [x * sum(self.gradient(t * x) for t in nodes) / len(nodes) for x in self.images]
        return torch.stack(found).permute(0, 2, 3, 1)

    def smoothgrad(self, seed: int = 0) -> Any:
        draw, found = torch.Generator().manual_seed(seed), []
        for x in self.images:
            scale = self.case.noise * (x.max() - x.min())
            samples = [torch.randn(x.shape, generator=draw) for _ in range(self.case.samples)]
            found.append(sum(self.gradient(x + scale * noise) for noise in samples))
        return torch.stack(found).permute(0, 2, 3, 1) / self.case.samples

    def weighted(self) -> Any:
        features = self.net.trunk(self.images).requires_grad_()
        slopes = torch.autograd.grad(self.net.head(features)[:, 0].sum(), features)[0]
        return (slopes.sum((2, 3), keepdim=True) * features).sum(1).detach()

    def cam(self) -> Any:
        return self.weighted()

    def gradcam(self) -> Any:
        maps = self.weighted()
        return maps.relu() / maps[0].numel()

    def deletion(self) -> Any:
        curves = []
        orders = self.case.maps.reshape(len(self.images), -1)
        for image, order in zip(self.images, orders, strict=True):
            ranked, curve = np.argsort(-order, kind="stable"), []
            for step in range(1, self.case.steps + 1):
                left = image.flatten(1).clone()
                left[:, ranked[: step * len(ranked) // self.case.steps]] = 0
                curve.append(self.net(left.reshape(1, *image.shape)).softmax(1)[0, 0])
            curves.append(torch.stack(curve))
        return torch.stack(curves)


def expected(loop: Loop, name: str) -> Any:
    task = loop.case.task
    if name.startswith("pair") and task == "ig":
        return loop.ig(np.linspace(0, 1, loop.case.steps))
    found = getattr(loop, task)()
    if name.startswith("grad-cam"):
        found = scaled(found)[:, None]
        size = loop.images.shape[2:]
        found = functional.interpolate(found, size, mode="bilinear", align_corners=False)
        found = scaled(found[:, 0])
    return found


def scaled(maps: Any) -> Any:
    low, high = (f(maps, (1, 2), keepdim=True) for f in (torch.amin, torch.amax))
    return (maps - low) / (high - low).clamp(min=1e-12)  # zeros of zeros


def smooth(count: int, size: int) -> np.ndarray:
    """Return random fields [count size size] in [0, 1], without ties."""
    noise = torch.from_numpy(np.random.default_rng(0).random((count, 1, 9, 9)))
    return scaled(functional.interpolate(noise, (size, size), mode="bicubic")[:, 0]).numpy()


def check(name: str, build: Any, loop: Loop) -> bool:
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
    found = result[0] if isinstance(result, tuple) else result
    found = torch.as_tensor(found).double().cpu().numpy()
    wanted = expected(loop, name).numpy()
    if found.shape != wanted.shape:
        print(f"{task:10} {name:18} has shape {found.shape}, not {wanted.shape}")
        return False
    if np.ptp(wanted) == 0:
        same = np.allclose(found, wanted, 1e-4)
        print(f"{task:10} {name:18} {'the same' if same else 'another'}, of one value everywhere")
        return same
    agreed, size = correlation(found, wanted), np.abs(found).mean() / np.abs(wanted).mean()
    passes = f", {call.passes} passes of the batch" if hasattr(call, "passes") else ""
    print(f"{task:10} {name:18} r {agreed:.7f}  size {size:.5f}  {seconds:.2f} s{passes}")
    least, off = LEAST[case.precision], OFF[case.precision]
    if task == "smoothgrad":
        least, off = least * correlation(loop.smoothgrad(1), wanted) - DRAWN, off + DRAWN
    good = agreed > least and abs(size - 1) < off
    if not good:
        print(f"{task:10} {name:18} has to reach {least:.5f}, and a size within {off:.2f} of 1")
    return bool(good)


def correlation(found: Any, wanted: Any) -> float:
    return float(np.corrcoef(np.reshape(found, -1), np.reshape(wanted, -1))[0, 1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--precision", default="float32", choices=list(LEAST))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--modules", nargs="+", default=MODULES)
    options = parser.parse_args()
    torch.set_num_threads(2)
    shape, good = (options.batch, options.size), True
    images = 4 * np.stack([smooth(*shape), smooth(*shape)[::-1], smooth(*shape) ** 2], -1) - 2
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/weights.pth"
        torch.save(twin(options.network).state_dict(), path)
        for module in options.modules:
            for task, builders in importlib.import_module(f"peers.{module}").VARIANTS.items():
                maps = smooth(*shape).astype(np.float32)
                loop = Loop(
                    Case(
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
                    good = check(name, build, loop) and good
    return 0 if good else 1


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
