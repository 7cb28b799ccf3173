"""Performance information curves SIC and AIC of a map, for any predictor on the host."""

import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from jaxtyping import Bool

from salix.hyperparameters import check_value, integer
from salix.metrics.faithfulness.information import (
    SHARE,
    InformationCurve,
    information_curve,
    skip_reason,
    skipped_curve,
)
from salix.metrics.faithfulness.ranking import RISING
from salix.metrics.faithfulness.scattered import interpolate_pixels
from salix.typing import AnyArray, InputError, Pixels

THRESHOLDS = (0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.13, 0.21, 0.34, 0.5, 0.75)
Predict = Callable[[Any], Any]  # uint8 [n h w c] -> probabilities [n classes]


def random_pixels(
    shape: tuple[int, int], seed: int, *, fraction: float | int = 0.01
) -> Bool[np.ndarray, "h w"]:
    """Mask of floor(`fraction` x pixels) random pixels, from a seed.

    One mask serves all maps of an image; another image has another seed.
    """
    mask = np.zeros(shape[0] * shape[1], bool)
    count = int(mask.size * check_value("fraction", fraction, SHARE))
    rng = np.random.default_rng(check_value("seed", seed, integer(0)))
    mask[rng.choice(mask.size, count, replace=False)] = True
    return mask.reshape(shape)


def webp_size(image: Pixels) -> int:
    """Information of an image: its bytes as lossless WebP of quality 100, by Pillow's encoder."""
    from PIL import Image

    image, file = np.asarray(image), io.BytesIO()
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    picture.save(file, "webp", lossless=True, quality=100)
    return file.tell()


def information_curves(
    predict: Predict,
    image: AnyArray,
    map: AnyArray,
    target: int,
    *,
    mask: AnyArray,
    thresholds: Sequence[float | int] = THRESHOLDS,
    least: float | int = 0.8,
    monotone: bool = True,
) -> dict[str, InformationCurve]:
    r"""Performance information curves of a map [h w] of one image [h w c]: "sic" and "aic".

    Each threshold t reveals the pixels whose map is at least its quantile 1 - t, beside the random
    pixels of `mask` (see `random_pixels`); the others are interpolated linearly between them.
    `predict(uint8 [n h w c])` returns probabilities [n classes]. Performance is that of `target`
    for SIC, and 1 where `target` has the highest, else 0, for AIC; information is `webp_size`.
    `information_curve` has the formula, `least` and `monotone`.

    Pixels of equal values are revealed together, so that a map of few values, as XRAI's, reveals
    more than t: see `InformationCurve.revealed`. A constant map is skipped. The sign is the
    caller's: give absolute values where both signs are salient. Sizes depend on the build of the
    encoder: compare areas of one installation. Raises `InputError` for inputs of other shapes.

    Kapishnikov et al. (2019), arXiv:1906.02825, sec. 4.1, as in its released code.
    """
    image, map, mask = (np.asarray(a) for a in (image, map, mask))
    _check_shapes(image, map, mask)
    check_value("target", target, integer(0))
    check_value("least", least, SHARE)
    thresholds = check_value("thresholds", thresholds, RISING)
    shown = [map >= np.quantile(map, 1 - t) for t in thresholds]
    revealed = np.array([pixels.mean() for pixels in shown])

    def evaluate(images: Sequence[Any]) -> dict[str, np.ndarray]:
        """Return both performances of images."""
        out = np.asarray(predict(np.stack(images)), float)
        if out.ndim != 2 or len(out) != len(images) or target >= out.shape[1]:
            raise InputError(
                f"predict returns {list(out.shape)} for {len(images)} images and target {target}: "
                "give probabilities [images classes]"
            )
        return {"sic": out[:, target], "aic": (out.argmax(1) == target).astype(float)}

    with ThreadPoolExecutor() as pool:  # Pillow's encoder releases Python's lock
        ends = [interpolate_pixels(image, mask), image]
        sizes, values = np.array(list(pool.map(webp_size, ends))), evaluate(ends)
        reasons = {name: skip_reason(sizes, v, least) for name, v in values.items()}
        if np.ptp(map) == 0:
            reasons = {name: reason or "the map is constant" for name, reason in reasons.items()}
        if all(reasons.values()):
            return {name: skipped_curve(reason, revealed) for name, reason in reasons.items()}
        steps = list(pool.map(lambda pixels: interpolate_pixels(image, pixels | mask), shown))
        sizes = np.insert(sizes, 1, list(pool.map(webp_size, steps)))
    inner = evaluate(steps)
    return {
        name: information_curve(
            sizes, np.insert(v, 1, inner[name]), revealed=revealed, least=least, monotone=monotone
        )
        for name, v in values.items()
    }


def _check_shapes(image: np.ndarray, map: np.ndarray, mask: np.ndarray) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] not in (1, 3):
        raise InputError(
            f"the image is {image.dtype}{list(image.shape)}: give uint8 [height width channels] of "
            "1 or 3 channels, as decoded from a file"
        )
    if map.shape != image.shape[:2] or not np.isfinite(map).all():
        raise InputError(
            f"the map has the shape {map.shape} and the image {image.shape}: give finite numbers, "
            "one for each pixel; resize a map on a grid"
        )
    if mask.shape != image.shape[:2] or mask.dtype != bool:
        raise InputError(
            f"mask is {mask.dtype}{list(mask.shape)}: give random_pixels({image.shape[:2]}, seed)"
        )
