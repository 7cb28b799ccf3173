"""Trained classifiers of a study and their scores, each with a file of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import jax
import numpy as np
from flax import nnx
from jaxtyping import Float

from salix.adapters import from_nnx
from salix.model import Model
from salix.preprocess import Preprocess
from salix.studies.chaosmining.signals.data import CLASSES, SignalSet, SignalSetting
from salix.studies.chaosmining.signals.kinds import KINDS
from salix.studies.chaosmining.signals.scoring import score_classifier
from salix.studies.chaosmining.signals.training import TrainingSetting, train_classifier
from salix.studies.trial_files import (
    methods_digest,
    read_arrays,
    trial_digest,
    write_arrays,
)
from salix.typing import Method, Params

VERSION = 1  # of data, training and scores: raised where their numbers change
INPUTS = Preprocess(mean=(0.5,), std=(0.5,))  # [-1, 1]: black and white of the methods
TrialScores = dict[str, Float[np.ndarray, " test"]]


@dataclass(frozen=True)
class SignalTrial:
    """One classifier: its kind, network, data, training and seed."""

    kind: str
    network: str
    setting: SignalSetting
    training: TrainingSetting
    seed: int = 0

    @cached_property
    def digest(self) -> str:
        """A hash of everything that determines the classifier."""
        return trial_digest(VERSION, self)

    def build(self, rngs: nnx.Rngs) -> nnx.Module:
        """Return the network before its training."""
        return KINDS[self.kind].networks[self.network](rngs)


@cache
def classifier(kind: str, network: str) -> tuple[Model, Params]:
    """Return the model of a network, one for all its trials, and parameters of its structure."""
    return _as_model(KINDS[kind].networks[network](nnx.Rngs(0)))


def _as_model(module: nnx.Module) -> tuple[Model, Params]:
    return from_nnx(module, preprocess=INPUTS, classes=tuple(map(str, range(CLASSES))))


def trained_params(out: Path, trial: SignalTrial, data: SignalSet) -> Params:
    """Return the parameters of a trial, from their file or else trained and written."""
    path = out / "networks" / f"{trial.digest}.npz"
    model_leaves, structure = jax.tree.flatten(classifier(trial.kind, trial.network)[1])
    names = [f"p{i}" for i in range(len(model_leaves))]
    arrays = read_arrays(path)
    if arrays is None or set(arrays) != set(names):
        module = train_classifier(trial.build, data, trial.training, seed=trial.seed)
        leaves = jax.device_get(jax.tree.leaves(_as_model(module)[1]))
        arrays = dict(zip(names, leaves, strict=True))
        write_arrays(path, arrays)
    return jax.tree.unflatten(structure, [jax.numpy.asarray(arrays[name]) for name in names])


def trial_scores(
    out: Path, trial: SignalTrial, data: SignalSet, methods: Mapping[str, Method]
) -> TrialScores:
    """Return the scores of a trial by example, from their file or else computed and written."""
    digest = methods_digest(VERSION, methods)
    path = out / "scores" / f"{trial.digest}-{digest}.npz"
    scores = read_arrays(path)
    if scores is None:
        params = trained_params(out, trial, data)
        model, _ = classifier(trial.kind, trial.network)
        metrics = KINDS[trial.kind].metrics
        scores = score_classifier(model, params, data, metrics, methods, seed=trial.seed)
        write_arrays(path, scores)
    return scores
