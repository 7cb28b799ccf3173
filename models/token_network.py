"""Networks whose stages pass tokens on, and whose features are on the grid of the patches."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.nn import StagedNetwork
from salix.typing import AnyArray


class TokenNetwork(StagedNetwork):
    """A classifier of images that works on tokens, cut after any of its stages.

    An architecture defines `named_stages`, `classify`, and how the output of a stage is on the grid
    and comes back from it.
    """

    def as_features(self, h: Any, shape: tuple[int, ...], cut: str | None) -> Any:
        """Return the output of the stage at a cut, of images of a shape, as features [b y x k]."""
        raise NotImplementedError

    def as_tokens(self, features: Any, cut: str | None) -> Any:
        """Return the output of the stage at a cut whose features these are."""
        raise NotImplementedError

    def trunk(
        self, x: Float[AnyArray, "b h w 3"], cut: str | None = None
    ) -> Float[Array, "b y x k"]:
        """Return the features of images at a cut, by default the last."""
        x = jnp.asarray(x)
        return self.as_features(super().trunk(x, cut), x.shape, cut)

    def head(self, features: Float[AnyArray, "b y x k"], cut: str | None = None) -> Array:
        """Return the logits of features at a cut, by default the last."""
        return super().head(self.as_tokens(jnp.asarray(features), cut), cut)
