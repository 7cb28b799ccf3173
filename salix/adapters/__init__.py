"""Adapters: a `Model` and its parameters from a function, a Flax nnx or a Flax linen module."""

from salix.adapters.functions import from_function
from salix.adapters.modules import from_linen, from_nnx

__all__ = ["from_function", "from_linen", "from_nnx"]
