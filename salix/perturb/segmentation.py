"""Segmentations of an image that ask no model: SLIC and Felzenszwalb's graph, on several scales."""

from dataclasses import dataclass
from importlib.metadata import version
from math import ceil, sqrt
from typing import Any, Protocol, runtime_checkable

import numpy as np

from salix import hyperparameters as hp
from salix.perturb.face_parts import FaceParts
from salix.perturb.segment_labels import LabelLevels, distinct_segments, stretched
from salix.perturb.user_masks import UserMasks

SHARE = hp.number(lambda x: 0 <= x <= 1, remedy="give a share from 0 to 1")
POSITIVE = hp.number(lambda x: x > 0, remedy="give a number above 0")
SEGMENTS = hp.several(
    hp.integer(1, 1000), remedy="give numbers of segments from 1 to 1000, one for each level"
)


@runtime_checkable
class Segmentation(Protocol):
    """A function from pixels to segments: a frozen dataclass whose fields are its settings.

    It is called on the host with uint8 [h w c] of any size and returns uint16 [levels 224 224]: the
    whole image stretched to 224 x 224, with labels from 1 to at most `count`, unique over all
    levels, and 0 where a level has no segment. Results are cached on disk by `salix.data` where it
    has a `version`, a text that changes with its results.
    """

    @property
    def count(self) -> int:
        """The greatest label of any image."""
        ...

    @property
    def levels(self) -> int:
        """The number of label images, each of disjoint segments."""
        ...

    def __call__(self, pixels: Any) -> LabelLevels:
        """Segment one image."""
        ...


@dataclass(frozen=True)
class SLIC:
    r"""Superpixels on three scales without near-duplicates, as ACE's regions.

    k-means of colour (CIELAB) and place, with about `segments` superpixels a level; `compactness`
    weighs place against colour, after a Gaussian blur of `sigma` pixels of 224 x 224.
    `overlap` and `least_area` are those of `distinct_segments`: the greatest Jaccard index with a
    segment of a former level, and the least share of the image. A constant image becomes a regular
    grid. `count` is $\sum_i \lceil \sqrt{n_i} \rceil^2$, the greatest grids of starting points.

    Achanta et al. (2012), IEEE TPAMI 34(11), by scikit-image; settings of Ghorbani et al. (2019),
    arXiv:1902.03129.
    """

    segments: tuple[int, ...] = (15, 50, 80)
    compactness: float = 20.0
    sigma: float = 1.0
    overlap: float = 0.5
    least_area: float = 0.001

    def __post_init__(self) -> None:
        hp.check_fields(
            self,
            segments=SEGMENTS,
            compactness=POSITIVE,
            sigma=hp.number(lambda x: x >= 0, remedy="give 0 or more pixels"),
            overlap=SHARE,
            least_area=SHARE,
        )

    @property
    def count(self) -> int:
        """The greatest number of segments of an image; beyond it the smallest are left out."""
        return sum(ceil(sqrt(n)) ** 2 for n in self.segments)

    @property
    def levels(self) -> int:
        """One level for each scale."""
        return len(self.segments)

    @property
    def version(self) -> str:
        """Version of the segments that equal settings give."""
        return _version()

    def __call__(self, pixels: Any) -> LabelLevels:
        from skimage.segmentation import slic

        image = stretched(pixels)
        labels = [
            slic(image, n, compactness=self.compactness, sigma=self.sigma, start_label=1)
            for n in self.segments
        ]
        return distinct_segments(
            labels, overlap=self.overlap, least_area=self.least_area, count=self.count
        )


@dataclass(frozen=True)
class Felzenszwalb:
    r"""Segments of Felzenszwalb's graph on six scales, as XRAI's regions.

    The image is scaled to [-1, 1] by its own range, a constant one to zero; a segment grows while
    an edge to its neighbour is at most its greatest inner difference plus `scale` / 255 / size,
    after a Gaussian blur of `sigma` pixels of 224 x 224, and has at least `min_size` pixels.
    `overlap` and `least_area` as for `SLIC`; XRAI keeps near-duplicates: `overlap=1`. Of more than
    `most` segments the smallest are left out.

    Felzenszwalb and Huttenlocher (2004), IJCV 59(2), by scikit-image; settings of Kapishnikov et
    al. (2019), arXiv:1906.02825. XRAI also dilates segments, by 5 pixels; these are disjoint.
    """

    scales: tuple[float, ...] = (50, 100, 150, 250, 500, 1200)
    sigma: float = 0.8
    min_size: int = 150
    overlap: float = 0.5
    least_area: float = 0.001
    most: int = 256

    def __post_init__(self) -> None:
        scale = hp.number(lambda x: x >= 0)
        hp.check_fields(
            self,
            scales=hp.several(scale, remedy="give scales of 0 or more, one for each level"),
            sigma=hp.number(lambda x: x >= 0, remedy="give 0 or more pixels"),
            min_size=hp.integer(1),
            overlap=SHARE,
            least_area=SHARE,
            most=hp.integer(1, 2**16 - 1),
        )

    @property
    def count(self) -> int:
        """The greatest number of segments of an image."""
        return self.most

    @property
    def levels(self) -> int:
        """One level for each scale."""
        return len(self.scales)

    @property
    def version(self) -> str:
        """Version of the segments that equal settings give."""
        return _version()

    def __call__(self, pixels: Any) -> LabelLevels:
        from skimage.segmentation import felzenszwalb

        image = stretched(pixels).astype(np.float64)
        low, high = image.min(), image.max()
        scaled = (image - low) * (2 / (high - low)) - 1 if high > low else np.zeros_like(image)
        labels = [
            felzenszwalb(scaled, scale, sigma=self.sigma, min_size=self.min_size) + 1
            for scale in self.scales
        ]
        return distinct_segments(
            labels, overlap=self.overlap, least_area=self.least_area, count=self.count
        )


def _version() -> str:
    return f"1, scikit-image {version('scikit-image')}"


SEGMENTATIONS: dict[str, type] = {
    "SLIC": SLIC,
    "Felzenszwalb": Felzenszwalb,
    "FaceParts": FaceParts,
    "UserMasks": UserMasks,
}


def _plain_segmentation(value: Any) -> Any:
    if isinstance(value, type) or not isinstance(value, Segmentation | UserMasks):
        raise ValueError
    return value


SEGMENTATION = hp.Hyperparameter(
    _plain_segmentation,
    f"give one of {', '.join(f'{name}()' for name in SEGMENTATIONS)}, or your own function of the "
    "pixels with count and levels (salix.perturb.segmentation.Segmentation)",
)
