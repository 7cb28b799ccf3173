"""Sources whose images are brought to one size and one JPEG coding, in memory."""

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np

from salix.data.content import source_identity
from salix.data.decode import decode, fit, to_pillow
from salix.data.fitted import packings
from salix.data.views import View
from salix.preprocess import Preprocess
from salix.typing import InputError

SUBSAMPLING = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}


def check_coding(quality: int | None, side: int | None) -> None:
    """Raise `InputError` for a JPEG quality or a side in pixels that is out of range."""
    if quality is not None and not 1 <= quality <= 100:
        raise InputError(f"quality is {quality}: give a JPEG quality from 1 to 100")
    if side is not None and not 8 <= side <= 4096:
        raise InputError(f"side is {side}: give 8 to 4096 pixels")


@dataclass(frozen=True)
class Recoded(View):
    """The images of a source, encoded again as JPEG of one quality, with its standard tables.

    With `side`, each is first resized to a square of so many pixels (bilinear, antialiased, not
    keeping its aspect). Traces of an earlier coding or resizing that survive this stay. Raises
    `InputError` for packed data, whose images are resized already, and for values out of range.
    """

    quality: int = 90
    side: int | None = None
    subsampling: str = "4:2:0"

    def __post_init__(self):
        check_coding(self.quality, self.side)
        if next(packings(self.source), None) is not None:
            raise InputError(
                "packed data have lost their files: audit a detector on the images themselves"
            )

    @property
    def has_reference_masks(self) -> bool:
        """Whether images have reference masks: none of a copy has one."""
        return False

    def reference_mask(self, index: int) -> np.ndarray | None:
        """None."""
        del index

    def read(self, index: int) -> Any:
        """Return one image, resized and encoded; raises `Unreadable`."""
        from PIL import Image

        image = to_pillow(self.source.read(index))
        if self.side is not None:
            channels = 1 if image.mode == "L" else 3
            pixels = np.asarray(fit(image, Preprocess((self.side, self.side), channels)))
            image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
        buffer = BytesIO()
        options = {} if image.mode == "L" else {"subsampling": SUBSAMPLING[self.subsampling]}
        image.save(buffer, "JPEG", quality=self.quality, **options)
        return decode(buffer.getvalue())

    def identity(self, *, full: bool = False) -> dict[str, Any]:
        """Identity of the source, and the coding."""
        coding = {"quality": self.quality, "side": self.side, "subsampling": self.subsampling}
        return {"recoded": coding} | source_identity(self.source, full=full)
