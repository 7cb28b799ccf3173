"""Networks of an experiment: training in chunks, and their files."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jax

from salix.studies.chaosmining.data import NoiseSetting, SymbolicSet, symbolic_set
from salix.studies.chaosmining.formulas import Formula
from salix.studies.chaosmining.network import (
    NetworkSetting,
    initial_networks,
    train_networks,
)
from salix.studies.trial_files import read_arrays, trial_digest, write_arrays
from salix.typing import Params

DEFAULT_NOISE, DEFAULT_NETWORK = NoiseSetting(), NetworkSetting()
VERSION = 1  # of data, initial values and training: raised where their numbers change


@dataclass(frozen=True)
class Trial:
    """One network: a formula, a seed, and the conditions of its data and its training."""

    formula: Formula
    seed: int = 0
    noise: NoiseSetting = DEFAULT_NOISE
    network: NetworkSetting = DEFAULT_NETWORK
    snapshots: int = 1

    @cached_property
    def digest(self) -> str:
        """A hash of everything that determines the network."""
        return trial_digest(VERSION, self)

    def data(self) -> SymbolicSet:
        """Return the data set of the trial."""
        return symbolic_set(self.formula, self.noise, seed=self.seed)


def train_trials(
    trials: Sequence[Trial], folder: Path, *, chunk: int, log: Callable[[str], None]
) -> None:
    """Train the networks of the trials that have no file in a folder yet, `chunk` at a time.

    Networks of one setting share a program. A network's file is written whole or not at all, so
    that an interrupted experiment continues with the first chunk without files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [t for t in trials if read_network(folder, t) is None]
    if len(missing) < len(trials):
        log(f"{len(trials) - len(missing)} of {len(trials)} networks are trained already")
    for group in _groups(missing):
        features = max(len(t.formula.variables) + t.noise.noise_features for t in group)
        for start in range(0, len(group), chunk):
            part = group[start : start + chunk]
            log(f"training networks {start + 1} to {start + len(part)} of {len(group)}")
            filled = part + part[-1:] * (chunk - len(part))  # one program for every chunk
            if len(group) < chunk:
                filled = part
            trained = jax.device_get(_train_chunk(filled, features))
            for i, trial in enumerate(part):
                params = jax.tree.map(lambda leaf, i=i: leaf[i], trained)
                _write_network(folder, trial, params)


def _groups(trials: Sequence[Trial]) -> Iterator[list[Trial]]:
    """Yield the trials whose networks have one shape and one training procedure."""
    groups: dict[Any, list[Trial]] = {}
    for trial in trials:
        setting = trial.network
        kind = setting.depth, setting.width, setting.epochs, setting.optimiser
        key = (*kind, setting.dropout > 0, trial.noise.rows, trial.snapshots)
        groups.setdefault(key, []).append(trial)
    yield from groups.values()


def _train_chunk(trials: Sequence[Trial], features: int) -> Params:
    sets = [(data.x, data.y) for data in (t.data() for t in trials)]
    settings, seeds = [t.network for t in trials], [t.seed for t in trials]
    batch = initial_networks(settings, sets, seeds, width=features)
    together = jax.default_backend() != "cpu"
    snapshots = trials[0].snapshots
    return train_networks(batch, trials[0].network, snapshots=snapshots, together=together)


def _write_network(folder: Path, trial: Trial, params: Params) -> None:
    """Write parameters [snapshots …] without the padding of their features."""
    features = len(trial.formula.variables) + trial.noise.noise_features
    arrays = {}
    for i, (weights, bias) in enumerate(params):
        arrays[f"w{i}"] = weights[:, :features] if i == 0 else weights
        arrays[f"b{i}"] = bias
    write_arrays(folder / f"{trial.digest}.npz", arrays)


def read_network(folder: Path, trial: Trial) -> Params | None:
    """Return the parameters [snapshots …] of a trained network, None without a usable file."""
    arrays = read_arrays(folder / f"{trial.digest}.npz")
    names = [(f"w{i}", f"b{i}") for i in range(trial.network.depth + 1)]
    if arrays is None or not all(w in arrays and b in arrays for w, b in names):
        return None
    return [(arrays[w], arrays[b]) for w, b in names]
