"""All measurements of a word: maps by each method, selectivity and localisation."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from salix.attribution import (
    FeatureAblation,
    GradCAM,
    Gradient,
    IntegratedGradients,
    KernelSHAP,
    ShapleySampling,
)
from salix.models.recognisers import Recogniser
from salix.perturb.partition import Patches
from salix.studies.strexp.localisation import CONTROLS, localise
from salix.studies.strexp.maps import (
    CharacterScore,
    ReadWord,
    combine_maps,
    explain_word,
    score_of,
)
from salix.studies.strexp.segments import PATCH
from salix.studies.strexp.selectivity import area, rank_of, removal_curves, segment_means
from salix.typing import Index, Method, Params, PRNGKey, Score, Values

_PARTS = Patches(PATCH)  # replaced by the segments of each image
# Two permutations of 36 segments are 72 passes of the model, the budget of each method at most.
SHAPLEY = ShapleySampling(_PARTS, permutations=2, antithetic=True, chunk=35)
METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "Gradient": Gradient(),
        "IntegratedGradients": IntegratedGradients(steps=8),
        "GradCAM": GradCAM(),
        "FeatureAblation": FeatureAblation(_PARTS, chunk=18),
        "KernelSHAP": KernelSHAP(_PARTS, samples=70, chunk=35),
        "Shapley": SHAPLEY,
    }
)
VARIANTS = ("word", "STRExp (L)", "STRExp (GL)")
# Shapley values with n + 1 times the passes, n the number of characters, in three ways.
RUNS = ("word", "STRExp (L), own passes", "STRExp (GL), own passes", "STRExp (GL), shared passes")
LOCALISED = ("mass", "auc", *CONTROLS)


def ranking_names(methods: Mapping[str, Method], *, runs: bool) -> tuple[str, ...]:
    """Return the names of the rankings: each method's variants, the runs, and the random one."""
    names = [f"{m}, {v}" for m in methods for v in VARIANTS]
    names += [f"Shapley of n + 1 times the passes, {v}" for v in RUNS] if runs else []
    return (*names, "random")


def measure_word(
    recogniser: Recogniser,
    params: Params,
    read: ReadWord,
    extents: Any,
    key: PRNGKey,
    *,
    methods: Mapping[str, Method] = METHODS,
    kind: CharacterScore = "substitution",
    runs: bool = True,
) -> Values:
    """Return the measurements of a word.

    Areas and curves of `accuracy` and `confidence` [rankings fills steps] are in the order of
    `ranking_names`, `localisation` [methods values characters] in that of `LOCALISED`, NaN for
    padding and where `extents` [n h w] are false throughout. `segment_means` [n + 1 segments] are
    those of the last method's maps. With `runs`, Shapley values are computed n + 1 times as well.
    """
    score = partial(score_of, recogniser, params, read, kind=kind)
    explain_key, rank_key, roll_key = jax.random.split(key, 3)
    ranks, localised, maps = [], [], jnp.zeros(0)
    for method in methods.values():
        maps = explain_word(method, score, read, explain_key)
        ranks.append(_ranks(read, [maps[0], *combine_maps(maps, read.length)], rank_key))
        values = localise(maps, extents, read.length, roll_key)
        localised.append(jnp.stack([values[name] for name in LOCALISED]))
    if runs:
        ranks.append(_runs(score, read, key))
    ranks.append(_ranks(read, [jnp.zeros(read.labels.shape)], key))
    curves = removal_curves(recogniser, params, read, jnp.concatenate(ranks), key)
    segments = jnp.asarray(read.labels).max() + 1
    named = dict(zip(("accuracy", "confidence"), curves, strict=True))
    return {
        **{f"{name}_area": area(curve, segments) for name, curve in named.items()},
        **named,
        "localisation": jnp.stack(localised),
        "segment_means": jax.vmap(lambda map: segment_means(map, read.labels))(maps),
    }


def _ranks(read: ReadWord, maps: list[Array], key: PRNGKey) -> Array:
    return jnp.stack([rank_of(segment_means(m, read.labels), key) for m in maps])


def _runs(score: Callable[[Index], Score], read: ReadWord, key: PRNGKey) -> Array:
    """Return the ranks of `RUNS`; each of n + 1 runs has random permutations of its own."""
    count = jnp.shape(read.word)[0] + 1
    explain = partial(explain_word, SHAPLEY, score, read)
    runs = lax.map(explain, jax.random.split(key, count))  # [run, map, h, w]
    used = (jnp.arange(count) <= read.length)[:, None, None, None]
    means = jnp.where(used, runs, 0).sum(0) / (read.length + 1).astype(runs.dtype)
    separate = jnp.stack([runs[i, i] for i in range(count)])
    maps = [means[0], *combine_maps(separate, read.length)]
    return _ranks(read, [*maps, combine_maps(means, read.length)[1]], key)
