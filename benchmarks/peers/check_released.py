"""What the released procedure finds, beside Salix: python benchmarks/peers/check_released.py.

Both explain the same photographs by networks of the same random weights. Prints for every column
the largest and the mean difference, and what the procedure did and spent for an image: pictures
explained, blurs, and seconds of the processor in passes and on the host. `--torch` is a Python
that has PyTorch, torch-cam and scikit-image. Noise is drawn by each side for itself: only amount 0
is the same picture.
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
    """Return pictures of 8 bits, [b h w 3]: quarters of photographs that scikit-image has."""
    from PIL import Image
    from skimage import data

    found = []
    for whole in (data.astronaut(), data.chelsea(), data.coffee()):
        half = min(whole.shape[:2]) // 2
        for y in (0, half):
            quarters = [whole[y : y + half, x : x + half] for x in (0, half)]
            found += [np.asarray(Image.fromarray(q).resize((side, side))) for q in quarters]
    return np.stack(found[:: max(1, len(found) // count)][:count])


def measured(network: str, folder: Path, names: list[str]) -> None:
    """Run variants of the procedure on the images of a folder, and leave there what they found."""
    import torch  # pyright: ignore[reportMissingImports]
    from twins import twin

    from peers import released
    from peers.case import Case

    torch.save(twin(network).state_dict(), folder / "weights.pth")
    images = np.load(folder / "images.npy")
    case = Case(network, "paper", str(folder / "weights.pth"), images, images[..., 0])
    for name in names:
        found, spent = told(released.EYES[name](case), released.Files(case).pictures())
        print(f"{network} {name}, an image: {spent}", flush=True)
        np.save(folder / f"{name}.npy", found)


def told(eye: Any, files: list[Any]) -> tuple[np.ndarray, str]:
    """Return what the procedure finds, and what it did and spent for an image."""
    from peers import released_pictures
    from peers.released_host import procedure

    pictures, passes, blur = [], [], released_pictures.gaussian_filter

    def timed(look: Callable[..., Any], *given: Any) -> Any:
        started = time.process_time()
        seen = look(*given)
        passes.append(time.process_time() - started)
        return seen

    def counted(given: list[Any]) -> list[Any]:
        pictures.extend(given)
        return timed(eye.look, given)

    eye.look(files[:1])
    started = time.process_time()
    with mock.patch.object(released_pictures, "gaussian_filter", wraps=blur) as blurs:
        found = procedure(type(eye)(counted, partial(timed, eye.again)), files)
    whole, count = time.process_time() - started, len(files)
    return found, (
        f"{len(pictures) / count:.0f} pictures explained, {blurs.call_count / count:.0f} blurs, "
        f"{sum(passes) / count:.3f} s in passes, {(whole - sum(passes)) / count:.3f} s on the host"
    )


def swept(network: str, folder: Path) -> dict[str, np.ndarray]:
    """Return the columns of a sweep over the same pictures."""
    from salix import models
    from salix.attribution import GradCAM
    from salix.engine import sweep
    from salix.measures.presets import PRESETS

    names = [str(n) for n in range(1000)]
    model, params = models.load(network, folder / "weights.pth", classes=names)
    pictures, measures = np.load(folder / "pictures.npy"), PRESETS["paper"]
    told = {"out": folder / "run", "batch_size": 4}
    return sweep(model, params, pictures, GradCAM(), measures, **told).rows


def compared(found: np.ndarray, columns: dict[str, int], rows: dict[str, np.ndarray]) -> None:
    at = 0
    for name, width in columns.items():
        ours = rows[name].reshape(len(found), width)
        theirs = found[:, at : at + width]
        apart = np.abs(ours - theirs)
        line = f"  {name}: least, most {np.nanmin(ours):.4f}, {np.nanmax(ours):.4f}; "
        line += f"apart at most {np.nanmax(apart):.2g}, in the mean {np.nanmean(apart):.2g}"
        if width > 1:
            line += "; at each place " + ", ".join(f"{v:.2g}" for v in np.nanmax(apart, 0))
        if (np.isnan(ours) != np.isnan(theirs)).any():
            line += "; NOT undefined at the same places"
        print(line, flush=True)
        at += width


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch", default=sys.executable, help="a Python that has PyTorch")
    parser.add_argument("--networks", nargs="+", default=["resnet50", "densenet121"])
    parser.add_argument("--variants", nargs="+", default=["released, batched"])
    parser.add_argument("--images", type=int, default=4)
    options = parser.parse_args()
    from surroundings import PASSIVE, RETAIN

    from peers.released_host import COLUMNS

    for network in options.networks:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            pictures = photographs(options.images)
            np.save(folder / "pictures.npy", pictures)
            np.save(folder / "images.npy", ((pictures / 255 - MEAN) / STD).astype(np.float32))
            work = [options.torch, __file__, "--work", network, str(folder), *options.variants]
            subprocess.run(work, check=True, env=os.environ | PASSIVE | RETAIN)
            rows = swept(network, folder)
            for variant in options.variants:
                print(f"{network} {variant}, beside Salix:")
                compared(np.load(folder / f"{variant}.npy"), COLUMNS, rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        measured(sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
    else:
        main()
