"""Choice of a video's frames: a number of them evenly or at random, a rate, or positions."""

import re
from dataclasses import dataclass

import numpy as np

from salix.data.source import id_hash
from salix.typing import InputError

_CHOICE = re.compile(
    r"(?P<count>\d+)|(?P<rate>\d+(\.\d+)?)fps|at:(?P<at>\d+(,\d+)*)|"
    r"random:(?P<random>\d+)(:(?P<seed>\d+))?"
)
FORMS = "32 (evenly), 2fps, at:0,30,60 or random:32:SEED"


@dataclass(frozen=True)
class FrameChoice:
    """Frames of each video: one of the forms of `parse_frames`."""

    count: int | None = None
    rate: float | None = None  # frames a second
    at: tuple[int, ...] = ()
    seed: int | None = None  # of a random choice of `count`

    def of(self, video: str, total: int, rate: float | None) -> list[int]:
        """Return positions, in order, among the `total` frames of a video of `rate` a second.

        `count` frames evenly have the positions of DeepfakeBench's preprocessing,
        `linspace(0, total - 1, count)` rounded down. A random choice depends on the seed and the
        name of the video alone. Raises `ValueError` for a rate where that of the video is unknown.
        """
        if self.rate is not None:
            if not rate:
                raise ValueError("the video gives no frame rate: choose a number of frames")
            if self.rate >= rate:
                return list(range(total))
            steps = np.arange(int(total / rate * self.rate) + 1) / self.rate
            positions = np.round(steps * rate).astype(int)
            return np.unique(positions[positions < total]).tolist()
        if self.count is None:
            return [position for position in self.at if position < total]
        if self.count >= total:
            return list(range(total))
        if self.seed is None:
            return np.linspace(0, total - 1, self.count).astype(int).tolist()
        generator = np.random.default_rng([self.seed, id_hash(video)])
        return np.sort(generator.choice(total, self.count, replace=False)).tolist()


def parse_frames(text: str) -> FrameChoice:
    """Parse `32`, `2fps`, `at:0,30,60` or `random:32:SEED`; raises `InputError` for other text."""
    match = _CHOICE.fullmatch(text.strip())
    if match is None or all(int(n) == 0 for n in re.findall(r"\d+", text)[:1]) * (not match["at"]):
        raise InputError(f"--frames {text!r}: give {FORMS}")
    if match["rate"]:
        return FrameChoice(rate=float(match["rate"]))
    if match["at"]:
        return FrameChoice(at=tuple(sorted({int(n) for n in match["at"].split(",")})))
    if match["random"]:
        return FrameChoice(count=int(match["random"]), seed=int(match["seed"] or 0))
    return FrameChoice(count=int(match["count"]))
