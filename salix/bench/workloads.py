"""Workloads of the benchmark, each a function of a batch, with fixed settings.

What is explained is the logit of class 0. Integrated gradients take 16 steps of the midpoint rule
from a baseline of zeros, SmoothGrad 16 samples with noise of 0.15 of the image's range. Deletion
follows the probability of class 0 while cells become 0, the mean of a normalised image: j / 16 of
them for j = 1 to 16, in the order of a map that is given.
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
BatchFunction = Callable[..., Any]  # (params, images, keys, maps) -> the results of a batch
WorkloadFunction = Callable[[Model, int, Precision], BatchFunction]


@dataclass(frozen=True)
class Workload:
    """A task: `of(model, batch, precision)` is its function (params, images, keys, maps).

    `passes` are those of the model that it takes for an image, each forward or back; `features`
    says whether it reads the features of the trunk as a map.
    """

    of: WorkloadFunction
    passes: int
    features: bool = False

    def missing(self, model: Model, params: Params) -> str:
        """Return why the task cannot be done with a model; nothing where it can."""
        if not self.features:
            return ""
        arguments = abstract(model, params)
        traced = jax.make_jaxpr(model.features)(*arguments)
        if not traced.eqns:
            return f"{model.name} has no trunk: give its module methods trunk and head"
        shape = traced.out_avals[0].shape
        return "" if len(shape) > 1 else f"the features of {model.name} have no grid: {shape}"

    def program(
        self, model: Model, params: Params, batch: int, precision: Precision = "float32"
    ) -> WorkloadProgram:
        """Compile the task for batches of a size, in a precision; see `WorkloadProgram`.

        Raises `InputError` for a model that does not admit it, and an unknown precision.
        """
        if reason := self.missing(model, params):
            raise InputError(reason)
        _, image = abstract(model, params)
        images = jax.ShapeDtypeStruct((batch, *image.shape), image.dtype)
        keys = jax.random.split(jax.random.key(0), batch)
        extra = (keys, jax.device_put(maps(batch, model.preprocess.size)))
        function = self.of(model, batch, precision)
        return compiled(function, params, images, extra, self.passes, precision)


def maps(batch: int, size: tuple[int, int]) -> np.ndarray:
    """Return the maps [b h w] of which deletion takes its order."""
    return smooth(batch, size)


def _each(one: BatchFunction) -> BatchFunction:
    """Lift what is done to one image, (params, image, key, map), to a batch."""
    return jax.vmap(one, (None, 0, 0, 0))


def _forward(model: Model, batch: int, precision: Precision) -> BatchFunction:
    """Logits [b classes]."""
    return _each(lambda params, image, key, map: model.logits(params, image))


def _explained(method: Method) -> WorkloadFunction:
    """Attributions [b h w c] of a method."""
    return lambda model, batch, precision: _each(
        lambda params, image, key, map: method(model.score(params, SCORE), image, key)
    )


def _mapped(method: Method) -> WorkloadFunction:
    """Maps [b y x] of a method of one channel, on the grid of the features."""
    explained = _explained(method)

    def of(model: Model, batch: int, precision: Precision) -> BatchFunction:
        attribute = explained(model, batch, precision)
        return lambda *arguments: attribute(*arguments)[..., 0]

    return of


def _deletion(model: Model, batch: int, precision: Precision) -> BatchFunction:
    """Probabilities [b 16] along the curve, and the area [b] below it."""

    def one(params: Params, image: Any, key: Any, map: Any) -> Any:
        score = model.score(params, probability(0))
        curve = deletion(
            score, image, map, key, fractions=FRACTIONS, fill="black", chunk=chunk(batch)
        )
        return curve.values, curve.area

    return _each(one)


def chunk(batch: int) -> int:
    """Return how many steps of a curve share a pass: those that fill a batch of a good size."""
    size = 8 if jax.default_backend() == "cpu" else 128
    return next(n for n in (16, 8, 4, 2, 1) if n * batch <= max(size, batch))


def _measures(preset: str) -> Any:
    """Columns of the rows that a sweep would write: CAM with the measures of a preset."""

    def of(model: Model, batch: int, precision: Precision) -> BatchFunction:
        measures = PRESETS[preset]
        step = batched(
            Classification(model, CAM(), score=SCORE, measures=measures, precision=precision)
        )
        to = model.preprocess
        normal = Explainer(lambda image, target: image, to.mean, to.std)

        def whole(params: Params, images: Any, keys: Any, maps: Any) -> Any:
            pixels = jnp.clip(jnp.rint(255 * normal.pixels(images)), 0, 255).astype(jnp.uint8)
            hashes = jax.random.key_data(keys)[:, -1]
            examples = {"pixels": pixels, "reference_mask": None}
            return step(params, examples, jnp.ones(batch, bool), hashes, jnp.uint32(0))

        return whole

    return of


WORKLOADS: dict[str, Workload] = {
    "forward": Workload(_forward, 1),
    "cam": Workload(_mapped(CAM()), 1, features=True),
    "gradcam": Workload(_mapped(GradCAM()), 1, features=True),
    "saliency": Workload(_explained(Gradient()), 2),
    "smoothgrad": Workload(_explained(SmoothGrad(samples=SAMPLES, noise=0.15)), 2 * SAMPLES),
    "ig": Workload(_explained(IntegratedGradients(steps=STEPS)), 2 * STEPS),
    "deletion": Workload(_deletion, STEPS),
    "measures": Workload(_measures("standard"), 25, features=True),
    "paper": Workload(_measures("paper"), 23, features=True),  # those of the study, as released
}
