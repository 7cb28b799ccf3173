"""Rule by which faces are cut out of images: margin, alignment, none and several faces."""

import re
from dataclasses import asdict, dataclass
from typing import Any

from salix import hyperparameters as hp
from salix.typing import InputError

SEVERAL = ("largest", "first", "all", "max")
_SCORE = re.compile(r"score:(\d*\.?\d+)")


@dataclass(frozen=True)
class FaceRule:
    """Margin and alignment of faces, and what becomes of images with none or several.

    `margin` is added on each side of a box, as a fraction of the box, up to the image's edge;
    `square` first extends the shorter side. `align` is the side of a face that is aligned by its
    landmarks, in pixels. An image with `no_face` is left out ("skip"), taken as a whole ("whole"),
    or has a fixed probability of the second class ("score:0.5"). Of `several` faces the largest, or
    the first of the table, is taken, or each is an image ("all"); with "max" these are reduced to
    the one with the greatest probability of the second class when the run is read. Raises
    `InputError` for other values.
    """

    margin: float = 0.0
    square: bool = False
    align: int | None = None
    no_face: str = "skip"
    several: str = "largest"

    def __post_init__(self):
        hp.check_fields(
            self,
            margin=hp.number(lambda m: 0 <= m <= 10, remedy="give a fraction of the box, as 0.15"),
            align=hp.optional(hp.integer(8, 2048)),
            several=hp.choice(SEVERAL),
        )
        if self.no_face not in ("skip", "whole") and self.score is None:
            raise InputError(
                f"no_face is {self.no_face!r}: give skip, whole, or score:0.5, a probability of "
                "the second class above 0 and below 1"
            )
        if self.square and self.align is not None:
            raise InputError("square and align exclude each other: an aligned face is square")

    @property
    def score(self) -> float | None:
        """Fixed probability of the second class of images without a face; None for none."""
        match = _SCORE.fullmatch(self.no_face)
        score = float(match[1]) if match else None
        return score if score is not None and 0 < score < 1 else None

    @property
    def needs_two_classes(self) -> bool:
        """Whether the rule is about the probability of the second class."""
        return self.several == "max" or self.score is not None

    def identity(self) -> dict[str, Any]:
        """Return the rule as JSON."""
        return asdict(self)
