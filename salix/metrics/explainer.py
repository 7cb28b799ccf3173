"""Adapter from a plain explain function to an `Explainer`."""

import inspect

from salix.typing import Explain, Explainer, InputError


def as_explainer(explain: Explain) -> Explainer:
    """Return `explain` as an `Explainer`; a plain function explains pixel values in [0, 1].

    Raises `InputError` for a function that cannot be called as `explain(image, target)`.
    """
    if isinstance(explain, Explainer):
        return explain
    try:
        inspect.signature(explain).bind(None, None)
    except TypeError:
        raise InputError(
            f"{explain!r} takes no target: a measure also explains variants of an image for the "
            "class of the clean image, so define it as explain(image, target=None)"
        ) from None
    except ValueError:  # a builtin without a signature
        pass
    return Explainer(explain)
