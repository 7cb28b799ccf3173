"""Image files of one face in different codings, and short videos of faces."""

import shutil
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from salix.data import Folder
from salix.data.videos import pyav

CLASSES = ("real", "fake")
LOSSLESS = 0  # in the place of a JPEG quality
PHOTOGRAPH = 75  # JPEG quality of photographs in a collection as published
DRAWN = (50, 95)  # JPEG qualities that are drawn for all images alike
QUALITIES = (90, 60, 30)  # of all test images
ZOOM, LIGHT = 0.12, 0.06  # of a video, at most: shares of the side, and of the grey levels

# JPEG quality of an image by its id and whether it is fake
Coding = Callable[[str, bool], int]


def drawn_quality(id: str, fake: bool) -> int:
    """Return a JPEG quality drawn by the id's checksum, alike for both classes."""
    del fake
    low, high = DRAWN
    return low + zlib.crc32(id.encode()) % (high - low + 1)


# Of the training images: files as collections come, and one coding for both classes
TRAINING: Mapping[str, Coding] = {
    "own": lambda id, fake: LOSSLESS if fake else PHOTOGRAPH,
    "one": drawn_quality,
}
TEST: Mapping[str, Coding] = {
    "own": TRAINING["own"],
    "lossless": lambda id, fake: LOSSLESS,
    **{f"jpeg {q}": (lambda id, fake, q=q: q) for q in QUALITIES},
}


def write_images(
    folder: Path, coding: Coding, pixels: np.ndarray, fake: Sequence[bool], ids: Sequence[str]
) -> Folder:
    """Write images [n h w 3] as `folder`/real|fake/ID.jpg or .png, unless the folder exists."""
    if not folder.is_dir():
        unfinished = _unfinished(folder)
        for image, is_fake, id in zip(pixels, fake, ids, strict=True):
            quality = coding(id, bool(is_fake))
            suffix = "png" if quality == LOSSLESS else "jpg"
            path = unfinished / CLASSES[int(is_fake)] / f"{id}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            options: dict[str, Any] = {} if quality == LOSSLESS else {"quality": quality}
            Image.fromarray(image).save(path, **options)
        unfinished.rename(folder)
    return Folder(folder)


def write_videos(
    folder: Path,
    pixels: np.ndarray,
    fake: Sequence[bool],
    ids: Sequence[str],
    *,
    frames: int = 8,
) -> Path:
    """Write a short video of each image, `folder`/real|fake/ID.mp4, unless the folder exists.

    Camera and light move as `moved` draws by the position of the image. H.264 in yuv420p, of one
    quality for all. Raises `InputError` without PyAV.
    """
    if folder.is_dir():
        return folder
    av, unfinished = pyav(), _unfinished(folder)
    for number, (image, is_fake, id) in enumerate(zip(pixels, fake, ids, strict=True)):
        path = unfinished / CLASSES[int(is_fake)] / f"{id.replace('/', '-')}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=8, options={"crf": "23"})
            stream.height, stream.width = image.shape[:2]
            stream.pix_fmt = "yuv420p"
            for frame in moved(image, np.random.default_rng(number), frames):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
    unfinished.rename(folder)
    return folder


def moved(image: np.ndarray, rng: np.random.Generator, frames: int) -> list[np.ndarray]:
    """Return frames of an image [h w 3] under a camera that zooms in, shifts and changes light.

    The window starts at a random place of the image, reduced, and moves within it.
    """
    size = np.array(image.shape[1::-1], np.float64)
    zoom, light = 1 - rng.uniform(ZOOM / 2, ZOOM, 2), rng.uniform(-LIGHT, LIGHT) * 255
    places = rng.uniform(0, 1, (2, 2))  # of the first and the last window, shares of the free room
    picture, result = Image.fromarray(image), []
    for t in np.linspace(0, 1, frames):
        side = ((1 - t) * zoom[0] + t * zoom[1]) * size
        corner = ((1 - t) * places[0] + t * places[1]) * (size - side)
        box = (*corner.tolist(), *(corner + side).tolist())
        frame = picture.resize(picture.size, Image.Resampling.BICUBIC, box=box)
        result.append(np.clip(np.asarray(frame, np.float64) + light * t, 0, 255).astype(np.uint8))
    return result


def _unfinished(folder: Path) -> Path:
    """Return an empty folder beside another one, which takes its name when it is complete."""
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    return unfinished
