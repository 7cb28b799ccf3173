"""Facts of an image file beside its pixels: format, JPEG tables, metadata."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np

from salix.data.decode import available_formats
from salix.data.metadata import PNG, without_metadata
from salix.perturb.jpeg import CHROMA, LUMA

NAN = float("nan")


@dataclass(frozen=True)
class FileHeader:
    """Format as Pillow names it, sizes in bytes, and of a JPEG its coding; NaN for other formats.

    `quality` is that of the Independent JPEG Group's tables with the nearest sum of luma steps,
    `luma` and `chroma` the mean quantisation steps (chroma NaN of a grey image), `standard` 1 where
    the tables are exactly those of that quality, `subsampling` the chroma samples for each luma
    sample, 1 (4:4:4) to 1/4 (4:2:0), `progressive` 1 or 0. `metadata` are the bytes that no pixel
    of the first frame needs, `exif` 1 where there is a block of EXIF.
    """

    format: str
    size: int
    metadata: int
    exif: float
    quality: float = NAN
    luma: float = NAN
    chroma: float = NAN
    standard: float = NAN
    subsampling: float = NAN
    progressive: float = NAN


def read_header(content: bytes) -> FileHeader:
    """Return the facts of an image file that `decode` has decoded."""
    from PIL import Image

    picture = without_metadata(content)
    with Image.open(BytesIO(picture.content), formats=available_formats()) as image:
        name = image.format or ""
        counts = (name, len(content), len(content) - len(picture.content), _has_exif(content))
        tables = getattr(image, "quantization", None)
        if name not in ("JPEG", "MPO") or not tables:
            return FileHeader(*counts)
        layers = getattr(image, "layer", [])
        progressive = float("progression" in image.info or "progressive" in image.info)
    steps = [np.sort(np.asarray(tables[k], int)) for k in sorted(tables)]
    quality = int(np.abs(_scaled_sums() - steps[0].sum()).argmin()) + 1
    standard = np.array_equal(steps[0], np.sort(scaled(LUMA, quality).ravel()))
    if len(steps) > 1:
        standard &= np.array_equal(steps[1], np.sort(scaled(CHROMA, quality).ravel()))
    chroma = float(steps[1].mean()) if len(steps) > 1 and len(layers) > 1 else NAN
    luma_step, sampling = float(steps[0].mean()), _subsampling(layers)
    return FileHeader(
        *counts, float(quality), luma_step, chroma, float(standard), sampling, progressive
    )


def scaled(table: np.ndarray, quality: int) -> np.ndarray:
    """Return the quantisation steps of a quality from 1 to 100, as the Independent JPEG Group's."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((table * percent + 50) // 100, 1, 255)


def _scaled_sums() -> np.ndarray:
    return np.array([scaled(LUMA, quality).sum() for quality in range(1, 101)])


def _subsampling(layers: list) -> float:
    """Return the chroma samples for each luma sample, from the sampling factors of the layers."""
    if len(layers) < 3:
        return NAN
    samples = [layer[1] * layer[2] for layer in layers]
    return samples[1] / samples[0] if samples[0] else NAN


def _has_exif(content: bytes) -> float:
    mark = b"Exif\0\0"
    if content.startswith(PNG):
        mark = b"eXIf"
    elif content.startswith(b"RIFF"):
        mark = b"EXIF"
    return float(mark in content)
