"""Families of forgeries of the same faces, known by their traces alone."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from salix.data.decode import decode
from salix.data.forge import forge
from salix.perturb.forgery import upsample_blocks

Face = UInt8[np.ndarray, "h w c"]
Faces = UInt8[np.ndarray, "n h w c"]


@dataclass(frozen=True)
class ForgeryFamily:
    """A way to forge a face.

    `make(face, rng)` returns the forged face, and the mask of what was changed: None for all of it.
    """

    about: str
    make: Callable[[Face, np.random.Generator], tuple[Face, Float[np.ndarray, "h w"] | None]]


def forge_faces(
    family: ForgeryFamily, faces: Faces, *, seed: int
) -> tuple[Faces, Float[np.ndarray, "n h w"]]:
    """Return faces forged by a family, each with its mask in [0, 1]; 1 where all was changed.

    A face, its place and the seed determine its forgery. Raises `InputError` for a face that a
    family cannot change, such as a flat one.
    """
    forged, masks = np.empty_like(faces), np.ones(faces.shape[:3], np.float32)
    for i, face in enumerate(faces):
        forged[i], mask = family.make(face, np.random.default_rng([seed, i]))
        if mask is not None:
            masks[i] = mask
    return forged, masks


def resample(filter: Image.Resampling, factor: int = 2) -> ForgeryFamily:
    """Return the family of faces reduced by an area mean and enlarged by a filter."""

    def make(face: Face, rng: np.random.Generator) -> tuple[Face, None]:
        del rng
        picture = _picture(face)
        small = picture.reduce(factor)
        return _pixels(small.resize(picture.size, filter), face), None

    return ForgeryFamily(f"reduced {factor} times and enlarged, {filter.name.lower()}", make)


def transposed(contrast: float = 0.25) -> ForgeryFamily:
    """Return the family of faces in blocks of 2 x 2 with a checkerboard of this contrast."""

    def make(face: Face, rng: np.random.Generator) -> tuple[Face, None]:
        del rng
        values = upsample_blocks(face.astype(np.float64), 2, contrast)
        return np.clip(np.rint(values), 0, 255).astype(np.uint8), None

    return ForgeryFamily("blocks of 2 x 2 with the checkerboard of a transposed convolution", make)


def coded(format: str, **options: int | float | bool | str | tuple[int, ...]) -> ForgeryFamily:
    """Return the family of faces written and read in an image format of Pillow."""

    def make(face: Face, rng: np.random.Generator) -> tuple[Face, None]:
        del rng
        buffer = io.BytesIO()
        _picture(face).save(buffer, format, **options)
        return _pixels(decode(buffer.getvalue()), face), None

    return ForgeryFamily(f"{format} with {', '.join(f'{k} {v}' for k, v in options.items())}", make)


def total_variation(weight: float = 0.08) -> ForgeryFamily:
    """Return the family of faces with a small total variation. Chambolle (2004), JMIV 20."""

    def make(face: Face, rng: np.random.Generator) -> tuple[Face, None]:
        from skimage.restoration import denoise_tv_chambolle

        del rng
        smooth = denoise_tv_chambolle(face / 255, weight=weight, channel_axis=-1)
        return np.rint(255 * smooth).clip(0, 255).astype(np.uint8), None

    return ForgeryFamily(f"total variation minimised, weight {weight}", make)


def median(size: int = 3) -> ForgeryFamily:
    """Return the family of faces with each pixel the median of its window."""

    def make(face: Face, rng: np.random.Generator) -> tuple[Face, None]:
        from scipy.ndimage import median_filter

        del rng
        return median_filter(face, (size, size, 1)), None

    return ForgeryFamily(f"median of {size} x {size} pixels", make)


def low_frequencies() -> ForgeryFamily:
    """Return the family of faces with the lower half of their cosine spectrum along each axis."""

    def make(face: Face, rng: np.random.Generator) -> tuple[Face, None]:
        from scipy.fft import dctn, idctn

        del rng
        spectrum = np.array(dctn(face.astype(np.float64), axes=(0, 1), norm="ortho"))
        height, width = face.shape[:2]
        spectrum[height // 2 :], spectrum[:, width // 2 :] = 0, 0
        values = np.asarray(idctn(spectrum, axes=(0, 1), norm="ortho"))
        return np.clip(np.rint(values), 0, 255).astype(np.uint8), None

    return ForgeryFamily("lower half of the cosine spectrum along each axis", make)


def region(kind: str) -> ForgeryFamily:
    """Return the family of faces with one region forged by `salix.data.forge`."""

    def make(face: Face, rng: np.random.Generator) -> tuple[Face, Float[np.ndarray, "h w"]]:
        other = np.ascontiguousarray(face[:, ::-1]) if kind == "splice" else None
        forged, mask = forge(face, rng, kind, other=other)
        return forged, mask

    return ForgeryFamily(f"a region forged by {kind}", make)


FAMILIES: Mapping[str, ForgeryFamily] = MappingProxyType(
    {
        "JPEG": coded("JPEG", quality=30),
        "Lanczos": resample(Image.Resampling.LANCZOS),
        "total variation": total_variation(),
        "warp": region("warp"),
        "WebP": coded("WEBP", quality=20),
        "JPEG 2000": coded("JPEG2000", quality_mode="rates", quality_layers=(16,)),
        "bilinear": resample(Image.Resampling.BILINEAR),
        "checkerboard": transposed(),
        "median": median(),
        "cosine": low_frequencies(),
        "self-blended": region("self_blend"),
    }
)


def _picture(face: Face) -> Image.Image:
    return Image.fromarray(face if face.shape[-1] == 3 else face[..., 0])


def _pixels(picture: Image.Image, face: Face) -> Face:
    """Return the pixels of a picture in the channels of a face."""
    mode = "RGB" if face.shape[-1] == 3 else "L"
    return np.asarray(picture.convert(mode)).reshape(face.shape)
