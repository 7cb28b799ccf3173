"""All measurements of a batch of words: maps by each method, selectivity and localisation."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

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
from salix.studies.strexp.localisation import localise
from salix.studies.strexp.maps import (
    CharacterScore,
    ReadWord,
    combine_maps,
    explain_word,
    score_of,
)
from salix.studies.strexp.segments import PATCH
from salix.studies.strexp.selectivity import area, rank_of, removal_curves, segment_means
from salix.typing import Method, Params, PRNGKey

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


@dataclass(frozen=True)
class MeasuredMethod:
    """Ranks of the segments by each variant of a method [words variants segments], and scores.

    `localisation` has arrays [words characters] by name, `maps` are [words maps h w].
    """

    ranks: Any
    localisation: Mapping[str, Any]
    maps: Any


@partial(jax.jit, static_argnames=("recogniser", "method", "kind"))
def _measure_method(
    params: Params,
    reads: ReadWord,
    extents: Any,
    keys: Any,
    *,
    recogniser: Recogniser,
    method: Method,
    kind: CharacterScore,
) -> tuple[Array, dict[str, Array], Array]:
    def measure(item: Any) -> Any:
        read, extent, key = item
        explain_key, rank_key, roll_key = jax.random.split(key, 3)
        score = partial(score_of, recogniser, params, read, kind=kind)
        maps = explain_word(method, score, read, explain_key)
        ranks = _ranks(read, [maps[0], *combine_maps(maps, read.length)], rank_key)
        return ranks, localise(maps, extent, read.length, roll_key), maps

    return lax.map(measure, (reads, extents, keys))


def _ranks(read: ReadWord, maps: list[Array], key: PRNGKey) -> Array:
    return jnp.stack([rank_of(segment_means(m, read.labels), key) for m in maps])


@partial(jax.jit, static_argnames=("recogniser", "kind"))
def _measure_runs(
    params: Params, reads: ReadWord, keys: Any, *, recogniser: Recogniser, kind: CharacterScore
) -> Array:
    """Return the ranks of `RUNS`; each of n + 1 runs has random permutations of its own."""

    def measure(item: Any) -> Array:
        read, key = item
        count = jnp.shape(read.word)[0] + 1
        score = partial(score_of, recogniser, params, read, kind=kind)
        explain = partial(explain_word, SHAPLEY, score, read)
        runs = lax.map(explain, jax.random.split(key, count))  # [run, map, h, w]
        used = (jnp.arange(count) <= read.length)[:, None, None, None]
        means = jnp.where(used, runs, 0).sum(0) / (read.length + 1).astype(runs.dtype)
        separate = jnp.stack([runs[i, i] for i in range(count)])
        maps = [means[0], *combine_maps(separate, read.length)]
        return _ranks(read, [*maps, combine_maps(means, read.length)[1]], key)

    return lax.map(measure, (reads, keys))


@partial(jax.jit, static_argnames=("recogniser",))
def measure_removal(
    params: Params, reads: ReadWord, ranks: Any, keys: Any, *, recogniser: Recogniser
) -> tuple[Array, Array]:
    """Return accuracy and confidence [words rankings fills steps] as segments are removed."""

    def measure(item: Any) -> tuple[Array, Array]:
        read, rank, key = item
        return removal_curves(recogniser, params, read, rank, key)

    return lax.map(measure, (reads, ranks, keys))


@dataclass(frozen=True)
class MeasuredWords:
    """Measurements of words: curves [words rankings fills steps], areas, localisation and maps.

    `rankings` names the rankings; the last one is random.
    """

    rankings: tuple[str, ...]
    accuracy: Any
    confidence: Any
    accuracy_area: Any
    confidence_area: Any
    localisation: Mapping[str, Mapping[str, Any]]
    maps: Float[np.ndarray, "words maps h w"]


def ranking_names(methods: Mapping[str, Method], *, runs: bool) -> tuple[str, ...]:
    """Return the names of the rankings: each method's variants, the runs, and the random one."""
    names = [f"{m}, {v}" for m in methods for v in VARIANTS]
    names += [f"Shapley of n + 1 times the passes, {v}" for v in RUNS] if runs else []
    return (*names, "random")


def measure_words(
    recogniser: Recogniser,
    params: Params,
    reads: ReadWord,
    extents: Any,
    *,
    seed: int,
    methods: Mapping[str, Method] = METHODS,
    kind: CharacterScore = "substitution",
    runs: bool = True,
) -> MeasuredWords:
    """Return the measurements of a batch of words of one program.

    `extents` [words n h w] are false where they are not known: localisation is NaN there. `maps`
    are those of the last method. With `runs`, Shapley values are computed n + 1 times as well.
    """
    count = len(reads.word)
    keys = jax.random.split(jax.random.key(seed), count)
    ranks, localisation, maps = [], {}, np.zeros(0)
    for name, method in methods.items():
        arguments = {"recogniser": recogniser, "method": method, "kind": kind}
        rank, local, maps = _measure_method(params, reads, extents, keys, **arguments)
        ranks.append(rank)
        localisation[name] = jax.tree.map(np.asarray, local)
    if runs:
        ranks.append(_measure_runs(params, reads, keys, recogniser=recogniser, kind=kind))
    draw = jax.vmap(lambda key, read: _ranks(read, [jnp.zeros(read.labels.shape)], key))
    ranks.append(draw(keys, reads))
    every = jnp.concatenate(ranks, 1)
    curves = measure_removal(params, reads, every, keys, recogniser=recogniser)
    segments = jnp.asarray(reads.labels).max((1, 2)) + 1
    accuracy_area, confidence_area = (
        np.asarray(area(curve, segments.reshape(-1, 1, 1))) for curve in curves
    )
    names = ranking_names(methods, runs=runs)
    accuracy, confidence = map(np.asarray, curves)
    areas = {"accuracy_area": accuracy_area, "confidence_area": confidence_area}
    return MeasuredWords(
        names, accuracy, confidence, **areas, localisation=localisation, maps=np.asarray(maps)
    )
