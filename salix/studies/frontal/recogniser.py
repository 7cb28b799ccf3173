"""Frozen recogniser of faces, for the loss of identity and for its measures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from salix.data.assets import fetch
from salix.models.faceres import MEAN, load_faceres
from salix.typing import AnyArray, InputError, Params

STRIDE = 32  # pixels of a position of the last map


@dataclass(frozen=True, eq=False)
class FaceRecogniser:
    """faceres as a function of its parameters and of images [b s s 3] in [0, 1].

    Images are resized to `side`. Its last map is [b side/32 side/32 1024], the embedding the map's
    mean. Raises `InputError` for a side that is no multiple of 32.
    """

    graph: Any
    params: Params
    side: int = 128

    def __post_init__(self) -> None:
        if self.side < STRIDE or self.side % STRIDE:
            raise InputError(
                f"the recogniser's side is {self.side}: its maps have a position for each 32 "
                "pixels, so give a multiple of 32 such as 128 or 224"
            )

    @staticmethod
    def load(*, side: int = 128, weights: str | Path | None = None) -> "FaceRecogniser":
        """Return faceres with the weights of a file, or those fetched at first use.

        Raises `InputError` for weights of another recogniser, with the arrays that differ.
        """
        graph, params = nnx.split(load_faceres(fetch("faceres") if weights is None else weights))
        return FaceRecogniser(graph, params, side)

    def inputs(self, images: Float[AnyArray, "b s s 3"]) -> Float[Array, "b r r 3"]:
        """Return images as faceres reads them: resized, BGR less the mean of each channel."""
        images = jnp.asarray(images)
        shape = (len(images), self.side, self.side, 3)
        resized = images if images.shape == shape else jax.image.resize(images, shape, "linear")
        return 255 * resized[..., ::-1] - jnp.asarray(MEAN, jnp.float32)

    def features(self, params: Params, images: Float[AnyArray, "b s s 3"]) -> tuple[Array, Array]:
        """Return the last maps and the embeddings of images."""
        module = nnx.merge(self.graph, params)
        maps = module.layer(self.inputs(images), module.depth)
        return maps, maps.mean((1, 2))
