"""Attributions of a trained classifier, and their scores by example."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from salix.model import Model
from salix.scores import logit
from salix.studies.chaosmining.signals.data import SignalSet
from salix.studies.chaosmining.signals.kinds import Metric
from salix.typing import Method, Params

BATCH = 20  # examples that are attributed together
ABSOLUTE = ("SA",)  # methods of the release whose attributions have no sign: Captum's saliency


@partial(jax.jit, static_argnames=("model", "method"))
def explain_batch(
    model: Model, params: Params, x: Any, keys: Any, *, method: Method
) -> tuple[Any, Any]:
    """Return the predicted classes of examples, and a method's attributions of their logits."""

    def explain(image: Any, key: Any) -> tuple[Any, Any]:
        target = jnp.argmax(model.logits(params, image))
        values = method(model.score(params, logit(target)), image, key)
        if values.shape[:-1] != image.shape[:-1]:  # on the grid of the features
            values = jax.image.resize(values, (*image.shape[:-1], values.shape[-1]), "linear")
        return target, values

    return jax.vmap(explain)(x, keys)


def attribute(
    model: Model, params: Params, x: np.ndarray, method: Method, *, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the predicted classes [n] and the attributions [n *space c] of examples."""
    keys = jax.random.split(jax.random.key(seed), len(x))
    parts = []
    for start in range(0, len(x), BATCH):
        rows = np.minimum(np.arange(start, start + BATCH), len(x) - 1)  # one program for all
        part = explain_batch(model, params, jnp.asarray(x[rows]), keys[rows], method=method)
        parts.append(jax.device_get(part))
    classes, values = (np.concatenate(arrays)[: len(x)] for arrays in zip(*parts, strict=True))
    return classes, values.astype(np.float32)


def score_classifier(
    model: Model,
    params: Params,
    data: SignalSet,
    metrics: Mapping[str, Metric],
    methods: Mapping[str, Method],
    *,
    seed: int,
) -> dict[str, Float[np.ndarray, " test"]]:
    """Return the scores of each test example by name: "accuracy", and "SA box IoU" and so on.

    The explained class is the predicted one, right or wrong, as in the release.
    """
    scores = {}
    for name, method in methods.items():
        classes, values = attribute(model, params, data.test_x, method, seed=seed)
        scores["accuracy"] = (classes == data.test_y).astype(np.float32)
        values = np.abs(values) if name in ABSOLUTE else values
        for title, metric in metrics.items():
            scores[f"{name} {title}"] = metric(values, data.test_places).astype(np.float32)
    return scores
