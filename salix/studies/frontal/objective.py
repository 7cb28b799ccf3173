"""Losses of TP-GAN's two networks on batches of pictures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from salix.models.tpgan import NOISE, Synthesis
from salix.nn import avg_pool
from salix.studies.frontal.alignment import frontal_patches, take_apart
from salix.studies.frontal.loss_terms import discriminator_loss
from salix.studies.frontal.losses import FrontalLoss, weighted_loss
from salix.studies.frontal.recogniser import FaceRecogniser
from salix.train.adversarial import DISCRIMINATOR, GENERATOR
from salix.train.network import Weights
from salix.typing import PRNGKey

NOISE_DEVIATION = 0.02


@dataclass(frozen=True, eq=False)
class FrontalLosses:
    """Losses of TP-GAN's two networks on batches of pictures, for `AdversarialProgram`."""

    networks: Mapping[str, Any]  # graph definitions by name
    recogniser: FaceRecogniser
    loss: FrontalLoss
    side: int

    def generator(
        self, params: Any, weights: Weights, batch: Any, key: PRNGKey
    ) -> tuple[Any, tuple[dict[str, Any], Any, Any]]:
        """Return the loss of the generator with `params`, its means, statistics and images."""
        front, local = self._targets(batch)
        synthesis, stats = self._synthesise(params, weights, batch, key)
        image, frozen = synthesis.images[0], weights.streams
        logits, _ = self._criticise(weights.params[DISCRIMINATOR], weights, image)
        both = jnp.concatenate([image, front])
        maps, embeddings = self.recogniser.features(frozen["recogniser"], both)
        features = maps[: len(image)], embeddings[: len(image)]
        wanted = jax.lax.stop_gradient((maps[len(image) :], embeddings[len(image) :]))
        targets = (front, avg_pool(front, 2, 2), avg_pool(front, 4, 4))
        labels = batch["labels"]
        terms = self.loss.terms(synthesis, targets, local, labels, logits, features, wanted)
        loss = weighted_loss(terms, frozen["weights"])
        right = (synthesis.identity.argmax(-1) == labels).astype(jnp.float32)
        means = {**terms, "accuracy": right.mean(), "cross_entropy": terms["classes"]}
        return loss, (means, stats, image)

    def discriminator(
        self, params: Any, weights: Weights, batch: Any, images: Any
    ) -> tuple[Any, tuple[dict[str, Any], Any]]:
        """Return the loss of the discriminator with `params`, its means and its statistics."""
        front, _ = self._targets(batch)
        real, _ = self._criticise(params, weights, front)
        fake, stats = self._criticise(params, weights, images)
        means = {"real": (real > 0).mean(), "fake": (fake > 0).mean()}
        return discriminator_loss(real, fake, self.loss.kind), (means, stats)

    def _targets(self, batch: Any) -> tuple[Any, tuple[Any, ...]]:
        front = take_apart(batch["pixels"], self.side)[1].astype(jnp.float32) / 255
        return front, frontal_patches(front, self.side)

    def _synthesise(
        self, params: Any, weights: Weights, batch: Any, key: PRNGKey
    ) -> tuple[Synthesis, Any]:
        face, _, patches = take_apart(batch["pixels"].astype(jnp.float32) / 255, self.side)
        module = merge_network(self.networks[GENERATOR], params, weights.stats[GENERATOR])
        noise_key, drop_key = jax.random.split(key)
        noise = NOISE_DEVIATION * jax.random.normal(noise_key, (len(face), NOISE))
        return module(face, patches, noise, drop_key), statistics(module)

    def _criticise(self, params: Any, weights: Weights, images: Any) -> tuple[Any, Any]:
        module = merge_network(self.networks[DISCRIMINATOR], params, weights.stats[DISCRIMINATOR])
        return module(images), statistics(module)


def merge_network(graph: Any, params: Any, stats: Any) -> Any:
    """Return a module of parameters and statistics."""
    # New variables belong to the trace that merges them, and may be updated in it.
    return nnx.merge(graph, *jax.tree.map(lambda a: a, (params, stats)))


def statistics(module: Any) -> Any:
    """Return the statistics of a module after a pass."""
    return nnx.state(module, nnx.Not(nnx.Any(nnx.Param, nnx.RngState)))
