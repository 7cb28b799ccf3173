"""Trials of the open-world study: networks trained in stages, each stage with its file."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from flax import nnx

from salix.models.checkpoints.module_state import WEIGHTS, arrays, filled
from salix.studies.openworld.data import OpenWorldSet, OpenWorldSetting
from salix.studies.openworld.network import NeckedNetwork
from salix.studies.openworld.protocol_files import ProtocolSetting
from salix.studies.openworld.training import (
    SUPERVISED,
    BatchLoss,
    OpenWorldTraining,
    build_network,
    predict,
    train_stage,
)
from salix.studies.trial_files import read_arrays, trial_digest, write_arrays

VERSION = 2  # of data and training: raised where their numbers change


@dataclass(frozen=True)
class OpenWorldTrial:
    """One network: the origin of its faces, its families, loss, training and seed.

    After `iterations` the network was trained that many times more on the pseudo-labels that it
    assigned to unlabelled images.
    """

    faces: str
    setting: OpenWorldSetting | ProtocolSetting
    loss: BatchLoss
    training: OpenWorldTraining
    seed: int
    iterations: int = 0

    @cached_property
    def digest(self) -> str:
        """A hash of everything that determines the network."""
        return trial_digest(VERSION, self)

    @property
    def before(self) -> "OpenWorldTrial | None":
        """The trial of the stage before: of labels alone before the loss, None before that."""
        if self.iterations:
            return replace(self, iterations=self.iterations - 1)
        if not self.training.steps:
            return None
        first = replace(self.training, steps=0, iterative=0)
        return replace(self, loss=SUPERVISED, training=first)


def trained_network(
    out: Path, trial: OpenWorldTrial, data: OpenWorldSet, log: Callable[[str], None]
) -> NeckedNetwork:
    """Return the network of a trial, from its file or else trained and written.

    Stages before it are trained once for all trials that share them.
    """
    path = out / "networks" / f"{trial.digest}.npz"
    if (network := read_network(path, len(data.names), seed=trial.seed)) is not None:
        return network
    if (before := trial.before) is None:
        network, loss = build_network(len(data.names), seed=trial.seed), SUPERVISED
        steps = trial.training.supervised
    else:
        network = trained_network(out, before, data, log)
        loss, steps = trial.loss, trial.training.steps
    if trial.iterations:
        data, loss, steps = pseudo_labelled(network, data), SUPERVISED, trial.training.iterative
    network = train_stage(network, data, loss, steps, trial.training, seed=trial.seed, log=log)
    write_arrays(path, arrays(nnx.state(network, WEIGHTS)))
    # Read again, so that a stage after it starts as it would after an interruption.
    return trained_network(out, trial, data, log)


def read_network(path: Path, classes: int, *, seed: int) -> NeckedNetwork | None:
    """Return the network in a file, None where it is missing or damaged.

    The state of its dropout is that of a new network of the seed.
    """
    if (known := read_arrays(path)) is None:
        return None
    network = build_network(classes, seed=seed)
    build = lambda _: build_network(classes, seed=seed)  # noqa: E731
    loaded = filled(build, known, path, "the network of an open-world trial")
    nnx.update(network, nnx.state(loaded, WEIGHTS))
    return network


def pseudo_labelled(network: NeckedNetwork, data: OpenWorldSet) -> OpenWorldSet:
    """Return a set in which the network's predictions are the labels of unlabelled training images.

    A predicted class of one image is left without labels, for it has no partner.
    """
    rest = np.flatnonzero(~data.test & ~data.labelled)
    labels, labelled = data.labels.copy(), data.labelled.copy()
    if len(rest):
        labels[rest] = predict(network, data.x[rest])[0].argmax(-1)
        labelled[rest] = True
        alone = np.bincount(labels[labelled], minlength=len(data.names)) < 2
        labelled &= ~alone[labels]
    return replace(data, labels=labels, labelled=labelled)
