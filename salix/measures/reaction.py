"""What changes when an image does: the core of the measures that vary their input."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from salix.metrics import spatial_entropy
from salix.typing import Column, Explainer, Explanation, Image, Map, Scalar

Vary = Callable[[Int[Array, ""]], Image]  # the number of a variant -> the image
Compare = Callable[[Map, Int[Array, ""]], Scalar]  # the map of a variant, its number -> likeness


def react(
    explain: Explainer,
    clean: Explanation,
    vary: Vary,
    count: int,
    compare: Compare,
    repredict: bool = True,
) -> dict[str, Float[Array, " count"]]:
    """Explain `count` variants of an image, one after another, beside the clean one.

    Returns, each [count]: `similarity`, what `compare` says of the variant's map with the class
    explained that is explained of the clean image; `similarity_repredicted`, the same with the class that
    the variant is explained for by itself; `flip`, 1 where another class is predicted;
    `probability`, the softmax probability of the clean image's explained class; `score`, sigmoid
    of the last logit, the released score of a synthetic face; `entropy`, the spatial entropy of
    the map; `constant_map`, 1 where the map has no contrast. A constant map, or a constant clean one, has no
    similarity: NaN. Variants are scanned, so that memory does not grow with their number. Both
    maps of a CAM share one pass of the trunk; other methods pass twice, or once if not `repredict`.
    """
    predicted, alive = jnp.argmax(clean.logits), clean.map.max() > 0

    def like(map: Map, i: Int[Array, ""]) -> Scalar:
        return jnp.where(alive & (map.max() > 0), compare(map, i), jnp.nan)

    def one(i: Int[Array, ""]) -> dict[str, Any]:
        image = vary(i)
        fixed = explain(image, clean.target)
        constant_map = fixed.map.max() <= 0
        found = {
            "similarity": like(fixed.map, i),
            "flip": (jnp.argmax(fixed.logits) != predicted).astype(jnp.float32),
            "probability": jax.nn.softmax(fixed.logits)[clean.target],
            "score": jax.nn.sigmoid(fixed.logits[-1]),
            "entropy": jnp.where(constant_map, jnp.nan, spatial_entropy(fixed.map)),
            "constant_map": constant_map.astype(jnp.float32),
        }
        return found | (
            {"similarity_repredicted": like(explain(image).map, i)} if repredict else {}
        )

    return jax.lax.map(one, jnp.arange(count))


# Name, title, least and greatest value, which way is better
COLUMNS: tuple[tuple[str, str, int, int, Literal["higher", "lower", ""]], ...] = (
    ("similarity", "similarity of the map, target fixed", -1, 1, "higher"),
    ("similarity_repredicted", "similarity of the map, target re-predicted", -1, 1, "higher"),
    ("flip", "decisions flipped", 0, 1, "lower"),
    ("probability", "probability of the explained class", 0, 1, ""),
    ("score", "sigmoid of the last logit", 0, 1, ""),
    ("entropy", "spatial entropy", 0, 1, ""),
    ("constant_map", "constant maps", 0, 1, "lower"),
)


def reaction_columns(
    prefix: str,
    title: str,
    axis: str,
    at: Sequence[float | str],
    about: str,
    repredict: bool = True,
) -> tuple[Column, ...]:
    """Return what the columns of `react` mean, named `prefix_…`, over the places of an axis."""
    return tuple(
        Column(f"{prefix}_{name}", f"{title}: {what}", about, low, high, better, axis, tuple(at))
        for name, what, low, high, better in COLUMNS
        if repredict or name != "similarity_repredicted"
    )
