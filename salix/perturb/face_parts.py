"""Parts of a face on a canonical crop."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from salix import hyperparameters as hp
from salix.perturb.segment_labels import SIDE, LabelLevels
from salix.typing import InputError

PLACE = hp.number(lambda x: 0 < x < 1, remedy="give a share of the crop's side between 0 and 1")


@dataclass(frozen=True)
class FaceParts:
    """Parts of an aligned face, the same for every image: no landmarks are detected.

    The crop is upright and centred: the line of the eyes lies at `eyes` and that of the mouth at
    `mouth`, shares of the height from above, and the pupils are `distance` apart, a share of the
    width. Defaults are those of the 112 x 112 crop of ArcFace (Deng et al., 2019, arXiv:1801.07698,
    with the five points of its code). Left and right are the viewer's. The twelve `parts` cover the
    image without overlap; label i + 1 is `parts[i]`.
    """

    eyes: float = 0.46
    mouth: float = 0.82
    distance: float = 0.315
    parts: ClassVar[tuple[str, ...]] = (
        "forehead",
        "left eye",
        "right eye",
        "nose",
        "mouth",
        "left cheek",
        "right cheek",
        "chin",
        "hair",
        "left side",
        "right side",
        "neck",
    )
    count: ClassVar[int] = 12
    levels: ClassVar[int] = 1

    def __post_init__(self) -> None:
        hp.check_fields(self, eyes=PLACE, mouth=PLACE, distance=PLACE)
        if self.mouth <= self.eyes:
            raise InputError(
                f"mouth is {self.mouth} and eyes {self.eyes}: give shares of the height from above"
            )

    def __call__(self, pixels: Any) -> LabelLevels:
        del pixels
        centres = (np.arange(SIDE) + 0.5) / SIDE
        # In units of the face: pupils at x = -1/2 and 1/2, y = 0; the mouth at x = 0, y = 1.
        y = ((centres - self.eyes) / (self.mouth - self.eyes))[:, None]
        x = ((centres - 0.5) / self.distance)[None]

        def ellipse(left: float, top: float, right: float, bottom: float) -> np.ndarray:
            u, v = (2 * x - left - right) / (right - left), (2 * y - top - bottom) / (bottom - top)
            return u**2 + v**2 <= 1

        face = ellipse(-1.15, -1.1, 1.15, 1.75)
        rules = {  # the first that holds
            "left eye": ellipse(-0.9, -0.45, -0.1, 0.25),
            "right eye": ellipse(0.1, -0.45, 0.9, 0.25),
            "nose": ellipse(-0.32, -0.2, 0.32, 0.8),
            "mouth": ellipse(-0.6, 0.78, 0.6, 1.3),
            "forehead": face & (y < -0.1),
            "chin": face & (y > 1.15),
            "left cheek": face & (x < 0),
            "right cheek": face & (x >= 0),
            "neck": (y > 1.15) & (abs(x) < 1.15),
            "hair": (y < -0.1) & (x == x),
            "left side": (x < 0) & (y == y),
            "right side": (x >= 0) & (y == y),
        }
        labels = np.select(list(rules.values()), [self.parts.index(p) + 1 for p in rules])
        return labels[None].astype(np.uint16)
