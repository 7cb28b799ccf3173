"""Data of the study of guided training: real faces, forgeries with masks, and generated faces.

All pictures are preprocessed alike: the face's box, RGB, 64 x 64 pixels by Pillow's antialiased
bilinear filter, rounded to 8 bits. The boxes of CelebA (120 x 140 pixels) and of the portraits
(96 x 112) have one aspect ratio and are reduced; the faces of the generators and Olivetti's are
64 x 64 already and unchanged: a generator of 64 pixels imitates reduced pictures. Enlarging them
to 120 x 140 first would reveal them: sharpness alone, the study's baseline, would distinguish the
DCGAN's from photographs with an AUC of 0.99 instead of 0.89. Forgeries are made from preprocessed
faces, so that a forgery differs from its photograph by the forgery alone.
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
from salix.train import TrainingImages
from salix.typing import InputError

SEED = 0  # of the choice of photographs, of the forgeries and of the generators' codes
SIDE = 64
CELEBA = (29, 50, 149, 190)  # left, top, right, bottom of the face in CelebA's pictures
PORTRAIT = (80, 48, 176, 160)  # the same aspect ratio, at the mean position of the heads
SIZE = Preprocess((SIDE, SIDE))
KINDS = tuple(FORGERIES)
TEST = ("celeba", "forged", "dcgan", "sd3", "olivetti", "vae")  # in the order of the sweep
REAL = ("celeba", "olivetti")


@dataclass(frozen=True)
class Counts:
    """Number of CelebA photographs for training and validation, and of fakes for the test.

    The remaining photographs are for the test.

    Of the test photographs `forged` are forged, one each. `vae` faces are half reconstructions of
    photographs, half drawn.
    """

    train: int = 332
    validation: int = 58
    forged: int = 305
    dcgan: int = 304
    vae: int = 200


@dataclass(frozen=True, eq=False)
class FaceSet:
    """Faces [n 64 64 3] under one name, all real or all fake, with ids and 8-bit masks."""

    pixels: UInt8[np.ndarray, "n s s 3"]
    keys: tuple[str, ...]
    fake: bool
    masks: UInt8[np.ndarray, "n s s"] | None = None

    def source(self) -> Arrays:
        """Return a source of the faces, with the masks as reference masks."""
        names = [("real", "fake")[self.fake]] * len(self.keys)
        reference_masks = None if self.masks is None else list(self.masks)
        return Arrays(self.pixels, names=names, keys=self.keys, reference_masks=reference_masks)


@dataclass(frozen=True, eq=False)
class StudyFaces:
    """The faces for training, validation and test, the latter by subset."""

    train: TrainingImages
    validation: TrainingImages
    test: Mapping[str, FaceSet]

    def source(self) -> Joined:
        """Return the test faces as one source, whose ids begin with the subset."""
        return Joined({name: faces.source() for name, faces in self.test.items()})


def preprocess_faces(pictures: Sequence[Any]) -> UInt8[np.ndarray, "n s s 3"]:
    """Return preprocessed pictures, from Pillow images or 8-bit arrays: see above."""
    return np.stack([fit(picture, SIZE) for picture in pictures])


def study_faces(portraits: Path, counts: Counts = Counts()) -> StudyFaces:
    """Return the faces of the study; `portraits` is a folder of generated portraits of 256 pixels.

    A fixed seed assigns the photographs to parts: none is in two parts, forged or not.
    """
    photographs, names = celeba_faces()
    known = counts.train + counts.validation
    if known + counts.forged > len(names):
        raise InputError(f"{counts} need more than the {len(names)} photographs of CelebA")
    order = np.random.default_rng(SEED).permutation(len(names))
    parts = np.split(order, [counts.train, known])
    sizes = (counts.train, counts.validation, counts.dcgan)
    generated = np.split(generate_faces(sum(sizes)), np.cumsum(sizes)[:-1])
    forgeries = (counts.train, counts.validation, counts.forged)
    sets = []
    for number, (part, count, faces) in enumerate(zip(parts, forgeries, generated, strict=True)):
        real = FaceSet(photographs[part], tuple(names[i] for i in part), False)
        keys = tuple(f"{number}-{i:03d}" for i in range(len(faces)))
        sets.append((real, forge_faces(real, count, number), FaceSet(faces, keys, True)))
    train, validation, (real, forged, dcgan) = sets
    grey, person = olivetti()
    people = tuple(f"person{p:02d}-{i % 10}" for i, p in enumerate(person))
    test = (
        real,
        forged,
        dcgan,
        portrait_faces(portraits),
        FaceSet(preprocess_faces(list(grey)), people, False),
        autoencode_faces(grey, people, counts.vae),
    )
    return StudyFaces(examples(train), examples(validation), dict(zip(TEST, test, strict=True)))


def celeba_faces() -> tuple[UInt8[np.ndarray, "n s s 3"], tuple[str, ...]]:
    """Return the faces of CelebA's photographs and their names."""
    files = sorted(fetch("celeba-999").iterdir())
    return preprocess_faces([decode(f).crop(CELEBA) for f in files]), tuple(f.stem for f in files)


def forge_faces(real: FaceSet, count: int, seed: int) -> FaceSet:
    """Return forgeries of the first faces, each kind in turn, with their masks.

    A splice copies the region of the next face, which is of the same part.
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
    return FaceSet(np.stack(pixels), tuple(keys), True, np.stack(masks))


def generate_faces(count: int) -> UInt8[np.ndarray, "n s s 3"]:
    """Return new faces of the DCGAN."""
    from salix.models import load_dcgan

    codes = np.random.default_rng(SEED).normal(size=(count, 100)).astype(np.float32)
    model = load_dcgan(fetch("dcgan"))
    faces = np.concatenate([model(part) for part in np.array_split(codes, -(-count // 100))])
    return preprocess_faces(list(np.rint((faces + 1) * 127.5).astype(np.uint8)))


def portrait_faces(portraits: Path) -> FaceSet:
    """Return the portraits of a folder, cropped to the box of the head."""
    files = sorted(p for p in portraits.iterdir() if p.suffix.lower() in (".jpg", ".png"))
    if not files:
        raise InputError(
            f"--portraits {portraits} has no .jpg or .png: give the folder of the portraits"
        )
    heads = [decode(file) for file in files]
    if other := [f.name for f, h in zip(files, heads, strict=True) if h.size != (256, 256)]:
        raise InputError(f"{other[0]} is not of 256 x 256 pixels: give portraits of this size")
    pixels = preprocess_faces([head.crop(PORTRAIT) for head in heads])
    return FaceSet(pixels, tuple(f.stem for f in files), True)


def autoencode_faces(grey: np.ndarray, people: Sequence[str], count: int) -> FaceSet:
    """Return reconstructions of evenly spaced photographs, and faces drawn, by the autoencoder."""
    from salix.models import load_vae

    model = load_vae(fetch("olivetti-vae"))
    chosen = np.linspace(0, len(grey) - 1, count - count // 2).astype(int)
    rebuilt = np.asarray(model(grey[chosen][..., None].astype(np.float32) / 255))
    codes = np.random.default_rng(SEED).normal(size=(count // 2, 64)).astype(np.float32)
    values = np.concatenate([rebuilt, np.asarray(model.decode(codes))])[..., 0]
    keys = [f"rebuilt-{people[i]}" for i in chosen] + [f"drawn-{i:03d}" for i in range(len(codes))]
    return FaceSet(
        preprocess_faces(list(np.rint(values * 255).astype(np.uint8))), tuple(keys), True
    )


def examples(parts: Sequence[FaceSet]) -> TrainingImages:
    """Return real, forged and generated faces as training examples, masks as reference masks."""
    masks = [np.zeros(f.pixels.shape[:3], np.uint8) if f.masks is None else f.masks for f in parts]
    return TrainingImages(
        np.concatenate([f.pixels for f in parts]),
        np.repeat([int(f.fake) for f in parts], [len(f.keys) for f in parts]),
        np.concatenate(masks),
        [f"{name}/{key}" for name, f in zip(TEST[:3], parts, strict=True) for key in f.keys],
    )
