"""Compare the released procedure with Salix: python benchmarks/peers/check_released.py.

Both explain the same photographs with networks of the same random weights. Prints the largest and
the mean difference of every column, and per image the pictures explained, the blurs, and processor
seconds in passes and on the host. `--torch` is a Python that has PyTorch, torch-cam and
scikit-image. Each side draws its own noise: the noisy pictures are equal at amount 0 only.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def photographs(count: int, side: int = 224) -> np.ndarray:
    """8-bit pictures [b h w 3]: quarters of scikit-image's sample photographs."""
    from PIL import Image
    from skimage import data

    pictures = []
    for photograph in (data.astronaut(), data.chelsea(), data.coffee()):
        half = min(photograph.shape[:2]) // 2
        for y in (0, half):
            quarters = [photograph[y : y + half, x : x + half] for x in (0, half)]
            pictures += [np.asarray(Image.fromarray(q).resize((side, side))) for q in quarters]
    return np.stack(pictures[:: max(1, len(pictures) // count)][:count])


def run_released(network: str, folder: Path, names: list[str]) -> None:
    """Run variants of the procedure on the images of a folder and write their results there."""
    import torch  # pyright: ignore[reportMissingImports]
    from torch_networks import torch_network

    from peers import released_calls
    from peers.case import BenchmarkCase

    torch.save(torch_network(network).state_dict(), folder / "weights.pth")
    images = np.load(folder / "images.npy")
    case = BenchmarkCase(network, "paper", str(folder / "weights.pth"), images, images[..., 0])
    for name in names:
        pictures = released_calls.ReleasedPreprocessing(case).pictures()
        result, cost = run_counted(released_calls.EXPLAINERS[name](case), pictures)
        print(f"{network} {name}, per image: {cost}", flush=True)
        np.save(folder / f"{name}.npy", result)


def run_counted(explainer: Any, inputs: list[Any]) -> tuple[np.ndarray, str]:
    """Results of the procedure, and its work and processor time per image."""
    from peers import released_variants
    from peers.released_host import measure_pictures

    explained, passes, blur = [], [], released_variants.gaussian_filter

    def timed(function: Callable[..., Any], *arguments: Any) -> Any:
        started = time.process_time()
        result = function(*arguments)
        passes.append(time.process_time() - started)
        return result

    def counted(pictures: list[Any]) -> list[Any]:
        explained.extend(pictures)
        return timed(explainer.explain, pictures)

    explainer.explain(inputs[:1])
    started = time.process_time()
    with mock.patch.object(released_variants, "gaussian_filter", wraps=blur) as blurs:
        counting = type(explainer)(counted, partial(timed, explainer.explain_again))
        result = measure_pictures(counting, inputs)
    total, count = time.process_time() - started, len(inputs)
    return result, (
        f"{len(explained) / count:.0f} pictures explained, {blurs.call_count / count:.0f} blurs, "
        f"{sum(passes) / count:.3f} s in passes, {(total - sum(passes)) / count:.3f} s on the host"
    )


def sweep_columns(network: str, folder: Path) -> dict[str, np.ndarray]:
    """Columns of a sweep over the same pictures."""
    from salix import models
    from salix.engine import sweep
    from salix.measures.presets import PRESETS

    names = [str(n) for n in range(1000)]
    model, params = models.load(network, folder / "weights.pth", classes=names)
    pictures, measures = np.load(folder / "pictures.npy"), PRESETS["paper"]
    options = {"out": folder / "run", "batch_size": 4}
    return sweep(model, params, pictures, None, measures, **options).rows


def print_differences(
    result: np.ndarray, columns: dict[str, int], rows: dict[str, np.ndarray]
) -> None:
    start = 0
    for name, width in columns.items():
        ours = rows[name].reshape(len(result), width)
        theirs = result[:, start : start + width]
        difference = np.abs(ours - theirs)
        line = f"  {name}: range {np.nanmin(ours):.4f}, {np.nanmax(ours):.4f}; "
        line += f"difference at most {np.nanmax(difference):.2g}, mean {np.nanmean(difference):.2g}"
        if width > 1:
            line += "; by element " + ", ".join(f"{v:.2g}" for v in np.nanmax(difference, 0))
        if (np.isnan(ours) != np.isnan(theirs)).any():
            line += "; undefined at DIFFERENT elements"
        print(line, flush=True)
        start += width


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--torch", default=sys.executable, help="a Python that has PyTorch")
    parser.add_argument("--networks", nargs="+", default=["resnet50", "densenet121"])
    parser.add_argument("--variants", nargs="+", default=["released, batched"])
    parser.add_argument("--images", type=int, default=4)
    options = parser.parse_args()
    from machine import RETAIN_MEMORY, WORKER_DEFAULTS

    from peers.released_host import COLUMNS

    for network in options.networks:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            pictures = photographs(options.images)
            np.save(folder / "pictures.npy", pictures)
            np.save(folder / "images.npy", ((pictures / 255 - MEAN) / STD).astype(np.float32))
            work = [options.torch, __file__, "--work", network, str(folder), *options.variants]
            subprocess.run(work, check=True, env=os.environ | WORKER_DEFAULTS | RETAIN_MEMORY)
            rows = sweep_columns(network, folder)
            for variant in options.variants:
                print(f"{network} {variant}, against Salix:")
                print_differences(np.load(folder / f"{variant}.npy"), COLUMNS, rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        run_released(sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
    else:
        main()
