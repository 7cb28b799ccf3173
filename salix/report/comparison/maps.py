"""Attribution maps and masks of regions: in the page for its examples, else in files beside it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from salix.compare import RegionTable
from salix.report.comparison.packing import pack

CHUNK = 64  # images of a file
EMBEDDED = 2**23  # bytes of maps and masks in the page, before compression
NICE = (1, 2, 5, 10)


def scale_limit(table: RegionTable, images: np.ndarray) -> float:
    """Return the end of the common scale of all maps, in multiples of an image's mean |a|.

    The 99th percentile of |a| over some images, rounded up to 1, 2 or 5 times a power of ten.
    """
    values = np.abs(table.signed[:, images].astype(np.float32))
    top = float(np.percentile(values[np.isfinite(values)], 99)) if values.size else 1.0
    if not top > 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(top))
    return float(next(n * power for n in NICE if n * power >= top * (1 - 1e-9)))


def pack_maps(table: RegionTable, images: np.ndarray, limit: float) -> dict[str, Any]:
    """Return the maps of some images and the masks of their regions as JSON.

    `signed` int8 [models images G*G], 127 = 2 * limit; `density` uint8, 255 = 2 * limit;
    `masks` bits [regions bytes] of the regions whose indices are `regions`.
    """
    signed = table.signed[:, images].astype(np.float32) / (2 * limit)
    density = table.density[:, images].astype(np.float32) / (2 * limit)
    regions = np.flatnonzero(np.isin(table.image, images))
    return {
        "images": pack(images.astype(np.int32)),
        "signed": pack(np.rint(np.clip(np.nan_to_num(signed), -1, 1) * 127).astype(np.int8)),
        "density": pack(np.rint(np.clip(np.nan_to_num(density), 0, 1) * 255).astype(np.uint8)),
        "regions": pack(regions.astype(np.int32)),
        "masks": pack(table.masks[regions]),
    }


def split_images(table: RegionTable, examples: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the images whose maps are in the page, as many as `EMBEDDED` holds, and the others.

    The images of examples come first.
    """
    models, count, area = table.signed.shape
    each = 2 * models * area + int(np.ceil(len(table.image) / max(count, 1))) * area // 8
    order = list(dict.fromkeys([*examples, *range(count)]))
    most = max(1, EMBEDDED // max(each, 1))
    return np.sort(np.array(order[:most], int)), np.sort(np.array(order[most:], int))


def write_chunks(table: RegionTable, images: np.ndarray, limit: float, folder: Path) -> list[int]:
    """Write the maps of images to `maps-N.js`, `CHUNK` a file; return the file of each image."""
    for number, start in enumerate(range(0, len(images), CHUNK)):
        packed = pack_maps(table, images[start : start + CHUNK], limit)
        text = f"salixMaps({number}, {json.dumps(packed)});\n"
        (folder / f"maps-{number}.js").write_text(text, encoding="utf-8")
    return [n // CHUNK for n in range(len(images))]
