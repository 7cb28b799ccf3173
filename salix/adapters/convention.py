"""Calling convention of a model: batch axis, axis of the channels, and the name of its logits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import jax
import jax.numpy as jnp

from salix.typing import InputError


@dataclass(frozen=True)
class Convention:
    """Conversion between one image [h w c] and what a function takes and returns.

    `batched` functions take and return a batch, `channels_first` ones [c h w]. `output` is the name
    or index of the logits where a function returns several values.
    """

    name: str
    batched: bool = True
    channels_first: bool = False
    output: str | int | None = None

    def argument(self, x: Any) -> Any:
        """Return one image, or its features, as the function takes them."""
        return jax.tree.map(self._to_function, x)

    def features(self, result: Any) -> Any:
        """Return the features of one image, channels last."""
        return jax.tree.map(self._from_function, result)

    def logits(self, result: Any) -> Any:
        """Return the logits of one image."""
        logits = select(result, self.output, self.name)
        return logits[0] if self.batched else logits

    def trunk(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function of parameters and image as a trunk, or a tap, of one image."""
        return lambda params, x, **cut: self.features(call(params, self.argument(x), **cut))

    def head(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function of parameters and features as a head of one image."""
        return lambda params, x, **cut: self.logits(call(params, self.argument(x), **cut))

    def _to_function(self, x: Any) -> Any:
        x = jnp.moveaxis(x, -1, 0) if self.channels_first else x
        return x[None] if self.batched else x

    def _from_function(self, x: Any) -> Any:
        x = x[0] if self.batched else x
        return jnp.moveaxis(x, 0, -1) if self.channels_first else x


def select(result: Any, output: str | int | None, name: str) -> Any:
    """Return the logits among what a model returns; `InputError` lists names and shapes."""
    values = _named(result)
    if output is None and _is_array(result):
        return result
    if output is not None and _is_array(values.get(output)):
        return values[output]
    listed = ", ".join(f"{key!r} {_shape(value)}" for key, value in values.items())
    first = next((key for key, value in values.items() if _is_array(value)), "logits")
    problem = "several values" if output is None else f"no array {output!r}"
    raise InputError(
        f"{name} returns {problem}: {type(result).__name__} of {listed or 'nothing'}; name the "
        f"logits, for example output={first!r}"
    )


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _shape(value: Any) -> str:
    return f"{value.dtype.name}{list(value.shape)}" if _is_array(value) else type(value).__name__


def _named(result: Any) -> dict[Any, Any]:
    """Return the parts of a mapping, a dataclass, a tuple or another object by name or index."""
    if _is_array(result):
        return {}
    if isinstance(result, Mapping):
        return dict(result)
    if hasattr(result, "_asdict"):  # a named tuple
        return result._asdict()
    if isinstance(result, (tuple, list)):
        return dict(enumerate(result))
    if is_dataclass(result):
        return {f.name: getattr(result, f.name) for f in fields(result)}
    return dict(getattr(result, "__dict__", {}))
