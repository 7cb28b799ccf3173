"""RFEwNA: recursive elimination of features by the attributions of a network."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Int

from salix.hyperparameters import check_fields, integer, number, optional
from salix.studies.chaosmining.network import (
    NetworkSetting,
    initial_networks,
    pad_params,
    predict,
    train_networks,
)
from salix.studies.chaosmining.scoring import attribute_padded
from salix.typing import InputError, Method, Params

BUCKET = 32  # widths of programs are multiples: rounds of similar widths share one
SHARE = number(lambda n: 0 < n < 1, remedy="give a number between 0 and 1")


@dataclass(frozen=True)
class EliminationRule:
    """Share of the features that each round drops, and the end of the elimination.

    With a `count` features are dropped until that many are left. Without one, until the validation
    error exceeds the least of the rounds before, or the share is less than one feature.
    """

    step: float = 0.2
    count: int | None = None

    def __post_init__(self) -> None:
        check_fields(self, step=SHARE, count=optional(integer(1)))

    def dropped(self, features: int) -> int:
        """Return the number of features that a round drops, 0 at the end."""
        share = int(self.step * features)
        return share if self.count is None else min(max(share, 1), features - self.count)


@dataclass(frozen=True, eq=False)
class EliminationTask:
    """One elimination: rows to train on, rows to validate and rank on, a method and a seed.

    The release validates and ranks on its test rows; rows of their own keep the test rows unseen.
    """

    x: Float[np.ndarray, "rows features"]
    y: Float[np.ndarray, " rows"]
    validation_x: Float[np.ndarray, "validation features"]
    validation_y: Float[np.ndarray, " validation"]
    method: Method
    rule: EliminationRule
    seed: int = 0

    def __post_init__(self) -> None:
        count, columns = self.rule.count, self.x.shape[1]
        if count is not None and count > columns:
            raise InputError(
                f"{count} relevant features of {columns} columns: give 1 to {columns} features "
                "to keep"
            )


@dataclass(frozen=True, eq=False)
class EliminationRound:
    """Features of a round, its network and the network's mean absolute validation error."""

    features: Int[np.ndarray, " k"]
    params: Params
    error: float


def eliminate(
    tasks: Sequence[EliminationTask], setting: NetworkSetting
) -> tuple[tuple[EliminationRound, ...], ...]:
    """Return the rounds of each elimination; the last one has the selected features.

    The tasks have equal shapes. Their networks of a round are trained in one program, and a network
    that several of them need is trained once.
    """
    remaining = [np.arange(task.x.shape[1]) for task in tasks]
    rounds: list[list[EliminationRound]] = [[] for _ in tasks]
    active = list(range(len(tasks)))
    while active:
        pairs = [(tasks[i], remaining[i]) for i in active]
        networks = _train(pairs, setting)
        for i, params in zip(list(active), networks, strict=True):
            task, features = tasks[i], remaining[i]
            error = _error(task, features, params)
            least = min((r.error for r in rounds[i]), default=np.inf)
            if task.rule.count is None and error > least:
                active.remove(i)
                continue
            rounds[i].append(EliminationRound(features, params, error))
            dropped = task.rule.dropped(len(features))
            if dropped:
                order = np.argsort(_importance(task, features, params), kind="stable")
                remaining[i] = np.sort(features[order[dropped:]])
            else:
                active.remove(i)
    return tuple(map(tuple, rounds))


def _error(task: EliminationTask, features: Any, params: Params) -> float:
    """Return the mean absolute validation error of a network, in 64 bits."""
    width = _bucket(len(features))
    rows = np.asarray(task.validation_x[:, features], np.float32)
    padded = np.pad(rows, ((0, 0), (0, width - len(features))))
    predicted = np.asarray(jax.jit(predict)(pad_params(params, width), padded), np.float64)
    error = float(np.abs(predicted - task.validation_y).mean())
    if not np.isfinite(error):
        raise InputError(
            "the training of a network diverged: scale features and targets to about 1, or give a "
            "lower learning rate"
        )
    return error


def _importance(task: EliminationTask, features: Any, params: Params) -> Any:
    """Return the mean |attribution| of each feature over the validation rows, in 64 bits."""
    rows = np.asarray(task.validation_x[:, features], np.float32)
    width = _bucket(len(features))
    values = attribute_padded(params, rows, width, task.method, seed=task.seed)
    return np.abs(values).mean(0, dtype=np.float64)


def _bucket(features: int) -> int:
    return -(-features // BUCKET) * BUCKET


def _train(pairs: Sequence[tuple[EliminationTask, Any]], setting: NetworkSetting) -> list[Params]:
    """Train a network for each task and its features; equal ones once."""
    keys = [(id(task.x), task.seed, features.tobytes()) for task, features in pairs]
    unique = dict(zip(keys, pairs, strict=True))
    width = _bucket(max(len(features) for _, features in unique.values()))
    sets = [(task.x[:, features], task.y) for task, features in unique.values()]
    seeds = [task.seed for task, _ in unique.values()]
    batch = initial_networks([setting] * len(sets), sets, seeds, width=width)
    together = jax.default_backend() != "cpu"
    trained = jax.device_get(train_networks(batch, setting, together=together))
    networks = {}
    for i, (key, (_, features)) in enumerate(unique.items()):
        (weights, bias), *others = jax.tree.map(lambda leaf, i=i: leaf[i, 0], trained)
        networks[key] = [(weights[: len(features)], bias), *others]
    return [networks[key] for key in keys]
