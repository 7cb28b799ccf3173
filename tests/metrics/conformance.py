"""Evaluation of any metric of `METRICS` as a measure of known truth, with its passes counted.

The number of required arguments tells how a metric is called. Each is compiled once, for a batch
of images and for the true and a random map or method alike.
"""

import functools
import inspect
from collections import Counter
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from salix.attribution import Gradient
from salix.measures import Of
from salix.metrics import METRICS
from salix.perturb.attacks import NES
from salix.perturb.host import call_on_host
from salix.perturb.partition import Grid
from salix.typing import Explanation, Passes
from tests.metrics import known_truth as known

FEW = {"samples": 6, "steps": 3, "subsets": 12, "window": 3, "size": 12, "top": 16, "stages": 2}
# The true attribution is over the value 0, not over the mean, and in units of the score.
OWN = {
    "irof": {"fill": 0.0},
    "faithfulness_correlation": {"fill": 0.0},
    "infidelity": {"units": "contribution"},
    "region_attack": {"attack": NES(6, 0.1, 3, 0.1, None), "partition": Grid(4)},
    "sensitivity_n": {"fractions": (0.2, 0.5)},  # a few single pixels may all be irrelevant
}
# Metrics that another method satisfies than the one that is complete, and random methods that fail.
TRUTHS = {"input_invariance": Gradient()}
RANDOM = {"randomisation": known.blind, "axiom": known.fickle}


def required(function) -> int:
    """Return the number of arguments that a metric requires."""
    parameters = inspect.signature(function).parameters.values()
    return sum(p.default is p.empty and p.kind is not p.KEYWORD_ONLY for p in parameters)


def names(*arities) -> list[str]:
    """Return the metrics with so many required arguments."""
    return [name for name, info in METRICS.items() if required(info.function) in arities]


def few(name) -> dict:
    """Return options of a metric for a tiny image, with few samples."""
    options = inspect.signature(METRICS[name].function).parameters
    return {option: value for option, value in FEW.items() if option in options} | OWN.get(name, {})


class Evaluation:
    """A compiled metric of a batch of images, whose passes are counted."""

    def __init__(self, name, **options):
        self.info = METRICS[name]
        self.options = few(name) | options
        self.of = Of(self.info.function, **self.options)
        self.counts = Counter()
        self.truth = TRUTHS.get(name, known.contributions)
        self.random = RANDOM.get(self.info.group, known.unfaithful)
        self.top = np.float32(1) if self.info.score == "explained" else true_maps().max()
        self._batch = jax.jit(jax.vmap(self.one))

    def one(self, params, image, map, true, key):
        """Return the metric of one image as a sweep has it; a curve is its area."""
        explain = known.explainer(params, key, true, self.random, self.truth)
        mask = np.uint8(255 * known.REGIONS[0])
        clean = Explanation(jnp.zeros(known.CLASSES), jnp.int32(0), map, mask)
        values = self.of(self._counted(explain), image, clean, key)
        assert set(values) == {column.name for column in self.of.columns}
        area = f"{self.of.column}_area"
        return values[area] if area in values else values[self.of.column]

    def __call__(self, images=known.IMAGES, maps=None, true=True, keys=known.KEYS):
        maps = (true_maps() if maps is None else maps) / self.top
        flags = np.full(len(images), true)
        # Every image has its own copy of the parameters, so that no pass is shared by all.
        params = jax.tree.map(lambda x: np.stack([x] * len(images)), known.PARAMS)
        return np.asarray(self._batch(params, images, maps, flags, keys))

    def passes(self) -> Passes:
        """Return the passes of the batch since the last call.

        Logits without an attribution are an evaluation, and so are the features of a trunk.
        """
        jax.effects_barrier()
        n, self.counts = self.counts, Counter()
        alone = max(n["logits"] - n["attribution"], 0)
        return Passes(evaluations=alone + n["features"], explanations=n["attribution"])

    def _counted(self, explain):
        def function(image, target):
            e = explain.function(image, target)
            one = self._one("attribution", e.attribution)
            return replace(
                e,
                logits=e.logits * self._one("logits", e.logits),
                attribution=e.attribution * one,
                map=e.map * one,
            )

        return replace(
            explain,
            function=function,
            trunk=lambda image: self._features(explain.trunk(image)),
            variant=lambda **change: self._counted(explain.variant(**change)),
        )

    def _features(self, features):
        return features * self._one("features", features)

    def _one(self, event, array):
        """Return a one from the host, which the compiler cannot know; the host counts it."""

        def one(total):
            self.counts[event] += total.size
            return np.ones_like(total)

        total = jax.lax.stop_gradient(array.sum(dtype=jnp.float32))
        shape = jax.ShapeDtypeStruct((), total.dtype)
        return call_on_host(one, shape, total).astype(array.dtype)


@functools.cache
def true_maps() -> np.ndarray:
    """The true maps of the images, [n h w]; they are 0 outside of the region."""
    score = lambda image: known.MODEL.logits(known.PARAMS, image)[0]  # noqa: E731
    maps = np.stack([known.contributions(score, x, None)[..., 0] for x in known.IMAGES])
    return maps * known.REGIONS[0]  # without the rounding of differences that are 0


def random_maps() -> np.ndarray:
    """Uniform random maps up to the maximum of the true ones."""
    maps = true_maps()
    rng = np.random.default_rng(3)
    return (maps.max() * rng.uniform(size=maps.shape)).astype(np.float32)


@functools.cache
def evaluation(name) -> Evaluation:
    """Return the compiled evaluation of a metric, shared by all tests."""
    return Evaluation(name)
