"""Attributions of a trained network, and its scores."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from salix.attribution import (
    DeepLIFT,
    FeatureAblation,
    Gradient,
    InputXGradient,
    IntegratedGradients,
)
from salix.perturb.partition import Patches
from salix.studies.chaosmining.data import SymbolicSet
from salix.studies.chaosmining.metrics import (
    attribution_score,
    consistency,
    convergence,
    functional_precision,
    uniform_score,
)
from salix.studies.chaosmining.network import pad_params, predict
from salix.studies.chaosmining.truth import (
    TRUTHS,
    true_deeplift,
    true_integrated_gradients,
)
from salix.typing import Method, Params

ROWS = 100  # in one batch of attributions
# The methods of the release, by their codes there. Its DeepLIFT has no rule for GELU and is
# input x gradient on these networks; "DeepLIFT" is the rescale rule itself.
METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "SA": Gradient(),
        "DL": InputXGradient(),
        "IG": IntegratedGradients(steps=20, rule="gauss_legendre"),
        "FA": FeatureAblation(Patches(side=1), chunk=16),
        "DeepLIFT": DeepLIFT(),
    }
)


@partial(jax.jit, static_argnames="method")
def attribute(
    params: Params, x: Float[Any, "rows features"], key: Any, *, method: Method
) -> Float[Any, "rows features"]:
    """Return a method's attributions of a network's output, for rows of features.

    A row is an image of one spatial axis and one channel.
    """

    def explain(row: Any) -> Any:
        values, row_key = row
        score = lambda image: predict(params, image[:, 0])  # noqa: E731
        return method(score, values[:, None], row_key)[:, 0]

    return jax.lax.map(explain, (x, jax.random.split(key, len(x))), batch_size=ROWS)


def attribute_padded(
    params: Params, x: np.ndarray, features: int, method: Method, *, seed: int
) -> Float[np.ndarray, "rows features"]:
    """Return attributions by a program for `features` columns, which other networks share."""
    missing = features - x.shape[1]
    padded = jnp.asarray(np.pad(x, ((0, 0), (0, missing))))
    values = attribute(pad_params(params, features), padded, jax.random.key(seed), method=method)
    return np.asarray(values, np.float32)[:, : x.shape[1]]


def score_network(
    snapshots: Params,
    data: SymbolicSet,
    *,
    methods: Mapping[str, Method] = METHODS,
    features: int,
    seed: int,
) -> dict[str, float]:
    """Return the scores of a network's prediction and of each method's attributions by name.

    `Pred` is the U-Score of predictions, `error` their mean absolute error. Of a method M, `M` is
    its functional precision and `M consistency` that of its top features; `U M` compares with the
    true attributions, signed, `U SA released` by |gradient| as in the release. `M convergence i`
    is the overlap of the top features at snapshot i with the last ones.
    """
    each = _snapshots(snapshots)
    final, relevant = each[-1], data.relevant
    predicted = np.asarray(jax.jit(predict)(final, data.test_x))
    scores = {
        "Pred": uniform_score(predicted, data.test_y),
        "error": float(np.abs(predicted - data.test_y).mean()),
    }
    for name, method in methods.items():
        explain = partial(attribute_padded, features=features, method=method, seed=seed)
        values = explain(x=data.test_x, params=final)
        scores[name] = functional_precision(values, relevant)
        scores[f"{name} consistency"] = consistency(values, relevant)
        if name in TRUTHS:
            truth = TRUTHS[name](data.formula, data.test_features)
            scores[f"U {name}"] = attribution_score(values, truth)
            if name == "SA":
                scores["U SA released"] = attribution_score(values, truth, signed=False)
        if name == "IG":
            truth = true_integrated_gradients(data.formula, data.test_features)
            scores["U IG exact"] = attribution_score(values, truth)
        if name == "DeepLIFT":
            truth = true_deeplift(data.formula, data.test_features)
            scores["U DeepLIFT"] = attribution_score(values, truth)
        for i, params in enumerate(each[:-1]):
            earlier = explain(x=data.test_x, params=params)
            scores[f"{name} convergence {i}"] = convergence(earlier, values, relevant)
    return scores


def _snapshots(params: Params) -> list[Params]:
    count = len(params[0][1])
    return [jax.tree.map(lambda leaf, i=i: leaf[i], params) for i in range(count)]
