"""Measurement of image variants beside the clean image: similarity, flips, probability, entropy."""

from collections.abc import Callable, Sequence
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array

from salix.metrics import spatial_entropy
from salix.typing import Column, Explainer, Explanation, Image, Index, Logits, Map, Scalar, Values


def measure_variants(
    explain: Explainer,
    clean: Explanation,
    make_variant: Callable[[Index], Image],
    count: int,
    compare: Callable[[Map, Index], Scalar],
    *,
    repredict: bool = True,
) -> Values:
    """Explain `count` variants of an image, one after another, beside the clean one.

    `make_variant(i)` returns variant i, and `compare(map, i)` the similarity of its map to the
    clean one. Returns, each [count]: `similarity`, by `compare`, with the target fixed to that of
    the clean image; `similarity_repredicted`, the same with the variant's own target; `flip`, 1
    where another class is predicted; `probability`, the softmax probability of the clean image's
    target; `score`, sigmoid of the network's last output, the released score of a synthetic face
    (that of a network of one output z is sigmoid(z), the probability of the last class); `entropy`,
    the spatial entropy of the map; `constant_map`, 1 where the map has no contrast. Similarities
    are NaN where the variant's or the clean map is constant. Variants are scanned, so that memory
    is independent of their number. Both maps of a CAM share one pass of the trunk; other methods
    pass twice, or once if not `repredict`.
    """
    predicted, has_contrast = jnp.argmax(clean.logits), clean.map.max() > 0

    def last_output(logits: Logits) -> Scalar:
        return logits[-1] - logits[0] if explain.one_output else logits[-1]

    def similarity(map: Map, i: Index) -> Scalar:
        return jnp.where(has_contrast & (map.max() > 0), compare(map, i), jnp.nan)

    def measure_variant(i: Index) -> Values:
        image = make_variant(i)
        fixed = explain(image, clean.target)
        constant_map = fixed.map.max() <= 0
        values = {
            "similarity": similarity(fixed.map, i),
            "flip": (jnp.argmax(fixed.logits) != predicted).astype(jnp.float32),
            "probability": jax.nn.softmax(fixed.logits)[clean.target],
            "score": jax.nn.sigmoid(last_output(fixed.logits)),
            "entropy": jnp.where(constant_map, jnp.nan, spatial_entropy(fixed.map)),
            "constant_map": constant_map.astype(jnp.float32),
        }
        if repredict:
            values["similarity_repredicted"] = similarity(explain(image).map, i)
        return values

    return jax.lax.map(measure_variant, jnp.arange(count))


# Name, title, lowest and highest value, better direction
COLUMNS: tuple[tuple[str, str, int, int, Literal["higher", "lower", ""]], ...] = (
    ("similarity", "similarity of the map, target fixed", -1, 1, "higher"),
    ("similarity_repredicted", "similarity of the map, target re-predicted", -1, 1, "higher"),
    ("flip", "decisions flipped", 0, 1, "lower"),
    ("probability", "probability of the explained class", 0, 1, ""),
    ("score", "sigmoid of the last output", 0, 1, ""),
    ("entropy", "spatial entropy", 0, 1, ""),
    ("constant_map", "constant maps", 0, 1, "lower"),
)


def variant_columns(
    prefix: str,
    title: str,
    meaning: str,
    axis: str,
    coordinates: Sequence[float | str],
    *,
    repredict: bool = True,
) -> tuple[Column, ...]:
    """Return the columns of `measure_variants`, named `prefix_…`, over an axis of variants."""
    places = tuple(coordinates)
    return tuple(
        Column(f"{prefix}_{name}", f"{title}: {what}", meaning, low, high, better, axis, places)
        for name, what, low, high, better in COLUMNS
        if repredict or name != "similarity_repredicted"
    )


def mean_columns(
    prefix: str, name: str, title: str, meaning: str, *, repredict: bool
) -> tuple[Column, ...]:
    """Return the columns of `similarity_means`, named `prefix_…`."""
    means = ((name, "target fixed"), (f"{name}_repredicted", "target re-predicted"))
    return tuple(
        Column(f"{prefix}_{key}", f"{title}, {target}", meaning, -1, 1, "higher")
        for key, target in means[: 1 + repredict]
    )


def similarity_means(
    values: Values, name: str, mean: Callable[[Array], Scalar]
) -> dict[str, Scalar]:
    """Return the `mean` over the variants of `measure_variants`, `name` and `name_repredicted`.

    The second only where similarities with the target re-predicted were measured.
    """
    means = {name: mean(values["similarity"])}
    if "similarity_repredicted" in values:
        means[f"{name}_repredicted"] = mean(values["similarity_repredicted"])
    return means
