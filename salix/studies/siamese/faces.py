"""Face images as inputs of pair attribution: parts of the face at a layer of an encoder."""

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Int, Shaped, UInt8

from salix.analysis.face_parts import FaceParts
from salix.analysis.part_shares import part_weights
from salix.data import Unreadable
from salix.data.assets import fetch
from salix.data.decode import decode, fit
from salix.models.faceres import SIDE, FaceRes, load_faceres, preprocess_faces
from salix.nn import conv_form
from salix.preprocess import Preprocess
from salix.report.heatmap import data_address
from salix.studies.siamese.attribution import IntegratedSide, PairAttribution, side_sums
from salix.studies.siamese.items import Item
from salix.studies.siamese.reference import search_reference
from salix.typing import AnyArray, InputError

PATCHES = 7  # a side: positions of the last features, each of 32 x 32 pixels


@dataclass(frozen=True, eq=False)
class FaceEncoder:
    """Encoder of aligned faces by identity, whose features are grouped by the parts of the face.

    A position of a layer's grid is of the part that covers most of it; `layout` places the parts.
    The reference "padding" is an image of the mean colour.
    """

    encoder: FaceRes
    layout: FaceParts = field(default_factory=FaceParts)
    name: str = "faceres"
    shuffled = "shuffled patches"

    @staticmethod
    def load(weights: str | Path | None = None) -> "FaceEncoder":
        """Return the encoder faceres, fetched at first use."""
        return FaceEncoder(load_faceres(fetch("faceres") if weights is None else weights))

    @cached_property
    def digest(self) -> str:
        """Digest of the weights and of the places of the parts."""
        digest = hashlib.sha256(repr(self.layout).encode())
        for leaf in jax.tree.leaves(self._split[1]):
            digest.update(np.asarray(leaf).tobytes())
        return digest.hexdigest()

    def content(self, name: str) -> str:
        """Return what decides an item's numbers: a digest of its pixels."""
        return hashlib.sha256(self.pixels(name).tobytes()).hexdigest()

    def pixels(self, name: str) -> UInt8[np.ndarray, "224 224 3"]:
        """Return the pixels of an image file; raises `InputError` for one that is none."""
        try:
            return np.asarray(fit(decode(Path(name)), Preprocess(size=(SIDE, SIDE))))
        except Unreadable as error:
            raise InputError(f"{name}: {error}") from None

    def picture(self, name: str) -> str:
        """Return the image of an item as a data address."""
        from PIL import Image

        return data_address(Image.fromarray(self.pixels(name)), "JPEG", quality=85)

    def check(self, method: PairAttribution) -> None:
        """Raise `InputError` for a layer that the encoder lacks and a reference of sentences."""
        layer, depth = method.layer, self.encoder.depth
        if not isinstance(layer, int) or not -depth <= layer <= depth:
            raise InputError(
                f"layer is {layer!r}: the encoder has layers 0 to {depth}, or -{depth} to -1 from "
                "the end"
            )
        if method.reference == "mask":
            raise InputError("reference 'mask' is of sentences: give padding, zeros or searched")

    def integrate(self, method: PairAttribution, name: str) -> Item:
        """Return the sums of each part of the face in an image file.

        Raises `InputError` for a file that is no image, and as `check` does.
        """
        self.check(method)
        layer = self._layer_number(method)
        return self._item(method, layer, preprocess_faces(self.pixels(name)), name)

    def randomise(self, seed: int) -> "FaceEncoder":
        """Return an encoder whose weights are shuffled within each array: their scale stays."""
        graph, params = self._split
        generator = np.random.default_rng(seed)

        def shuffle(leaf: Array) -> Array:
            values = np.asarray(leaf)
            return jnp.asarray(generator.permutation(values.ravel()).reshape(values.shape))

        return replace(self, encoder=nnx.merge(graph, jax.tree.map(shuffle, params)), name="random")

    def inner(self, item: Item) -> Bool[np.ndarray, " g"]:
        """Return all parts of a face."""
        return np.ones(len(item.groups), bool)

    def shuffle(self, method: PairAttribution, name: str, generator: Any) -> IntegratedSide:
        """Return the sums of the parts of a face whose 7 x 7 patches are in a random order."""
        layer = self._layer_number(method)
        order = generator.permutation(PATCHES**2)
        image = shuffle_patches(preprocess_faces(self.pixels(name)), order)
        return self._item(method, layer, image, name, order).side

    def _item(
        self,
        method: PairAttribution,
        layer: int,
        image: np.ndarray,
        name: str,
        order: np.ndarray | None = None,
    ) -> Item:
        graph, params = self._split
        features = _layer(graph, layer, params, image)
        reference = 0 * features
        if method.reference != "zeros":
            reference = _layer(graph, layer, params, 0 * image)
        if method.reference == "searched":
            reference = _search(graph, layer, params, reference)
        parts, groups = self._groups((features.shape[0], features.shape[1]))
        if order is not None:
            groups = shuffle_patches(groups[..., None], order)[..., 0]
        count = len(parts)
        side = method.refine(
            partial(_sums, graph, layer, count, params, features, reference, groups)
        )
        names = tuple(FaceParts.parts[i] for i in parts)
        return Item(name, names, np.arange(count), names, side)

    def _layer_number(self, method: PairAttribution) -> int:
        """Return the number of a layer, from 0 to the depth, of one that may be negative."""
        layer = int(method.layer)
        return layer + self.encoder.depth if layer < 0 else layer

    def _groups(self, grid: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Return the parts on a grid, and the number among them of that of each position."""
        weights = part_weights(self.layout, grid)
        parts, groups = np.unique(weights.argmax(-1), return_inverse=True)
        return parts, groups.reshape(grid)

    @cached_property
    def _split(self) -> tuple[Any, Any]:
        return nnx.split(self.encoder)


def shuffle_patches(
    image: Shaped[np.ndarray, "h w c"], order: Int[np.ndarray, " p"]
) -> Shaped[np.ndarray, "h w c"]:
    """Return an image whose 7 x 7 patches, counted by rows, are those of `order`."""
    height, width, channels = image.shape
    y, x = height // PATCHES, width // PATCHES
    patches = image.reshape(PATCHES, y, PATCHES, x, channels).swapaxes(1, 2)
    shuffled = patches.reshape(-1, y, x, channels)[order].reshape(patches.shape)
    return shuffled.swapaxes(1, 2).reshape(image.shape)


@partial(jax.jit, static_argnums=(0, 1))
def _layer(graph: Any, layer: int, params: Any, image: AnyArray) -> Array:
    return nnx.merge(graph, params).layer(jnp.asarray(image)[None], layer)[0]


def _head(graph: Any, layer: int, params: Any, features: Array) -> Array:
    with conv_form("xla"):  # the explicit forms have no derivative in forward mode
        return nnx.merge(graph, params).embed(features[None], layer)[0]


@partial(jax.jit, static_argnums=(0, 1))
def _search(graph: Any, layer: int, params: Any, start: Array) -> Array:
    return search_reference(partial(_head, graph, layer, params), start)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _sums(
    graph: Any, layer: int, count: int, params: Any, features: Array, *rule: AnyArray
) -> IntegratedSide:
    head = partial(_head, graph, layer, params)
    return side_sums(head, features, *rule, count=count)  # pyright: ignore[reportArgumentType]
