"""Power spectra of the central crops of a source's images, read a block at a time."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from salix.analysis.image_spectra import CropPowers
from salix.analysis.spectra import radial_power
from salix.data import Source, Unreadable
from salix.preprocess import GREY

LEAST, MOST = 16, 256  # pixels of a crop's side
PROBED = 64  # images by whose sizes the side is chosen
PERCENTILE = 5  # of their short sides: smaller images are left out
BLOCK = 64  # images in memory at once


def read_powers(source: Source, ids: Sequence[str]) -> CropPowers | None:
    """Return the power spectra of the images of some ids, of grey levels by ITU-R BT.601.

    Crops have the pixels of the file: nothing is resized. Their side is the 5th percentile of the
    short sides of some images, at least 16 and at most 256 pixels. None where no image is read.
    """
    places = {id: i for i, id in enumerate(source.ids)}

    def read(id: str) -> np.ndarray | None:
        try:
            return _grey(source.read(places[id])) if id in places else None
        except Unreadable:
            return None

    with ThreadPoolExecutor() as pool:
        probe = list(ids[:: max(1, -(-len(ids) // PROBED))])
        sides = [min(grey.shape) for grey in pool.map(read, probe) if grey is not None]
        if not sides:
            return None
        side = int(np.clip(np.percentile(sides, PERCENTILE, method="lower"), LEAST, MOST))
        frequencies = np.arange(1, side // 2 + 1) / side
        power, known = np.full((len(ids), len(frequencies)), np.nan), np.zeros(len(ids), bool)
        smaller = 0
        for start in range(0, len(ids), BLOCK):
            block = enumerate(pool.map(read, ids[start : start + BLOCK]), start)
            greys = {i: grey for i, grey in block if grey is not None}
            crops = {i: _centre(g, side) for i, g in greys.items() if min(g.shape) >= side}
            smaller += len(greys) - len(crops)
            if crops:
                power[list(crops)] = radial_power(np.stack(list(crops.values())))[1]
                known[list(crops)] = True
    return CropPowers(side, frequencies, power, known, smaller) if known.any() else None


def _grey(image: Any) -> np.ndarray:
    """Return the grey levels [y x] of a Pillow image, or of 8-bit pixels [h w], [h w 1] or RGB."""
    if not isinstance(image, np.ndarray):
        image = image if image.mode in ("L", "RGB") else image.convert("RGB")
    levels = np.asarray(image).astype(np.float64)
    return levels if levels.ndim == 2 else levels @ (GREY if levels.shape[-1] == 3 else np.ones(1))


def _centre(grey: np.ndarray, side: int) -> np.ndarray:
    top, left = ((n - side) // 2 for n in grey.shape)
    return grey[top : top + side, left : left + side]
