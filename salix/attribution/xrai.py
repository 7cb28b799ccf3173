"""XRAI: the segments of an image ranked by the density of an attribution."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from salix.attribution.cost import passes_of
from salix.attribution.felzenszwalb import felzenszwalb_levels
from salix.attribution.integrated_gradients import IntegratedGradients
from salix.attribution.mask_bits import dilate, pack_labels
from salix.attribution.segment_ranking import AREA, LEAST_PIXELS, ORDERS, rank_planes
from salix.attribution.smoothgrad import METHOD
from salix.hyperparameters import check_fields, choice, integer, number, several
from salix.perturb.host import call_on_host
from salix.precision import widen
from salix.typing import Image, InputError, Method, Passes, PRNGKey, ScoreLike

POSITIVE = number(lambda n: n > 0, remedy="give a number greater than 0")
SCALES = several(POSITIVE, remedy="give numbers greater than 0, as (50, 500)")


@dataclass(frozen=True)
class XRAI:
    r"""XRAI, the mean of an attribution over each of the segments that it ranks first.

    The map is the maximum over the channels of the attribution by `base`, enlarged (linearly) to
    the image where it is on a grid. Segments are Felzenszwalb's of six `scales`, dilated by a disk
    of radius `dilation`; `rank_segments` orders them by their mean of the map, and every pixel
    has the mean of its segment: A is signed, in units of the score per pixel, and its sum is that
    of the map. `order` is "full" or "fast"; `least_pixels` and `area` as there.

    Segmentation and ranking run on the host (about 0.3 s for one image of 224 x 224) and depend on
    the image and the map alone; a constant image is one segment, and a map that is not finite gives
    NaN. Derivatives are not defined. With `base` over baselines of the image's least and greatest
    value it is the released code. Raises `InputError` for images that are not [h w c].

    Kapishnikov et al. (2019), arXiv:1906.02825, sec. 3. Patented, to our knowledge: US 11,755,948
    B2 and US 12,236,326 B2.
    """

    base: Method = field(default_factory=lambda: IntegratedGradients("black_white", 50))
    order: str = "full"
    scales: tuple[float | int, ...] = (50, 100, 150, 250, 500, 1200)
    sigma: float | int = 0.8
    least_size: int = 150
    dilation: int = 5
    least_pixels: int = 50
    area: float | int = 1.0

    pooling: ClassVar[str] = "signed_sum"  # one channel with a meaningful sign

    def __post_init__(self) -> None:
        check_fields(self, base=METHOD, order=choice(ORDERS), scales=SCALES, sigma=POSITIVE)
        check_fields(self, least_size=integer(1), dilation=integer(0))
        check_fields(self, least_pixels=LEAST_PIXELS, area=AREA)

    @property
    def reads_trunk(self) -> bool:
        """Whether the base reads the trunk's features."""
        return getattr(self.base, "reads_trunk", False)

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the model passes of one image of a shape [*space c]."""
        return passes_of(self.base, shape)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Float[Array, "h w 1"]:
        image = jnp.asarray(image)
        if image.ndim != 3:
            raise InputError(
                f"XRAI segments images [height width channels], and this one has the shape "
                f"{image.shape}: explain it by {self.base!r}"
            )
        map = widen(self.base(score, image, key)).max(-1)
        if map.shape != image.shape[:-1]:
            map = jax.image.resize(map, image.shape[:-1], "linear")
        segments = {"scales": self.scales, "sigma": self.sigma, "least_size": self.least_size}
        ranking = {"order": self.order, "least_pixels": self.least_pixels, "area": self.area}
        host = partial(_heatmaps, segments=segments, dilation=self.dilation, ranking=ranking)
        heatmap = call_on_host(host, jax.ShapeDtypeStruct(map.shape, map.dtype), image, map)
        return heatmap[..., None]


def _heatmaps(
    images: Any,
    maps: Any,
    *,
    segments: Mapping[str, Any],
    dilation: int,
    ranking: Mapping[str, Any],
) -> np.ndarray:
    """Return the heat maps of a batch with any number of leading axes."""
    images, maps = np.asarray(images), np.asarray(maps)
    images = images if images.dtype == np.float64 else images.astype(np.float32)
    out = np.full(maps.shape, np.nan, maps.dtype)
    packed: dict[bytes, tuple[np.ndarray, int]] = {}  # slots without an example are all the same
    for at in np.ndindex(maps.shape[:-2]):
        if not (np.isfinite(images[at]).all() and np.isfinite(maps[at]).all()):
            continue
        content = images[at].tobytes()
        if content not in packed:
            labels = felzenszwalb_levels(images[at], **segments)
            packed[content] = dilate(pack_labels(labels), dilation), int(labels.max())
        planes, count = packed[content]
        out[at] = rank_planes(maps[at].astype(np.float64), planes, count, **ranking).heatmap
    return out
