"""A Flax module as pure functions of its weights, for training and for evaluation."""

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from salix.adapters import from_nnx
from salix.model import Model, as_logits
from salix.train.recipe import TrainingPrecision
from salix.typing import Features, Index, Logits, Params


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Weights:
    """Variables of a module: trained parameters, statistics that a pass updates, random streams."""

    params: Any
    stats: Any  # running statistics of normalisations, and other variables
    streams: Any  # of dropout


@dataclass(frozen=True)
class Network:
    """Graph definitions of a module, merged with its weights inside compiled programs.

    The module's methods `trunk` and `head` are the cut; `tap` returns in one pass the features and
    those for the CAM of a loss. A module without them is all trunk: its features are its logits,
    and have no map.
    """

    training: Any
    evaluating: Any
    heading: Any
    cut: bool
    tapped: bool

    @staticmethod
    def split(module: nnx.Module) -> tuple["Network", Weights]:
        """Split a module of batches into structure and weights; the module is unchanged."""
        training, evaluating = nnx.clone(module), nnx.clone(module)
        training.train()
        evaluating.eval()
        heading = nnx.clone(training)
        # The head is applied to one image at a time, which has no batch statistics.
        heading.set_attributes(use_running_average=True, raise_if_not_found=False)
        graph, params, streams, stats = nnx.split(training, nnx.Param, nnx.RngState, ...)
        cut = hasattr(module, "trunk") and hasattr(module, "head")
        tapped = cut and hasattr(module, "tap")
        network = Network(graph, nnx.graphdef(evaluating), nnx.graphdef(heading), cut, tapped)
        return network, Weights(params, stats, streams)

    def forward(
        self, weights: Weights, images: Any, step: Index, precision: TrainingPrecision
    ) -> tuple[Any, Any, Any]:
        """Return features, tapped features and new statistics of a batch, in training mode.

        Normalisations use the statistics of the batch and update the running ones, once. The
        random stream of dropout is folded with `step`.
        """
        streams = _reseed(weights.streams, step)
        module = _merge(self.training, Weights(weights.params, weights.stats, streams), precision)
        features, tapped = self._pass(module, images, precision)
        stats = nnx.state(module, nnx.Not(nnx.Any(nnx.Param, nnx.RngState)))
        return features, tapped, stats

    def evaluate(
        self, weights: Weights, images: Any, precision: TrainingPrecision
    ) -> tuple[Any, Any]:
        """Return features and tapped features of a batch, in evaluation mode."""
        return self._pass(_merge(self.evaluating, weights, precision), images, precision)

    def classify(
        self, weights: Weights, features: Features, step: Index | None = None, example: Any = 0
    ) -> Logits:
        """Return the logits of one image's features; in training mode if `step` is given.

        The random stream of dropout is folded with step and example. A normalisation inside the
        head uses its running statistics, which training does not update.
        """
        if not self.cut:
            z = features
        else:
            if step is not None:
                streams = _reseed(_reseed(weights.streams, step), example)
                weights = Weights(weights.params, weights.stats, streams)
            graph = self.evaluating if step is None else self.heading
            z = _merge(graph, weights, "float32").head(features[None])[0]
        return as_logits(z)

    def model(self, weights: Weights, **about: Any) -> tuple[Model, Params]:
        """Return the `Model` and its parameters, as `from_nnx` does."""
        return from_nnx(_merge(self.evaluating, weights, "float32"), **about)

    def _pass(self, module: Any, images: Any, precision: TrainingPrecision) -> tuple[Any, Any]:
        images = images.astype(jnp.bfloat16) if precision == "bfloat16" else images
        if self.tapped:
            pair = module.tap(images)
        else:
            features = module.trunk(images) if self.cut else module(images)
            pair = features, features
        return tuple(f.astype(jnp.float32) for f in pair)


def _merge(graph: Any, weights: Weights, precision: TrainingPrecision) -> Any:
    params = weights.params
    if precision == "bfloat16":
        params = jax.tree.map(lambda a: a.astype(jnp.bfloat16), params)
    # New variables belong to the trace that merges them, and may be updated in it.
    fresh = jax.tree.map(lambda a: a, (params, weights.streams, weights.stats))
    return nnx.merge(graph, *fresh)


def _reseed(streams: Any, value: Any) -> Any:
    def fold(leaf: Any) -> Any:
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return jax.random.fold_in(leaf, value) if is_key else leaf

    return jax.tree.map(fold, streams)


@jax.jit
def select_weights(better: Any, new: Weights, old: Weights) -> Weights:
    """Return the better weights; random streams never change, and are the old ones'."""

    def select(new: Any, old: Any) -> Any:
        return jnp.where(better.reshape(better.shape + (1,) * (new.ndim - better.ndim)), new, old)

    params = jax.tree.map(select, new.params, old.params)
    return replace(old, params=params, stats=jax.tree.map(select, new.stats, old.stats))
