"""Properties of images that need no face: of file, size, pixels and name, and a face's size."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from salix.data.decode import recorded_contents
from salix.data.face_sources import face_crops
from salix.data.fitted import frame_of
from salix.data.headers import read_header
from salix.data.source import Source
from salix.preprocess import GREY

BAND = 512  # rows whose Laplacian is in memory at once


@dataclass(frozen=True)
class Property:
    """A number of each image; `kind` is the part of the data that it describes."""

    key: str
    title: str
    kind: str
    unit: str = ""


KINDS = {
    "file": "File",
    "jpeg": "JPEG coding",
    "size": "Size",
    "pixels": "Pixels",
    "face": "Face",
    "table": "Own table",
    "name": "File name",
}
PROPERTIES = (
    Property("bytes_per_pixel", "File size", "file", "bytes a pixel"),
    Property("metadata", "Metadata", "file", "bytes"),
    Property("exif", "EXIF present", "file", "1 = yes"),
    Property("jpeg_quality", "JPEG quality", "jpeg", "of the nearest standard table"),
    Property("jpeg_luma", "Luma step", "jpeg", "mean of the quantisation table"),
    Property("jpeg_chroma", "Chroma step", "jpeg", "mean of the quantisation table"),
    Property("jpeg_standard", "Standard tables", "jpeg", "1 = yes"),
    Property("jpeg_subsampling", "Chroma subsampling", "jpeg", "chroma for each luma sample"),
    Property("jpeg_progressive", "Progressive", "jpeg", "1 = yes"),
    Property("width", "Width", "size", "pixels"),
    Property("height", "Height", "size", "pixels"),
    Property("aspect", "Aspect", "size", "width over height"),
    Property("sharpness", "Sharpness", "pixels", "variance of the Laplacian, log10"),
    Property("red", "Mean red", "pixels", "0 to 255"),
    Property("green", "Mean green", "pixels", "0 to 255"),
    Property("blue", "Mean blue", "pixels", "0 to 255"),
    Property("contrast", "Contrast", "pixels", "standard deviation of grey levels"),
    Property("colour", "Colour channels", "pixels", "1 = colour, 0 = grey"),
    Property("face_width", "Face width", "face", "pixels"),
    Property("face_share", "Face size", "face", "share of the image"),
    Property("name_length", "Length of the name", "name", "characters"),
    Property("name_digits", "Digits in the name", "name", "share of its characters"),
)
KEYS = tuple(p.key for p in PROPERTIES)


class ImageProperties(NamedTuple):
    """Format of a file, "" of images without one, and the values of `PROPERTIES`, NaN unknown."""

    format: str
    values: tuple[float, ...]


def image_properties(source: Source, index: int) -> ImageProperties:
    """Measure one image of a source; raises `Unreadable`.

    Where faces are cut out, the pixels are those of the face, and file and size the image's.
    """
    crops = next(face_crops(source), None)
    with recorded_contents() as contents:
        image = source.read(index) if crops is None else crops.image(index)
    pixels = np.asarray(image if crops is None else crops.cut(index, image))
    height, width = frame_of(image)
    values: dict[str, float] = {"width": width, "height": height, "aspect": width / height}
    values |= _pixel_values(pixels) | _name_values(source.ids[index])
    if crops is not None and (face := int(crops.rows[index])) >= 0:
        sides = crops.faces.sides[face]
        values |= {"face_width": sides[0], "face_share": sides.prod() / (width * height)}
    if not contents:
        return _properties("", values)
    header = read_header(contents[-1])
    values |= {
        "bytes_per_pixel": header.size / (width * height),
        "metadata": header.metadata,
        "exif": header.exif,
        "jpeg_quality": header.quality,
        "jpeg_luma": header.luma,
        "jpeg_chroma": header.chroma,
        "jpeg_standard": header.standard,
        "jpeg_subsampling": header.subsampling,
        "jpeg_progressive": header.progressive,
    }
    return _properties(header.format, values)


def _properties(format: str, values: Mapping[str, float]) -> ImageProperties:
    return ImageProperties(format, tuple(float(values.get(key, np.nan)) for key in KEYS))


def _pixel_values(pixels: np.ndarray) -> dict[str, float]:
    """Return the properties of 8-bit pixels [h w] or [h w c]."""
    coloured = pixels.ndim == 3 and pixels.shape[-1] == 3
    plane = pixels if pixels.ndim == 2 else pixels[..., 0]
    means = pixels.reshape(-1, 3).mean(0) if coloured else np.full(3, plane.mean())
    # Sums over bands of rows, one row of overlap on either side for the Laplacian
    total, squares, edges, edge_squares, count = 0.0, 0.0, 0.0, 0.0, 0
    for start in range(0, len(plane), BAND):
        band = _grey(pixels[max(start - 1, 0) : start + BAND + 1], coloured)
        inner = band[min(start, 1) : min(start, 1) + BAND].astype(np.float64)
        total, squares = total + inner.sum(), squares + (inner * inner).sum()
        edge = _laplacian(band)
        edges, edge_squares = edges + edge.sum(), edge_squares + (edge * edge).sum()
        count += edge.size
    sharpness = edge_squares / count - (edges / count) ** 2 if count else np.nan
    return {
        "red": float(means[0]),
        "green": float(means[1]),
        "blue": float(means[2]),
        "contrast": float(np.sqrt(max(squares / plane.size - (total / plane.size) ** 2, 0.0))),
        # An image of one colour has no edge: of 8-bit levels a variance below 1e-3 is none.
        "sharpness": float(np.log10(max(sharpness, 1e-3))) if count else np.nan,
        "colour": float(coloured),
    }


def _grey(pixels: np.ndarray, coloured: bool) -> np.ndarray:
    if coloured:
        return pixels.astype(np.float32) @ GREY.astype(np.float32)
    return (pixels if pixels.ndim == 2 else pixels[..., 0]).astype(np.float32)


def _laplacian(grey: np.ndarray) -> np.ndarray:
    """Return the sum of the four neighbours less four times the pixel, [h-2 w-2]."""
    centre = grey[1:-1, 1:-1].astype(np.float64)
    return grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * centre


def _name_values(id: Any) -> dict[str, float]:
    """Return the properties of a file's name, without its folders and suffix."""
    name = str(id).rpartition("/")[2]
    stem = name.rpartition(".")[0] or name
    return {
        "name_length": float(len(stem)),
        "name_digits": sum(c.isdigit() for c in stem) / max(len(stem), 1),
    }
