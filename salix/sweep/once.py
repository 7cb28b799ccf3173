"""What was computed of the image that was seen last, so that it is not computed again."""

from collections.abc import Callable
from typing import Any

from jax.extend.core import get_opaque_trace_state

from salix.typing import Image


class Once:
    """A function of an image that remembers the last image, by identity, with its result.

    The compiler keeps one of two equal passes of a network, except in loops: what it moves out of
    them, such as the constants of a pooling, it no longer knows for equal. What was traced inside
    a loop is not remembered outside.
    """

    def __init__(self, function: Callable[[Image], Any]):
        self._function = function
        self._last: tuple[Any, Any, Any] = (None, None, None)

    def __call__(self, image: Image) -> Any:
        last, place, result = self._last
        if last is not image or place != get_opaque_trace_state():
            result = self._function(image)
            self._last = image, get_opaque_trace_state(), result
        return result
