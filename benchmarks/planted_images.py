"""Textures of three classes with a magenta square planted in some, and networks trained on them.

The protocol of RSVC (Representational Similarity via Interpretable Visual Concepts, ICLR 2025): a
magenta square of 20 of 224 pixels lies at a random place. Network A sees it in 70 % of the training
images of one class, where it is a shortcut, and network B in 50 % of the images of every class,
where it says nothing. In the test every image of that class has it.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from salix.data import Arrays
from salix.preprocess import Preprocess
from salix.train import CrossEntropy, Recipe, TrainingImages, train
from salix.train.augment import Augment
from salix.train.recipe import AdamW

CLASSES = ("brick", "grass", "gravel")
MARKED = CLASSES.index("grass")  # the class of the shortcut
SIDE, SQUARE, INPUT = 224, 20, 64  # pixels of an image, of the square, and of the network's input
MAGENTA = (255, 0, 255)
SHARES = {"A": (0.0, 0.7, 0.0), "B": (0.5, 0.5, 0.5)}  # of training images with a square, by class


@dataclass(frozen=True)
class PlantedImages:
    """Images, their class, and the top left corner of the square, -1 without one."""

    pixels: np.ndarray
    labels: np.ndarray
    corners: np.ndarray

    def source(self) -> Arrays:
        """Return the images as a source of a sweep."""
        return Arrays(self.pixels, names=[CLASSES[i] for i in self.labels])

    def masks(self, side: int) -> np.ndarray:
        """Return the squares [n side side] as shares of each pixel."""
        places = np.arange(SIDE)
        inside = [
            (places >= c[:, None]) & (places < c[:, None] + SQUARE) & (c[:, None] >= 0)
            for c in self.corners.T
        ]
        rows, columns = (i.reshape(len(i), side, -1).mean(-1) for i in inside)
        return rows[:, :, None] * columns[:, None]


def planted_images(each: int, shares: tuple[float, ...], seed: int, *, test: bool) -> PlantedImages:
    """Draw `each` crops of every class with a share > 0 or in training, with squares by `shares`.

    Crops of training are from the left half of a texture of scikit-image, those of the test from
    the right half. A crop of 96 to 224 pixels is mirrored and turned at random, tinted and resized.
    """
    from PIL import Image

    rng = np.random.default_rng(seed)
    labels = np.repeat([i for i, p in enumerate(shares) if p or not test], each)
    pixels = np.empty((len(labels), SIDE, SIDE, 3), np.uint8)
    corners = np.full((len(labels), 2), -1)
    for i, label in enumerate(labels):
        texture = _texture(CLASSES[label])
        half = texture[:, 256:] if test else texture[:, :256]
        side = int(rng.integers(96, 225))
        y, x = (int(rng.integers(n - side + 1)) for n in half.shape)
        crop = np.rot90(half[y : y + side, x : x + side], int(rng.integers(4)))
        resized = np.asarray(Image.fromarray(crop).resize((SIDE, SIDE)), np.float32)
        tint = rng.uniform(0.6, 1.0, 3)
        pixels[i] = np.rint(resized[..., None] * tint)
        if rng.random() < shares[label]:
            top, left = corners[i] = rng.integers(0, SIDE - SQUARE + 1, 2)
            pixels[i, top : top + SQUARE, left : left + SQUARE] = MAGENTA
    return PlantedImages(pixels, labels, corners)


@cache
def _texture(name: str) -> np.ndarray:
    from skimage import data

    return getattr(data, name)()


class ColourNetwork(nnx.Module):
    """Four convolutions 3x3 with stride 2, 2, 2, 1 of RGB [b 64 64 3], mean, linear layer."""

    def __init__(self, rngs: nnx.Rngs):
        widths = (3, 16, 32, 64, 64)
        shapes = zip(widths, widths[1:], (2, 2, 2, 1), strict=False)
        self.layers = nnx.List([nnx.Conv(i, o, (3, 3), strides=s, rngs=rngs) for i, o, s in shapes])
        self.linear = nnx.Linear(widths[-1], len(CLASSES), rngs=rngs)

    def trunk(self, x: Any) -> Any:
        for layer in self.layers:
            x = jax.nn.relu(layer(x))
        return x

    def head(self, features: Any) -> Any:
        return self.linear(jnp.mean(features, axis=(1, 2)))

    def __call__(self, x: Any) -> Any:
        return self.head(self.trunk(x))


def train_networks(name: str, seeds: range, *, each: int = 200, epochs: int = 12) -> list[Any]:
    """Train network "A" or "B" of `SHARES` for each seed."""
    images = planted_images(each, SHARES[name], seed=ord(name), test=False)
    preprocess = Preprocess((INPUT, INPUT), mean=(0.5,), std=(0.5,))
    small = np.asarray(jax.vmap(lambda x: preprocess(x))(images.pixels)) * 0.5 + 0.5
    return train(
        lambda seed: ColourNetwork(nnx.Rngs(seed)),
        TrainingImages(np.rint(small * 255).astype(np.uint8), images.labels),
        Recipe(CrossEntropy(), AdamW(3e-3, weight_decay=0.0), epochs, augment=Augment(flip=0.5)),
        preprocess=preprocess,
        classes=CLASSES,
        seeds=seeds,
        name=name,
    )
