"""One task of `benchmarks/xrai.py` in one library: its time and its result."""

import hashlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from peers.xrai_reference import THRESHOLDS, attribution, performance, random_mask, sample


def read(name: str, side: int) -> np.ndarray:
    """8-bit RGB image: a sample of scikit-image, or a file, resized."""
    if "/" not in name:
        return sample(name, (side, side))
    from PIL import Image

    return np.asarray(Image.open(name).convert("RGB").resize((side, side)))


def importance(image: np.ndarray, task: str) -> np.ndarray:
    """Map that is smooth, or constant in regions as XRAI's."""
    map = np.abs(attribution(image)).sum(-1)
    if task == "pic smooth":
        return map
    coarse = map[: len(map) // 13 * 13, : len(map) // 13 * 13]
    blocks = coarse.reshape(len(coarse) // 13, 13, len(coarse) // 13, 13).mean((1, 3))
    return np.kron(blocks, np.ones((13, 13)))


def salix_xrai(image: np.ndarray, order: str) -> Callable[[], Any]:
    from salix.attribution import rank_segments  # noqa: F401, imports are not timed
    from salix.attribution.felzenszwalb import felzenszwalb_levels
    from salix.attribution.mask_bits import dilate, pack_labels
    from salix.attribution.segment_ranking import rank_planes

    map, pixels = attribution(image).max(-1), (image / 255).astype(np.float32)
    options = {"order": order, "least_pixels": 50, "area": 1.0}

    def call() -> Any:
        labels = felzenszwalb_levels(pixels)
        planes = dilate(pack_labels(labels), 5)
        ranked = rank_planes(map, planes, int(labels.max()), **options)
        return ranked.rank, ranked.gains

    return call


def pair_xrai(image: np.ndarray, order: str) -> Callable[[], Any]:
    from saliency.core import XRAI, XRAIParameters  # pyright: ignore[reportMissingImports]

    options = XRAIParameters(return_xrai_segments=True, algorithm=order)
    values, pixels = attribution(image), (image / 255).astype(np.float32)

    def call() -> Any:
        details = XRAI().GetMaskWithDetails(
            pixels, None, base_attribution=values, extra_parameters=options
        )
        rank, heat = details.segments, details.attribution_mask
        return rank, [heat[rank == r].mean() for r in range(1, rank.max() + 1)]

    return call


def salix_pic(image: np.ndarray, map: np.ndarray) -> Callable[[], Any]:
    from salix.metrics import information_curves

    def predict(images: np.ndarray) -> np.ndarray:
        p = performance(images)
        return np.stack([1 - p, p], 1)

    mask = random_mask(map.shape)
    return lambda: information_curves(predict, image, map, 1, mask=mask, least=0.1)["sic"].area


def pair_pic(image: np.ndarray, map: np.ndarray) -> Callable[[], Any]:
    from saliency.metrics import pic  # pyright: ignore[reportMissingImports]

    mask = random_mask(map.shape)
    call = pic.compute_pic_metric
    return lambda: call(image, map, mask, performance, THRESHOLDS, min_pred_value=0.1).auc


def run(library: str, task: str, name: str, side: int) -> dict[str, Any]:
    """Time one call, and describe its result."""
    image = read(name, side)
    if task.startswith("xrai"):
        call = {"salix": salix_xrai, "pair": pair_xrai}[library](image, task.split()[1])
    else:
        map = importance(image, task)
        image = image[: len(map), : len(map)]
        call = {"salix": salix_pic, "pair": pair_pic}[library](image, map)
    if task.startswith("xrai"):
        call()  # modules that the first call imports
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    times = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    if task.startswith("pic"):
        return {"time": times, "area": float(result)}
    rank, gains = result
    digest = hashlib.sha256(rank.astype(np.int64).tobytes()).hexdigest()
    return {"time": times, "ranks": digest, "gains": [float(g) for g in gains]}
