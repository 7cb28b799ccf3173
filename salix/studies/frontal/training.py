"""Training of TP-GAN on pairs of faces, and its syntheses."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float, UInt8

from salix.hyperparameters import check_fields, integer, number
from salix.models.tpgan import NOISE, Discriminator, Generator, Synthesis
from salix.nn import avg_pool
from salix.preprocess import Preprocess
from salix.studies.frontal.alignment import frontal_patches, take_apart, width_of
from salix.studies.frontal.data import FrontalSet
from salix.studies.frontal.losses import PUBLISHED, FrontalLoss, discriminator_loss, weighted_loss
from salix.studies.frontal.recogniser import FaceRecogniser
from salix.train import CrossEntropy, Recipe, TrainingImages
from salix.train.adversarial import (
    DISCRIMINATOR,
    GENERATOR,
    Adam,
    AdversarialProgram,
    AdversarialResult,
    train_adversarially,
)
from salix.train.network import Network, Weights
from salix.typing import PRNGKey

NOISE_DEVIATION = 0.02


@dataclass(frozen=True)
class FrontalTraining:
    """Size of the networks, terms of the loss, and the course of a training.

    `local` False leaves the four pathways out. As published: width 64, batch 10 and a rate of 1e-4;
    as released two steps of the generator for one of the discriminator. Weights start from `seed`.
    """

    width: int = 8
    local: bool = True
    loss: FrontalLoss = PUBLISHED
    epochs: int = 4
    batch: int = 8
    learning_rate: float = 1e-3
    generator_steps: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        least = {name: integer(1) for name in ("epochs", "batch", "generator_steps")}
        check_fields(
            self,
            learning_rate=number(lambda r: r > 0, remedy="give a rate above 0"),
            seed=integer(0),
            **least,
        )


@dataclass(frozen=True, eq=False)
class FrontalLosses:
    """Losses of TP-GAN's two networks on batches of pictures, for `AdversarialProgram`."""

    networks: dict[str, Any]  # graph definitions by name
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
        module = _merge(self.networks[GENERATOR], params, weights.stats[GENERATOR])
        noise_key, drop_key = jax.random.split(key)
        noise = NOISE_DEVIATION * jax.random.normal(noise_key, (len(face), NOISE))
        return module(face, patches, noise, drop_key), _statistics(module)

    def _criticise(self, params: Any, weights: Weights, images: Any) -> tuple[Any, Any]:
        module = _merge(self.networks[DISCRIMINATOR], params, weights.stats[DISCRIMINATOR])
        return module(images), _statistics(module)


@dataclass(frozen=True, eq=False)
class Frontaliser:
    """A trained generator: faces to frontal images, without noise."""

    graph: Any
    params: Any
    stats: Any
    side: int

    def __call__(
        self, pictures: UInt8[np.ndarray, "n s w 3"], *, batch: int = 16
    ) -> Float[np.ndarray, "n s s 3"]:
        """Return the frontal images, in [0, 1], of the faces in pictures of examples."""
        parts = []
        for start in range(0, len(pictures), batch):
            rows = np.minimum(np.arange(start, start + batch), len(pictures) - 1)  # one program
            image = _frontalise(self.graph, self.side, self.params, self.stats, pictures[rows])
            parts.append(np.asarray(image))
        return np.clip(np.concatenate(parts)[: len(pictures)], 0, 1)


@jax.jit(static_argnums=(0, 1))
def _frontalise(graph: Any, side: int, params: Any, stats: Any, pictures: Any) -> Any:
    face, _, patches = take_apart(pictures.astype(jnp.float32) / 255, side)
    return _merge(graph, params, stats)(face, patches, jnp.zeros((len(face), NOISE))).images[0]


def train_frontal(
    data: FrontalSet,
    recogniser: FaceRecogniser,
    setting: FrontalTraining,
    *,
    out: Path | None = None,
    on_epoch: Callable[[int, Frontaliser], None] | None = None,
    progress: bool = False,
    log: Callable[[str], None] = lambda line: None,
) -> tuple[Frontaliser, AdversarialResult]:
    """Return the generator trained on the subjects of a set that are not for tests.

    With `out` it resumes, see `train_adversarially`, which also says what it raises.
    """
    train = np.flatnonzero(~data.test)
    known, labels = np.unique(data.labels[train], return_inverse=True)
    images = TrainingImages(data.pictures[train], labels, None, [data.ids[i] for i in train])
    rngs = nnx.Rngs(setting.seed)
    modules = {
        GENERATOR: Generator(len(known), setting.width, data.side, local=setting.local, rngs=rngs),
        DISCRIMINATOR: Discriminator(setting.width, rngs=rngs),
    }
    halves = {name: Network.split(module) for name, module in modules.items()}
    networks = {name: network.training for name, (network, _) in halves.items()}
    weights = Weights(
        {name: half.params for name, (_, half) in halves.items()},
        {name: half.stats for name, (_, half) in halves.items()},
        {
            "recogniser": recogniser.params,
            # Traced, so that losses without a term are the same program
            "weights": {n: jnp.float32(w) for n, w in setting.loss.weights().items()},
        },
    )
    recipe = Recipe(
        CrossEntropy(),  # of the identities; the other terms are of `FrontalLosses`
        Adam(setting.learning_rate),
        epochs=setting.epochs,
        batch_size=setting.batch,
    )
    program = AdversarialProgram(
        halves[GENERATOR][0],
        recipe,
        Preprocess((data.side, width_of(data.side))),
        recipe.transformation(len(train)),
        together=False,
        needs_reference_masks=False,
        losses=FrontalLosses(networks, recogniser, setting.loss, data.side),
        generator_steps=setting.generator_steps,
    )
    evaluating = halves[GENERATOR][0].evaluating

    def frontaliser(weights: Weights) -> Frontaliser:
        params, stats = weights.params[GENERATOR], weights.stats[GENERATOR]
        return Frontaliser(evaluating, params, stats, data.side)

    def after(epoch: int, weights: Weights) -> None:
        if on_epoch:
            on_epoch(epoch, frontaliser(weights))

    result = train_adversarially(
        program,
        weights,
        images,
        seed=setting.seed,
        classes=[data.subjects[i] for i in known],
        config={"setting": repr(setting), "recogniser": recogniser.side},
        name="tpgan",
        out=out,
        on_epoch=after,
        progress=progress,
        log=log,
    )
    return frontaliser(result.weights), result


def _merge(graph: Any, params: Any, stats: Any) -> Any:
    # New variables belong to the trace that merges them, and may be updated in it.
    return nnx.merge(graph, *jax.tree.map(lambda a: a, (params, stats)))


def _statistics(module: Any) -> Any:
    return nnx.state(module, nnx.Not(nnx.Any(nnx.Param, nnx.RngState)))
