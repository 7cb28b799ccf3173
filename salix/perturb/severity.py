"""The kinds of corruption that a measure names, and the levels of each from mild to severe."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from salix.perturb.corruptions import gaussian_blur, gaussian_noise, salt_and_pepper
from salix.perturb.jpeg import jpeg
from salix.typing import Image, InputError


@dataclass(frozen=True)
class Kind:
    """A corruption, what its strength is, the mildest and the severest, and the usual levels."""

    corrupt: Callable[..., Image]  # (pixels, strength, key) -> pixels
    title: str
    axis: str
    mildest: float
    severest: float
    levels: tuple[float, ...]
    source: str

    def check(self, levels: Sequence[float]) -> None:
        """Raise `InputError` for levels that are none, out of range or not from mild to severe."""
        way, found = np.sign(self.severest - self.mildest), np.array(levels, float)
        inside = (way * self.mildest <= way * found) & (way * found <= way * self.severest)
        rising = np.diff(way * found) > 0
        if not (found.size and inside.all() and rising.all() and np.isfinite(found).all()):
            raise InputError(
                f"levels of {self.title} are {tuple(levels)}: give at least one, from mild to "
                f"severe, each once, between {self.mildest:g} and {self.severest:g}"
            )


CRUM = "Crum et al. (2023), arXiv:2303.11969"
HENDRYCKS = "Hendrycks and Dietterich (2019), arXiv:1903.12261"

# Salt and pepper as published; the others at the five severities of ImageNet-C, after the clean
# image or, for JPEG, which has no quality that changes nothing, after qualities that are in use.
KINDS = {
    "salt_and_pepper": Kind(
        salt_and_pepper, "Salt-and-pepper noise", "share of values replaced", 0, 1,
        (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0), CRUM,
    ),
    "gaussian": Kind(
        gaussian_noise, "Gaussian noise", "standard deviation, in units of [0, 1]", 0, np.inf,
        (0.0, 0.08, 0.12, 0.18, 0.26, 0.38), HENDRYCKS,
    ),
    "blur": Kind(
        gaussian_blur, "Gaussian blur", "sigma, in pixels", 0, np.inf,
        (0.0, 1.0, 2.0, 3.0, 4.0, 6.0), HENDRYCKS,
    ),
    "jpeg": Kind(
        jpeg, "JPEG compression", "quality", 100, 1,
        (90.0, 75.0, 50.0, 25.0, 18.0, 15.0, 10.0, 7.0), HENDRYCKS,
    ),
}  # fmt: skip
