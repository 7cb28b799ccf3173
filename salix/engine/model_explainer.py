"""Explanations of one model by one method, and those of its variants."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from salix.attribution import pool, pooling_of
from salix.engine.user_functions import check_score
from salix.metrics import scale
from salix.model import Model
from salix.scores import ScoreOf, fix, logit, resolve
from salix.typing import Explainer, Explanation, Image, Index, Method, Params, PRNGKey


@dataclass(frozen=True, eq=False)
class ModelExplainer:
    """Explanations of a model's score by a method; `explainer()` is what measures and metrics take.

    `score` is a function of the logits, see `salix.scores`, and `key` that of random methods, the
    same for every explanation.
    """

    model: Model
    params: Params
    method: Method
    _: KW_ONLY
    score: ScoreOf = logit()
    key: PRNGKey = field(default_factory=lambda: jax.random.key(0))

    def __post_init__(self):
        object.__setattr__(self, "score", resolve(self.score, self.model.classes))

    def explain(self, image: Image, target: Index | None = None) -> Explanation:
        """Explain one preprocessed image: logits, explained class and pooled map.

        `target` fixes the class that the score leaves to the prediction. The trunk is written
        twice, for the logits and inside the method: they are the same operations on the same
        input, so that the compiler keeps one, in a loop if they come from `explainer`.
        """
        logits = self.model.logits(self.params, image)
        fixed = getattr(self.score, "target", None)
        if fixed is not None:
            target = jnp.asarray(fixed)
        elif target is None:
            target = jnp.argmax(logits)
        target = target.astype(jnp.int32)
        score_of = fix(self.score, target)
        check_score(score_of(logits), self.score)
        score = self.model.score(self.params, score_of)
        attribution = self.method(score, image, self.key)
        map = pool(attribution, pooling_of(self.method))
        return Explanation(logits, target, map, attribution=attribution)

    def explainer(self) -> Explainer:
        """Return the explainer of variants of an image, their maps scaled to [0, 1].

        Explanations of one image share its passes: the compiler keeps one of those that are equal.
        Measures explain in loops, and what it moves out of a loop, copy by copy, it no longer
        recognises as equal inside. So the parameters wait for the image: nothing can be moved.
        """

        def explain(image: Image, target: Index | None) -> Explanation:
            waiting, image = jax.lax.optimization_barrier((self.params, jnp.asarray(image)))
            explanation = replace(self, params=waiting).explain(image, target)
            return replace(explanation, map=scale(explanation.map)[0])

        def trunk(image: Image) -> Any:
            waiting, image = jax.lax.optimization_barrier((self.params, jnp.asarray(image)))
            return self.model.trunk(waiting, image)

        def baselines(image: Image) -> tuple[Image, ...]:
            method: Any = self.method
            return method.baselines(self.model.score(self.params, self.score), image)

        def variant(function: Callable[[Any], Any] | None = None, **change: Any) -> Explainer:
            if function is not None:
                change["model"] = _behind(self.model, function)
            return replace(self, **change).explainer()

        return Explainer(
            explain,
            self.model.preprocess.mean,
            self.model.preprocess.std,
            score_of=lambda logits, target: fix(self.score, target)(logits),
            trunk=trunk if self.model.divided else None,
            baselines=baselines if callable(getattr(self.method, "baselines", None)) else None,
            targeted=getattr(self.score, "target", 0) is None,
            variant=variant,
            parameters=self.params,
        )


def _behind(model: Model, function: Callable[[Any], Any]) -> Model:
    """Return a model composed with a function from image to image, before its trunk."""

    def composed(part: Callable[..., Any], params: Params, image: Image, **cut: str) -> Any:
        return part(params, function(image), **cut)

    if model.divided:
        return replace(model, trunk=partial(composed, model.trunk), tap=None)
    return replace(model, head=partial(composed, model.head), tap=None)
