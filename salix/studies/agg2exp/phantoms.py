"""Phantom scans in which the place of one organ defines another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from salix.hyperparameters import check_fields, integer, number
from salix.typing import InputError

CLASSES = ("background", "anchor 1", "follower 1", "anchor 2", "follower 2", "control")
# The organ that defines each follower, by number; nothing depends on the control.
DEPENDENCES = {2: 1, 4: 3}
CONTROL = 5
INTENSITIES = {1: 2.0, 3: -2.0, 5: 4.0}  # of background 0: followers cannot be seen themselves
RADII = {1: 4.0, 2: 3.0, 3: 4.0, 4: 3.0, 5: 4.0}
OFFSETS = {2: (0, 0, 9), 4: (0, -9, 0)}  # of a follower from its anchor, in voxels
LEAST_SIDE = 24


@dataclass(frozen=True)
class PhantomSetting:
    """Side of the scans, standard deviation of their noise, and jitter of the followers in voxels.

    `jitter` moves a follower at random: its anchor then tells its place less exactly.
    """

    side: int = 32
    noise: float = 0.5
    jitter: float = 0.0

    def __post_init__(self) -> None:
        positive = number(lambda n: n >= 0, remedy="give a number, 0 or more")
        check_fields(self, side=integer(1), noise=positive, jitter=positive)
        if self.side < LEAST_SIDE:
            raise InputError(
                f"phantoms of {self.side} voxels a side have no room for five organs: give a side "
                f"of {LEAST_SIDE} or more"
            )


def draw_phantom(
    setting: PhantomSetting, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "d h w 1"], Int[np.ndarray, "d h w"]]:
    """Return a scan and its classes.

    Two anchors, bright and dark, and a brighter control are balls at random places. A follower is a
    ball at a fixed offset from its anchor with the intensity of the background: only the anchor
    tells where it is, so a network that finds it looks at the anchor.
    """
    centres = _draw_centres(setting, rng)
    grid = np.stack(np.meshgrid(*[np.arange(setting.side)] * 3, indexing="ij"), -1)
    classes = np.zeros((setting.side,) * 3, np.int32)
    volume = np.zeros(classes.shape, np.float32)
    for organ, centre in centres.items():
        inside = ((grid - centre) ** 2).sum(-1) <= RADII[organ] ** 2
        classes[inside] = organ
        volume[inside] = INTENSITIES.get(organ, 0.0)
    volume += setting.noise * rng.standard_normal(volume.shape, np.float32)
    return volume[..., None], classes


def _draw_centres(
    setting: PhantomSetting, rng: np.random.Generator
) -> dict[int, Float[np.ndarray, " 3"]]:
    """Return the centres of the organs, drawn until they are inside and apart."""
    margin, high = 3.0, setting.side - 4.0
    while True:
        centres = {organ: rng.uniform(margin, high, 3) for organ in INTENSITIES}
        for organ, anchor in DEPENDENCES.items():
            move = setting.jitter * rng.standard_normal(3)
            centres[organ] = centres[anchor] + OFFSETS[organ] + move
        places = np.stack(list(centres.values()))
        radii = np.array([RADII[organ] for organ in centres])
        gaps = np.linalg.norm(places[:, None] - places[None], axis=-1) - radii - radii[:, None]
        np.fill_diagonal(gaps, np.inf)
        inside = (places >= margin).all() and (places <= high).all()
        if inside and gaps.min() > 0.5:
            return centres


def draw_phantoms(
    setting: PhantomSetting, count: int, *, seed: int | Sequence[int]
) -> tuple[Float[np.ndarray, "n d h w 1"], Int[np.ndarray, "n d h w"]]:
    """Return scans and their classes; those of a number are not those of a list of numbers."""
    rng = np.random.default_rng(seed)
    scans = [draw_phantom(setting, rng) for _ in range(count)]
    return np.stack([x for x, _ in scans]), np.stack([y for _, y in scans])
