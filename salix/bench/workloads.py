"""Benchmark workloads: functions of a batch with fixed settings.

The explained score is the logit of class 0. Integrated gradients have 16 steps of the midpoint
rule from a baseline of zeros, SmoothGrad 16 samples with noise of 0.15 of the image's range.
Deletion is the curve of the probability of class 0 while pixels are set to 0, the mean of a
normalised image: j / 16 of them for j = 1 to 16, in the order of a seeded map.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from salix.attribution import CAM, GradCAM, Gradient, IntegratedGradients, SmoothGrad
from salix.bench.arrays import abstract, smooth
from salix.bench.program import WorkloadProgram, compiled
from salix.engine.classification import Classification
from salix.engine.program import batched
from salix.measures.presets import PRESETS
from salix.metrics import deletion
from salix.model import Model
from salix.precision import Precision
from salix.scores import logit, probability
from salix.typing import Explainer, InputError, Method, Params

STEPS = SAMPLES = 16
FRACTIONS = tuple((j + 1) / STEPS for j in range(STEPS))
SCORE = logit(0)
BatchFunction = Callable[..., Any]  # (params, images, keys, maps) -> results of the batch
WorkloadFunction = Callable[[Model, int, Precision], BatchFunction]


@dataclass(frozen=True)
class Workload:
    """A task; `function(model, batch, precision)` returns its `BatchFunction`.

    `passes` counts forward and backward passes of the model for each image; `features` is whether
    the features of the trunk must have a grid.
    """

    function: WorkloadFunction
    passes: int
    features: bool = False

    def missing(self, model: Model, params: Params) -> str:
        """Return why the task is impossible with a model; "" if it is possible."""
        if not self.features:
            return ""
        arguments = abstract(model, params)
        traced = jax.make_jaxpr(model.features)(*arguments)
        if not traced.eqns:
            return f"{model.name} has no trunk: give its module methods trunk and head"
        shape = traced.out_avals[0].shape
        return "" if len(shape) > 1 else f"the features of {model.name} have no grid: {shape}"

    def program(
        self, model: Model, params: Params, batch: int, *, precision: Precision = "float32"
    ) -> WorkloadProgram:
        """Compile the task for a batch size, in a precision.

        Raises `InputError` for a model without the features that it needs.
        """
        if reason := self.missing(model, params):
            raise InputError(reason)
        _, image = abstract(model, params)
        images = jax.ShapeDtypeStruct((batch, *image.shape), image.dtype)
        keys = jax.random.split(jax.random.key(0), batch)
        extra = (keys, jax.device_put(maps(batch, model.preprocess.size)))
        function = self.function(model, batch, precision)
        return compiled(function, params, images, extra, self.passes, precision)


def maps(batch: int, size: tuple[int, int]) -> np.ndarray:
    """Return seeded maps [b h w] that order the pixels for deletion."""
    return smooth(batch, size)


def _over_batch(function: Callable[..., Any]) -> BatchFunction:
    """Vectorise a function of (params, image, key, map) over a batch."""
    return jax.vmap(function, (None, 0, 0, 0))


def _forward(model: Model, batch: int, precision: Precision) -> BatchFunction:
    """Return the function to logits [b classes]."""
    return _over_batch(lambda params, image, key, map: model.logits(params, image))


def _explained(method: Method) -> WorkloadFunction:
    """Return the function to attributions [b h w c] of a method."""
    return lambda model, batch, precision: _over_batch(
        lambda params, image, key, map: method(model.score(params, SCORE), image, key)
    )


def _mapped(method: Method) -> WorkloadFunction:
    """Return the function to maps [b y x] of a method of one channel, on the features' grid."""
    explained = _explained(method)

    def function(model: Model, batch: int, precision: Precision) -> BatchFunction:
        attribute = explained(model, batch, precision)
        return lambda *arguments: attribute(*arguments)[..., 0]

    return function


def _deletion(model: Model, batch: int, precision: Precision) -> BatchFunction:
    """Return the function to probabilities [b 16] along the curve and its area [b]."""

    def curve_of_image(params: Params, image: Any, key: Any, map: Any) -> Any:
        score = model.score(params, probability(0))
        curve = deletion(
            score, image, map, key, fractions=FRACTIONS, fill="black", chunk=chunk(batch)
        )
        return curve.values, curve.area

    return _over_batch(curve_of_image)


def chunk(batch: int) -> int:
    """Return the number of a curve's steps in one pass, for passes of an efficient size."""
    size = 8 if jax.default_backend() == "cpu" else 128
    return next(n for n in (16, 8, 4, 2, 1) if n * batch <= max(size, batch))


def _measures(preset: str) -> Any:
    """Return the function to the columns of a sweep: CAM with the measures of a preset."""

    def function(model: Model, batch: int, precision: Precision) -> BatchFunction:
        measures = PRESETS[preset]
        step = batched(
            Classification(model, CAM(), score=SCORE, measures=measures, precision=precision)
        )
        mean, std = model.preprocess.mean, model.preprocess.std
        normal = Explainer(lambda image, target: image, mean, std)

        def columns(params: Params, images: Any, keys: Any, maps: Any) -> Any:
            pixels = jnp.clip(jnp.rint(255 * normal.pixels(images)), 0, 255).astype(jnp.uint8)
            hashes = jax.random.key_data(keys)[:, -1]
            examples = {"pixels": pixels, "reference_mask": None}
            return step(params, examples, jnp.ones(batch, bool), hashes, jnp.uint32(0))

        return columns

    return function


WORKLOADS: dict[str, Workload] = {
    "forward": Workload(_forward, 1),
    "cam": Workload(_mapped(CAM()), 1, features=True),
    "gradcam": Workload(_mapped(GradCAM()), 1, features=True),
    "saliency": Workload(_explained(Gradient()), 2),
    "smoothgrad": Workload(_explained(SmoothGrad(samples=SAMPLES, noise=0.15)), 2 * SAMPLES),
    "ig": Workload(_explained(IntegratedGradients(steps=STEPS)), 2 * STEPS),
    "deletion": Workload(_deletion, STEPS),
    "measures": Workload(_measures("standard"), 25, features=True),
    "paper": Workload(_measures("paper"), 23, features=True),  # as in the study's released code
}
