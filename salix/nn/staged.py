"""Networks made of named stages, which can be cut between any two of them."""

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from salix.typing import AnyArray, InputError

Stage = Callable[[Any], Any]


def sequence(*layers: Stage) -> Stage:
    """Return the composition of layers, the first applied first."""

    def run(x: Any) -> Any:
        for layer in layers:
            x = layer(x)
        return x

    return run


def split_stages(stages: Mapping[str, Stage], cut: str | None) -> tuple[Stage, Stage]:
    """Return the stages up to a cut, that named like it included, and those after it.

    Without a cut all stages are before it. Raises `InputError`, with the known names, for another.
    """
    names = list(stages)
    if cut is not None and cut not in stages:
        raise InputError(f"no cut {cut!r}: expected one of {', '.join(names)}")
    end = len(names) if cut is None else names.index(cut) + 1
    layers = list(stages.values())
    return sequence(*layers[:end]), sequence(*layers[end:])


class StagedNetwork(nnx.Module):
    """A classifier of images that can be cut into trunk and head after any of its stages.

    An architecture defines `named_stages` and `classify`, and nothing else of this class.
    """

    def named_stages(self) -> Mapping[str, Stage]:
        """Return the stages in order by name: each maps the output of the one before it."""
        raise NotImplementedError

    def classify(self, features: Any) -> Float[Array, "b k"]:
        """Return the logits of the last stage's features."""
        raise NotImplementedError

    @property
    def cuts(self) -> tuple[str, ...]:
        """The names of the stages from input to output; the trunk ends after the last."""
        return tuple(self.named_stages())

    def trunk(self, x: Float[AnyArray, "b h w c"], cut: str | None = None) -> Float[Array, "b *n"]:
        """Return the features of images at a cut, by default the last."""
        return split_stages(self.named_stages(), cut)[0](jnp.asarray(x))

    def head(self, features: Float[AnyArray, "b *n"], cut: str | None = None) -> Array:
        """Return the logits of features at a cut, by default the last."""
        return self.classify(split_stages(self.named_stages(), cut)[1](jnp.asarray(features)))

    def __call__(self, x: Float[AnyArray, "b h w c"]) -> Float[Array, "b k"]:
        """Return the logits of images."""
        return self.head(self.trunk(x))
