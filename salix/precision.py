"""Precision policies of products and convolutions, for engine, layers and training."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from salix.typing import InputError

Precision = Literal["float32", "tf32", "bfloat16", "bfloat16_dots"]

LAX_PRECISION: dict[str, lax.Precision] = {
    "float32": lax.Precision.HIGHEST,
    "tf32": lax.Precision.HIGH,
    "bfloat16": lax.Precision.DEFAULT,
    "bfloat16_dots": lax.Precision.HIGHEST,  # for convolutions that are not matrix products
}

# Part of the key of jit's cache, so that a switch is never ignored by a program compiled before.
_PRECISION: Any = jax.make_user_context("float32")


def precision(policy: Precision) -> AbstractContextManager[None]:
    """Return a context in which convolutions are traced in a precision; results keep their type.

    - "float32" (the default) is exact on every device;
    - "tf32" allows products of 10 mantissa bits on devices that have them;
    - "bfloat16" rounds operands and results to 8 bits;
    - "bfloat16_dots" rounds operands only and sums in float32, as matrix products: the only fast
      form on CPUs with units for it. It implies the explicit form; depthwise, grouped and first
      convolutions stay float32.

    The linear layers in the blocks of a transformer follow it too (`salix.nn.linear`).
    Raises `InputError` for an unknown policy.
    """
    return set_context(_PRECISION, policy, get_args(Precision))


@contextmanager
def computed_in(policy: Precision) -> Iterator[None]:
    """Trace products of every kind in a precision. Raises `InputError` for an unknown policy."""
    # Salix's convolutions state theirs; other products become as exact as they are.
    with precision(policy), jax.default_matmul_precision(LAX_PRECISION[policy].name.lower()):
        yield


def active_precision() -> Precision:
    """Return the precision in which convolutions are traced now."""
    return _PRECISION.value


def set_context(context: Any, value: str, known: tuple[str, ...]) -> AbstractContextManager[None]:
    """Return a context manager that sets a JAX user context to one of its known values."""
    if value not in known:
        raise InputError(f"unknown value {value!r}: expected one of {', '.join(known)}")
    return context(value)


def widen(array: Any) -> Array:
    """Return an array of 16-bit floats in 32 bits, any other unchanged: sums need the digits."""
    array = jnp.asarray(array)
    narrow = jnp.issubdtype(array.dtype, jnp.floating) and array.dtype.itemsize < 4
    return array.astype(jnp.float32) if narrow else array
