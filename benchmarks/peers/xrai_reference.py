"""Reference results of PAIR's XRAI and PIC for the tests: PYTHON xrai_reference.py FOLDER.

PYTHON has saliency 0.2.1 with numpy<2.4. Images are scikit-image's samples; attributions and maps
are formulas of the image, so that the tests compute them again.
"""

import json
import sys
from pathlib import Path

import numpy as np
import skimage.data

SAMPLES = ("astronaut", "cat", "coffee")
THRESHOLDS = (0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.10, 0.13, 0.21, 0.34, 0.5, 0.75)


def sample(name: str, shape: tuple[int, int]) -> np.ndarray:
    """8-bit image of a shape, whose pixels are those of a grid over the sample, not averages."""
    image = getattr(skimage.data, name)()
    rows, columns = (
        np.arange(n) * length // n for n, length in zip(shape, image.shape, strict=False)
    )
    return image[rows][:, columns]


def attribution(image: np.ndarray) -> np.ndarray:
    """Signed attribution [h w c] that depends on place, channel and content."""
    h, w, c = image.shape
    y, x, k = np.ogrid[:h, :w, :c]
    waves = np.sin(2 * np.pi * (3 * y / h + k / c)) * np.cos(4 * np.pi * x / w)
    return waves * (image / 255 - 0.3)


def performance(images: np.ndarray) -> np.ndarray:
    """Stand-in for a probability: rises with the contrast between neighbours, in (0, 1)."""
    contrast = np.abs(np.diff(images.astype(float) / 255, axis=1)).mean((1, 2, 3))
    return 1 / (1 + np.exp(-40 * (contrast - 0.03)))


def random_mask(shape: tuple[int, ...]) -> np.ndarray:
    """One pixel of a hundred, from a fixed seed."""
    mask = np.zeros(np.prod(shape), bool)
    mask[np.random.default_rng(0).choice(mask.size, mask.size // 100, replace=False)] = True
    return mask.reshape(shape)


def xrai_case(name: str, shape: tuple[int, int], order: str) -> tuple[np.ndarray, np.ndarray]:
    """PAIR's ranks and heat map."""
    from saliency.core import XRAI, XRAIParameters  # pyright: ignore[reportMissingImports]

    image = sample(name, shape)
    options = XRAIParameters(return_xrai_segments=True, algorithm=order)
    details = XRAI().GetMaskWithDetails(
        (image / 255).astype(np.float32),
        None,
        base_attribution=attribution(image),
        extra_parameters=options,
    )
    return details.segments, details.attribution_mask


def pic_case(name: str, shape: tuple[int, int], *, monotone: bool) -> dict[str, object]:
    """PAIR's curve, area, predictions and sums of the blurred images."""
    from saliency.metrics import pic  # pyright: ignore[reportMissingImports]

    image = sample(name, shape)
    curve = pic.compute_pic_metric(
        image,
        np.abs(attribution(image)).sum(-1),
        random_mask(shape),
        performance,
        THRESHOLDS,
        min_pred_value=0.1,
        keep_monotonous=monotone,
    )
    return {
        "area": float(curve.auc),
        "values": np.round(curve.curve_y[::50], 9).tolist(),
        "predictions": [float(p) for p in curve.predictions],
        "information": [pic.estimate_image_entropy(i) for i in curve.blurred_images],
        "sums": [int(i.astype(int).sum()) for i in curve.blurred_images],
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    ranks = {}
    for name in SAMPLES:
        for order in ("full", "fast"):
            segments, heat = xrai_case(name, (120, 160), order)
            places = [heat[segments == r].mean() for r in range(1, segments.max() + 1)]
            ranks[f"{name} {order} rank"] = segments.astype(np.uint8)
            ranks[f"{name} {order} gains"] = np.array(places)
    np.savez_compressed(folder / "pair_xrai.npz", **ranks)
    curves = {
        f"{name} {monotone}": pic_case(name, (60, 80), monotone=monotone)
        for name in SAMPLES
        for monotone in (True, False)
    }
    (folder / "pair_pic.json").write_text(json.dumps(curves, indent=1) + "\n")
