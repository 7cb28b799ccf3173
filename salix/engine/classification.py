"""Classification: the maps of an image classifier and what measures compute of them."""

from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np

from salix.attribution import pooling_of
from salix.data import image_example
from salix.engine.classification_columns import (
    LOGITS,
    MAP,
    NUMBERS,
    RESERVED,
    MapType,
)
from salix.engine.collisions import claim_columns
from salix.engine.fixed_scores import FIXED, with_fixed_score
from salix.engine.map_columns import map_numbers, stored_map
from salix.engine.model_check import check_model
from salix.engine.model_explainer import ModelExplainer
from salix.engine.segmentation import agreed_segmentation
from salix.engine.targets import check_targets
from salix.engine.traced_model import traced_once
from salix.engine.user_functions import check_function, check_values
from salix.measures import Evaluation
from salix.metrics import scale
from salix.model import Model
from salix.precision import Precision
from salix.scores import ScoreOf, fix, logit, resolve
from salix.store import describe
from salix.typing import (
    Column,
    Explainer,
    Explanation,
    Image,
    Index,
    InputError,
    Measure,
    Method,
    Params,
)


@dataclass(frozen=True)
class Classification:
    """The `Problem` of an image classifier: one map and its measures for each image.

    `score` is any function of the logits; one with a field `target`, such as `logit()`, explains
    the predicted class where that is None. `precision` is that of the model's products; measures
    are exact in any. Stored maps have the type `maps` (8-bit values, or shares in [0, 1]; None
    stores no map) and are averaged down to at most `side` pixels a side. `reference_masks` tells
    whether examples have them. `targets` is the rule by which examples have a `target`, the class
    that is explained in the place of the predicted one; None: they have none. With `fixed_scores`
    they have a `fixed_score`, see `with_fixed_score`.
    """

    model: Model
    method: Method
    _: KW_ONLY
    score: ScoreOf = logit()
    measures: tuple[Measure, ...] = ()
    precision: Precision = "float32"
    maps: MapType | None = "uint8"
    side: int = 64
    reference_masks: bool = False
    targets: str | None = None
    fixed_scores: bool = False

    def __post_init__(self):
        if self.maps is not None and self.maps not in get_args(MapType):
            raise InputError(
                f"maps is {self.maps!r}: choose {', '.join(get_args(MapType))} or None"
            )
        if self.side < 1:
            raise InputError(f"side is {self.side}: give at least 1 pixel")
        check_function("attribution", self.method)
        check_function("score", self.score)
        for measure in self.measures:
            check_function("measure", measure)
        object.__setattr__(self, "score", resolve(self.score, self.model.classes))
        if self.targets is not None:
            check_targets(self.score, self.targets)

    @cached_property
    def segmentation(self) -> Any:
        """The segmentation of the measures that have one; None for none."""
        return agreed_segmentation(self.measures)

    @property
    def example(self) -> dict[str, Any]:
        """`pixels`, `reference_mask`, `segments` and `target`, see `salix.data.ImageExamples`."""
        to, masks = self.model.preprocess, self.reference_masks
        example = image_example(to, reference_masks=masks, segmentation=self.segmentation)
        if self.targets is not None:
            example |= {"target": jax.ShapeDtypeStruct((), np.int32)}
        fixed = {FIXED: jax.ShapeDtypeStruct((), np.float32)}
        return example | fixed if self.fixed_scores else example

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of logits and map, and those of the measures."""
        measured = (c for measure in self.measures for c in getattr(measure, "columns", ()))
        top = 255 if self.maps == "uint8" else 1
        maps = () if self.maps is None else (replace(MAP, low=0, high=top, dims=("y", "x")),)
        return (*LOGITS, *NUMBERS, *maps, *measured)

    def identity(self) -> dict[str, Any]:
        """Return model, classes, preprocessing, method, score, measures and type of maps."""
        return {
            "problem": "classification",
            "model": self.model.name,
            "cut": self.model.cut,
            "classes": list(self.model.classes),
            "preprocess": describe(self.model.preprocess),
            "attribution": describe(self.method),
            "pooling": pooling_of(self.method),
            "score": describe(self.score),
            "precision": self.precision,
            "measures": [describe(m) for m in self.measures],
            "maps": self.maps,
            "side": self.side,
            **({} if self.targets is None else {"targets": self.targets}),
        }

    def explain(
        self, params: Params, image: Image, key: Any, target: Index | None = None
    ) -> Explanation:
        """Explain one preprocessed image: logits, explained class and pooled map.

        `target` fixes the class that the score leaves to the prediction.
        """
        return self._explained(params, key).explain(image, target)

    def row(self, params: Params, example: dict[str, Any], key: Any) -> dict[str, Any]:
        """Return the values of one image's row."""
        outputs = check_model(self._traced_once, params, self.method)
        for method in (m for e in self.measures if isinstance(e, Evaluation) for m in e.methods):
            check_model(self._traced_once, params, method)
        image = self.model.preprocess(example["pixels"])
        target = example.get("target")
        clean = self.explain(params, image, key, target)
        scaled, constant_map = scale(clean.map)
        row = {
            "predicted": jnp.argmax(clean.logits).astype(jnp.int32),
            "target": clean.target if hasattr(self.score, "target") else jnp.int32(-1),
            "logits": clean.logits,
            "score": fix(self.score, clean.target)(clean.logits),
            **(numbers := map_numbers(scaled)),
            "constant_map": constant_map,
            "finite": jnp.isfinite(clean.logits).all() & jnp.isfinite(clean.map).all(),
        }
        row |= stored_map(scaled, self.maps, self.side)
        row |= {name: jnp.where(constant_map, jnp.nan, row[name]) for name in numbers}
        explanation = replace(
            clean,
            map=scaled,
            reference_mask=example["reference_mask"],
            segments=example.get("segments"),
        )
        explainer = replace(self.explainer(params, key, target), one_output=outputs == 1)
        owners: dict[str, Measure] = {}
        for i, measure in enumerate(self.measures):
            values = measure(explainer, image, explanation, jax.random.fold_in(key, i))
            values = check_values(values, measure)
            claim_columns(owners, measure, values, RESERVED)
            row |= values
        if self.fixed_scores:
            targeted = target is None and getattr(self.score, "target", 0) is None
            row = with_fixed_score(row, example[FIXED], targeted=targeted)
        return row

    def explainer(self, params: Params, key: Any, fixed: Index | None = None) -> Explainer:
        """Return the function by which measures explain the variants of an image.

        `fixed` is the class explained unless they name one, in the place of the predicted one.
        """
        return replace(self._explained(params, key).explainer(), target=fixed)

    def _explained(self, params: Params, key: Any) -> ModelExplainer:
        return ModelExplainer(self._traced_once, params, self.method, score=self.score, key=key)

    @cached_property
    def _traced_once(self) -> Model:
        return traced_once(self.model, self.precision)
