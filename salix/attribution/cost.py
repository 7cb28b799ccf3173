"""Cost of an attribution method in passes of the model."""

from salix.typing import InputError, Method, Passes


def passes_of(method: Method, shape: tuple[int, ...]) -> Passes:
    """Return the model passes by which a method explains one image of a shape [*space c].

    A method states them as `passes(shape)`; a wrapper multiplies those of its inner method. Methods
    that stop early state their most. The gradient of a head alone counts as one of the score.
    Raises `InputError` for a method without that function.
    """
    if not hasattr(method, "passes"):
        raise InputError(
            f"{method!r} does not state its cost: give it a function passes(shape) that returns "
            f"Passes(evaluations=..., gradients=...)"
        )
    return method.passes(shape)  # pyright: ignore[reportAttributeAccessIssue]
