"""The program of one image, from pixels to the numbers of its row, and its batched form."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Float

from salix.attribution import pool, pooling_of
from salix.engine.columns import claim
from salix.engine.policy import computed_in, traced_once
from salix.metrics import gini, histogram_entropy, scale, spatial_entropy, to_8_bit
from salix.model import Model
from salix.precision import Precision
from salix.scores import fix
from salix.typing import (
    AnyArray,
    Explainer,
    Explanation,
    Image,
    Index,
    Map,
    Measure,
    Method,
    Params,
    Pixels,
    ReferenceMask,
)

SMALL = 64  # longest side of a stored map: a map of pixels is averaged down to it


@dataclass(frozen=True)
class Task:
    """What is done to each image: which model, which score of it, which map, which measures.

    `precision` is that of the model's products, in the program over a batch alone.
    """

    model: Model
    method: Method
    score: Any
    measures: tuple[Measure, ...] = ()
    precision: Precision = "float32"

    def explain(
        self, params: Params, image: Image, key: Any, target: Index | None = None
    ) -> Explanation:
        """Explain one preprocessed image: logits, explained class and pooled map.

        `target` fixes the class that the score leaves to the prediction. The trunk is written
        twice, for the logits and inside the method: they are the same operations on the same
        input, so that the compiler keeps one, in a loop if they come from `explainer`.
        """
        logits = self.model.logits(params, image)
        if self.score.target is not None:
            target = jnp.asarray(self.score.target)
        elif target is None:
            target = jnp.argmax(logits)
        target = target.astype(jnp.int32)
        score = self.model.score(params, fix(self.score, target))
        return Explanation(
            logits, target, pool(self.method(score, image, key), pooling_of(self.method))
        )

    def row(
        self, params: Params, pixels: Pixels, reference_mask: ReferenceMask | None, key: Any
    ) -> dict[str, Any]:
        """Return the numbers of one image's row."""
        image = self.model.preprocess(pixels)
        clean = self.explain(params, image, key)
        scaled, constant_map = scale(clean.map)
        row = {
            "predicted": jnp.argmax(clean.logits).astype(jnp.int32),
            "target": clean.target,
            "logits": clean.logits,
            "score": fix(self.score, clean.target)(clean.logits),
            "histogram_entropy": histogram_entropy(to_8_bit(scaled)),
            "spatial_entropy": spatial_entropy(scaled),
            "gini": gini(scaled),
            "constant_map": constant_map,
            "finite": jnp.isfinite(clean.logits).all() & jnp.isfinite(clean.map).all(),
            "map": to_8_bit(shrink(scaled)),
        }
        for name in ("histogram_entropy", "spatial_entropy", "gini"):
            row[name] = jnp.where(constant_map, jnp.nan, row[name])
        seen = Explanation(clean.logits, clean.target, scaled, reference_mask)
        explainer = self.explainer(params, key)
        owners: dict[str, Measure] = {}
        for i, measure in enumerate(self.measures):
            found = measure(explainer, image, seen, jax.random.fold_in(key, i))
            claim(owners, measure, found)
            row |= {name: jnp.asarray(value, jnp.float32) for name, value in found.items()}
        return row

    def explainer(self, params: Params, key: Any) -> Explainer:
        """Return what measures explain the variants of an image with.

        What is explained of one image shares its passes: the compiler keeps one of those that are
        equal. Measures explain in loops, and what it moves out of a loop, copy by copy, it does
        not know for equal in it. So the parameters wait for the image: nothing can be moved.
        """

        def explain(image: Image, target: Index | None) -> Explanation:
            held, image = jax.lax.optimization_barrier((params, jnp.asarray(image)))
            found = self.explain(held, image, key, target)
            return replace(found, map=scale(found.map)[0])

        return Explainer(explain, self.model.preprocess.mean, self.model.preprocess.std)


def shrink(map: Map) -> Float[AnyArray, "*small"]:
    """Average a map down until its longest side is at most `SMALL`; a smaller one is kept."""
    ratio = SMALL / max(map.shape)
    if ratio >= 1:
        return map
    shape = tuple(math.ceil(side * ratio) for side in map.shape)
    return jnp.clip(jax.image.resize(map, shape, "linear", antialias=True), 0, 1)


def batched(task: Task) -> Callable[..., dict[str, Any]]:
    """Return the step over a batch: (params, pixels, reference masks, valid, hashes, seed) -> columns.

    Random keys are folded from the seed and the hash of the image's id, so that a row depends on
    its image alone. Slots without an image are masked. Raises `InputError`, where it is traced, for
    an unknown precision.
    """
    task = replace(task, model=traced_once(task.model, task.precision))

    def step(
        params: Params, pixels: Any, reference_masks: Any, valid: Any, hashes: Any, seed: Index
    ) -> dict[str, Any]:
        keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(seed), hashes)
        axes = (None, 0, None if reference_masks is None else 0, 0)
        with computed_in("float32"):  # what is measured of a map is exact, however it was made
            rows = jax.vmap(task.row, axes)(params, pixels, reference_masks, keys)
        return jax.tree.map(lambda column: _mask(valid, column), rows)

    return step


def _mask(valid: Any, column: Any) -> Any:
    shape: Sequence[int] = (-1,) + (1,) * (column.ndim - 1)
    return jnp.where(valid.reshape(shape), column, jnp.zeros_like(column))
