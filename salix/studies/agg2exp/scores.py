"""Explained scalars of a segmentation: the logits of a class summed over its region."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Integer

from salix.studies.agg2exp.aggregation import sum_by_number
from salix.studies.agg2exp.segmenter import Segmenter, Volume
from salix.studies.agg2exp.windows import WindowPlan
from salix.typing import AnyArray, Params

PlanArrays = tuple[Any, Any, Any]  # starts, weights and inverse of a plan, as arguments


def plan_arrays(plan: WindowPlan) -> PlanArrays:
    """Return the arrays of a plan, which are arguments of compiled programs."""
    return plan.starts, plan.weights, plan.inverse


def target_scores(
    logits: Any,
    params: Params,
    volume: Volume,
    predicted: Integer[AnyArray, "d h w"],
    target_of: Integer[AnyArray, " classes"],
    where: PlanArrays,
    *,
    count: int,
) -> Float[Array, " targets"]:
    r"""Return the explained scalars of all targets, $F_t(x) = \sum_{v: \hat y_v \in t} s_{\hat
    y_v}(v; x)$.

    $\hat y$ are the classes `predicted` of the clean volume, fixed whatever the volume is here: the
    function does not change along a path or under noise. `target_of` has the target of each class,
    so that classes are merged by sharing one; `count` is the number of targets. With windows, s are
    the blended logits: window w adds its logits times $b_w(v) / \sum_u b_u(v)$, in the gradient
    too. Windows are scanned and computed again in the backward pass, for memory of one window.

    Chrabaszcz et al. (2025), arXiv:2407.16653, where the released code predicts the mask anew and
    adds overlapping windows without weights.
    """
    volume, predicted = jnp.asarray(volume), jnp.asarray(predicted)
    starts, weights, inverse = (jnp.asarray(part) for part in where)
    size = weights.shape

    def window(volume: Any, start: Any, classes: Any, share: Any) -> Array:
        part = lax.dynamic_slice(volume, (*start, jnp.int32(0)), (*size, volume.shape[-1]))
        s = logits(params, part)
        own = (s * jax.nn.one_hot(classes, s.shape[-1], dtype=s.dtype)).sum(-1)
        return sum_by_number(own * share, jnp.asarray(target_of)[classes], count)

    if len(starts) == 1:
        return window(volume, starts[0], predicted, jnp.ones((), volume.dtype))

    @jax.checkpoint
    def add(total: Array, start: Any) -> tuple[Array, None]:
        classes = lax.dynamic_slice(predicted, start, size)
        share = weights * lax.dynamic_slice(inverse, start, size)
        return total + window(volume, start, classes, share), None

    return lax.scan(add, jnp.zeros(count, volume.dtype), starts)[0]


def segmenter_scores(
    segmenter: Segmenter, volume: Volume, predicted: Any, target_of: Any, plan: WindowPlan
) -> Float[Array, " targets"]:
    """Return `target_scores` of a segmenter."""
    count = int(max(target_of)) + 1
    return target_scores(
        segmenter.logits,
        segmenter.params,
        volume,
        predicted,
        jnp.asarray(target_of, jnp.int32),
        plan_arrays(plan),
        count=count,
    )
