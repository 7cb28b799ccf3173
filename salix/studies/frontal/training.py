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
from salix.models.tpgan import NOISE, Generator
from salix.models.tpgan_discriminator import Discriminator
from salix.preprocess import Preprocess
from salix.studies.frontal.alignment import take_apart, width_of
from salix.studies.frontal.data import FrontalSet
from salix.studies.frontal.losses import PUBLISHED, FrontalLoss
from salix.studies.frontal.objective import FrontalLosses, merge_network
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
    return merge_network(graph, params, stats)(face, patches, jnp.zeros((len(face), NOISE))).images[
        0
    ]


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
