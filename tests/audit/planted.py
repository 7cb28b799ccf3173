"""Small labelled images in groups, with a planted shortcut or none."""

from pathlib import Path

import numpy as np
from PIL import Image

VIDEOS, FRAMES = 10, 2  # of each class


def picture(rng: np.random.Generator, side: int) -> Image.Image:
    """A smooth field with noise."""
    field = rng.integers(0, 256, (5, 5, 3), np.uint8)
    smooth = Image.fromarray(field).resize((side, side), Image.Resampling.BICUBIC)
    noisy = np.asarray(smooth, float) + rng.normal(0, 4, (side, side, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def plant(root: Path, kind: str = "", *, videos: int = VIDEOS, seed: int = 0) -> Path:
    """Write `real` and `fake` videos of frames; `kind` is "jpeg", "size", or no shortcut."""
    rng = np.random.default_rng(seed)
    for c in ("real", "fake"):
        for video in range(videos):
            folder = root / c / f"{rng.integers(10**6):06d}{video}"
            folder.mkdir(parents=True)
            for frame in range(FRAMES):
                side = 40 if kind == "size" and c == "fake" else 48
                quality = int(rng.integers(80, 96))
                if kind == "jpeg":
                    quality = 95 if c == "real" else 40
                picture(rng, side).save(folder / f"{frame}.jpg", quality=quality)
    return root
