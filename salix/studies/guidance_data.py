"""Faces for the study of guided training: real, forged with a known mask, and generated.

Every picture takes one path: the face's box, RGB, 64 x 64 pixels by Pillow's antialiased bilinear
filter, rounded to 8 bits. The boxes of CelebA (120 x 140 pixels) and of the portraits (96 x 112)
have one shape and are reduced; the faces of the generators and Olivetti's are of 64 x 64 by nature
and come out as they went in: a generator of 64 pixels imitates pictures that were reduced. To
enlarge them to 120 x 140 first would give them away: sharpness alone would tell the DCGAN's from
photographs with an AUC of 0.99 in place of 0.89. It is the study's baseline. Forgeries are made of
faces at the end of that path, so that one and its photograph have the same history but for what
was forged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from salix.data import Arrays, Joined, fit
from salix.data.assets import fetch, olivetti
from salix.data.decode import decode
from salix.data.forge import FORGERIES, forge
from salix.preprocess import Preprocess
from salix.train import Examples
from salix.typing import InputError

SEED = 0  # of the choice of photographs, of the forgeries and of the generators' codes
SIDE = 64
CELEBA = (29, 50, 149, 190)  # left, top, right, bottom of the face in CelebA's pictures
PORTRAIT = (80, 48, 176, 160)  # the same shape about the mean place of the portraits' heads
SIZE = Preprocess((SIDE, SIDE))
KINDS = tuple(FORGERIES)
TEST = ("celeba", "forged", "dcgan", "sd3", "olivetti", "vae")  # in the order of the sweep
REAL = ("celeba", "olivetti")


@dataclass(frozen=True)
class Counts:
    """How many photographs of CelebA train and validate; the others test, with these fakes.

    Of the test photographs `forged` are forged, one each. `vae` faces are half reconstructions of
    photographs, half drawn.
    """

    train: int = 332
    validation: int = 58
    forged: int = 305
    dcgan: int = 304
    vae: int = 200


@dataclass(frozen=True, eq=False)
class Faces:
    """Faces [n 64 64 3] under one name, all real or all fake, with ids and 8-bit masks."""

    pixels: UInt8[np.ndarray, "n s s 3"]
    keys: tuple[str, ...]
    fake: bool
    masks: UInt8[np.ndarray, "n s s"] | None = None

    def source(self) -> Arrays:
        """Return them as a source; the mask is the reference mask."""
        names = [("real", "fake")[self.fake]] * len(self.keys)
        reference_masks = None if self.masks is None else list(self.masks)
        return Arrays(self.pixels, names=names, keys=self.keys, reference_masks=reference_masks)


@dataclass(frozen=True, eq=False)
class Study:
    """The faces to train on, to validate with and to test on, these by collection."""

    train: Examples
    validation: Examples
    test: Mapping[str, Faces]

    def source(self) -> Joined:
        """Return the test faces as one source, whose ids begin with the collection."""
        return Joined({name: faces.source() for name, faces in self.test.items()})


def same_path(pictures: Sequence[Any]) -> UInt8[np.ndarray, "n s s 3"]:
    """Return pictures, of Pillow or 8-bit arrays, as the study shows them: see above."""
    return np.stack([fit(picture, SIZE) for picture in pictures])


def study(portraits: Path, counts: Counts = Counts()) -> Study:
    """Return the faces of the study; `portraits` is a folder of generated portraits of 256 pixels.

    Photographs are dealt by a fixed seed: none is in two of the parts, be it as it is or forged.
    """
    photographs, names = celeba()
    known = counts.train + counts.validation
    if known + counts.forged > len(names):
        raise InputError(f"{counts} need more than the {len(names)} photographs of CelebA")
    order = np.random.default_rng(SEED).permutation(len(names))
    parts = np.split(order, [counts.train, known])
    sizes = (counts.train, counts.validation, counts.dcgan)
    made = np.split(generated(sum(sizes)), np.cumsum(sizes)[:-1])
    held = []
    for at, (part, forgeries) in enumerate(
        zip(parts, (counts.train, counts.validation, counts.forged), strict=True)
    ):
        real = Faces(photographs[part], tuple(names[i] for i in part), False)
        keys = tuple(f"{at}-{i:03d}" for i in range(len(made[at])))
        held.append((real, forged(real, forgeries, at), Faces(made[at], keys, True)))
    train, validation, (real, altered, drawn) = held
    grey, person = olivetti()
    people = tuple(f"person{p:02d}-{i % 10}" for i, p in enumerate(person))
    test = (
        real,
        altered,
        drawn,
        folder(portraits),
        Faces(same_path(list(grey)), people, False),
        autoencoded(grey, people, counts.vae),
    )
    return Study(examples(train), examples(validation), dict(zip(TEST, test, strict=True)))


def celeba() -> tuple[UInt8[np.ndarray, "n s s 3"], tuple[str, ...]]:
    """Return the faces of CelebA's photographs and their names."""
    files = sorted(fetch("celeba-999").iterdir())
    return same_path([decode(f).crop(CELEBA) for f in files]), tuple(f.stem for f in files)


def forged(real: Faces, count: int, seed: int) -> Faces:
    """Return forgeries of the first faces, each kind in turn, with their masks.

    A splice takes the region of the next face: of the same part, so that parts stay apart.
    """
    pixels, masks, keys = [], [], []
    for i in range(count):
        kind = KINDS[i % len(KINDS)]
        other = real.pixels[(i + 1) % len(real.pixels)]
        rng = np.random.default_rng((SEED, seed, i))
        image, mask = forge(real.pixels[i], rng, kind, other)
        pixels.append(image)
        masks.append(np.rint(mask * 255).astype(np.uint8))
        keys.append(f"{real.keys[i]}-{kind}")
    return Faces(np.stack(pixels), tuple(keys), True, np.stack(masks))


def generated(count: int) -> UInt8[np.ndarray, "n s s 3"]:
    """Return new faces of the DCGAN."""
    from salix.models import dcgan

    codes = np.random.default_rng(SEED).normal(size=(count, 100)).astype(np.float32)
    model = dcgan(fetch("dcgan"))
    found = np.concatenate([model(part) for part in np.array_split(codes, -(-count // 100))])
    return same_path(list(np.rint((found + 1) * 127.5).astype(np.uint8)))


def folder(portraits: Path) -> Faces:
    """Return the portraits of a folder, the head's box of each."""
    files = sorted(p for p in portraits.iterdir() if p.suffix.lower() in (".jpg", ".png"))
    if not files:
        raise InputError(f"{portraits} holds no .jpg or .png: give the folder of the portraits")
    heads = [decode(file) for file in files]
    if odd := [f.name for f, h in zip(files, heads, strict=True) if h.size != (256, 256)]:
        raise InputError(f"{odd[0]} is not of 256 x 256 pixels: the box of heads is for these")
    shown = same_path([head.crop(PORTRAIT) for head in heads])
    return Faces(shown, tuple(f.stem for f in files), True)


def autoencoded(grey: np.ndarray, people: Sequence[str], count: int) -> Faces:
    """Return faces of the autoencoder: photographs rebuilt, evenly spread, and faces drawn."""
    from salix.models import vae

    model = vae(fetch("olivetti-vae"))
    chosen = np.linspace(0, len(grey) - 1, count - count // 2).astype(int)
    rebuilt = np.asarray(model(grey[chosen][..., None].astype(np.float32) / 255))
    codes = np.random.default_rng(SEED).normal(size=(count // 2, 64)).astype(np.float32)
    values = np.concatenate([rebuilt, np.asarray(model.decode(codes))])[..., 0]
    keys = [f"rebuilt-{people[i]}" for i in chosen] + [f"drawn-{i:03d}" for i in range(len(codes))]
    return Faces(same_path(list(np.rint(values * 255).astype(np.uint8))), tuple(keys), True)


def examples(parts: Sequence[Faces]) -> Examples:
    """Return real, forged and generated faces to train on; the reference mask is the mask, if any."""
    masks = [np.zeros(f.pixels.shape[:3], np.uint8) if f.masks is None else f.masks for f in parts]
    return Examples(
        np.concatenate([f.pixels for f in parts]),
        np.repeat([int(f.fake) for f in parts], [len(f.keys) for f in parts]),
        np.concatenate(masks),
        [f"{name}/{key}" for name, f in zip(TEST[:3], parts, strict=True) for key in f.keys],
    )
