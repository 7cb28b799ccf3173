"""Explanations for measures and metrics: adapter from a plain function, and raw attributions."""

import inspect

from jaxtyping import Array, Float

from salix.precision import widen
from salix.typing import Explain, Explainer, Explanation, Image, Index, InputError


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


def explain_clean(explain: Explain, image: Image) -> tuple[Explainer, Float[Array, "..."], Index]:
    """Return the explainer, the attribution of an image and the class that it explains."""
    explainer = as_explainer(explain)
    clean = explainer(image)
    return explainer, raw_attribution(clean), clean.target


def attribute(explainer: Explainer, image: Image, target: Index) -> Float[Array, "..."]:
    """Return the attribution of an image for a class, in 32 bits or more."""
    return raw_attribution(explainer(image, target))


def raw_attribution(explanation: Explanation) -> Float[Array, "..."]:
    """Return the attribution of an explanation, neither pooled nor scaled, in 32 bits or more.

    Raises `InputError` for an explanation without one.
    """
    if explanation.attribution is None:
        raise InputError(
            "the explanation has no attribution, and its map is scaled to [0, 1]: return "
            "Explanation(logits, target, map, attribution=…) with what the method returned"
        )
    return widen(explanation.attribution)
