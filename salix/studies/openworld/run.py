"""Open-world study: the ablation of the losses over seeds, its scores and table."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np

from salix.analysis.summary import plain_number
from salix.atomic import atomic
from salix.stats import Interval, mean_interval
from salix.studies.detectors import TimedLog
from salix.studies.intervals import mean_with_half
from salix.studies.openworld.data import OpenWorldSet, OpenWorldSetting, open_world_set
from salix.studies.openworld.losses import CPL
from salix.studies.openworld.metrics import OpenWorldScores, best_matching, open_world_scores
from salix.studies.openworld.training import OpenWorldTraining, predict, train_open_world
from salix.studies.photographs import photographs
from salix.studies.trial_files import read_json, trial_digest, write_json
from salix.typing import InputError

# Terms beside the cross-entropy; the entropy belongs to those that learn from unlabelled images.
LOSSES: Mapping[str, CPL] = MappingProxyType(
    {
        "CE": CPL(voting=0, pseudo=0, entropy=0),
        "CE + GLV": CPL(pseudo=0),
        "CE + CSP": CPL(voting=0),
        "CPL": CPL(),
        "CPL, weight detached": CPL(detached=True),
    }
)
CLUSTERED = "CE, k-means"  # of the features of the network of "CE"
COLUMNS = (
    "known accuracy",
    "novel accuracy",
    "novel jointly",
    "novel NMI",
    "novel ARI",
    "all accuracy",
    "all NMI",
    "all ARI",
)
PRINTED = ("known accuracy", "novel accuracy", "novel jointly", "all accuracy", "all NMI")
DEFAULT_TRAINING = OpenWorldTraining()
DEFAULT_SETTING = OpenWorldSetting()
VERSION = 1  # of data, training and scores: raised where their numbers change


@dataclass(frozen=True)
class OpenWorldTrial:
    """One network: the origin of its faces, its families, loss, training and seed."""

    faces: str
    setting: OpenWorldSetting
    loss: CPL
    training: OpenWorldTraining
    seed: int

    @cached_property
    def digest(self) -> str:
        """A hash of everything that determines the network."""
        return trial_digest(VERSION, self)


def run_open_world(
    out: Path,
    *,
    seeds: int = 5,
    offline: bool = False,
    losses: Sequence[str] = (),
    setting: OpenWorldSetting = DEFAULT_SETTING,
    training: OpenWorldTraining | None = None,
    quick: bool = False,
) -> Path:
    """Train, score and print the table; returns the path of `results.json`.

    `seeds` networks for each of `losses`, names of `LOSSES` and by default all, each with labels
    and forgeries of its own seed. Scores are of the faces of people without training images.
    Scores that are in `out` already are not computed again. With `quick` the training has a
    tenth of the steps: it shows that the study runs, and learns little.
    """
    if seeds < 1:
        raise InputError(f"{seeds} seeds: train at least one network for each loss, --seeds 1")
    for name in losses:
        if name not in LOSSES:
            raise InputError(f"no loss {name!r}: give {', '.join(map(repr, LOSSES))}")
    training = training or DEFAULT_TRAINING
    if quick:
        short = training.supervised // 10, max(1, training.steps // 10)
        training = replace(training, supervised=short[0], steps=short[1])
    log, faces = TimedLog(), photographs(offline)
    log(f"faces: {faces.origin}")
    scores: dict[str, list[Mapping[str, float]]] = {}
    for seed in range(seeds):
        data = open_world_set(faces, setting, seed=seed)
        for name in losses or LOSSES:
            trial = OpenWorldTrial(faces.origin, setting, LOSSES[name], training, seed)
            log(f"{name}, seed {seed}")
            for title, of_trial in _scores(out, trial, data, log).items():
                scores.setdefault(name if title == "classifier" else CLUSTERED, []).append(of_trial)
    rows = {
        name: {column: mean_interval([s[column] for s in of]) for column in COLUMNS}
        for name, of in scores.items()
    }
    print_scores(rows)
    path = write_scores(out, rows, setting, training, faces.origin)
    log(f"wrote {path}")
    return path


def _scores(
    out: Path, trial: OpenWorldTrial, data: OpenWorldSet, log: TimedLog
) -> Mapping[str, Mapping[str, float]]:
    """Return the scores of the classifier, and of clusters without unlabelled losses."""
    path = out / "scores" / f"{trial.digest}.json"
    if (scores := read_json(path)) is not None:
        return scores
    network = train_open_world(data, trial.loss, trial.training, seed=trial.seed, log=log)
    logits, features = predict(network, data.x[data.test])
    labels, known = data.labels[data.test], data.known[data.test]
    scores = {"classifier": flat_scores(open_world_scores(labels, logits.argmax(-1), known))}
    if trial.loss == LOSSES["CE"]:
        clusters = cluster_features(features, labels, len(data.names), seed=trial.seed)
        scores["clusters"] = flat_scores(open_world_scores(labels, clusters, known))
    write_json(path, scores)
    return scores


def cluster_features(
    features: np.ndarray, labels: np.ndarray, classes: int, *, seed: int
) -> np.ndarray:
    """Return clusters of k-means, numbered by their best matching with the true classes.

    The number of classes and the matching use the truth: an upper bound of what k-means attains.
    """
    from sklearn.cluster import KMeans

    clusters = KMeans(classes, n_init="auto", random_state=seed).fit_predict(features)
    return best_matching(labels, clusters.astype(np.int64))[clusters]


def flat_scores(scores: OpenWorldScores) -> dict[str, float]:
    """Return the columns of the table of one network."""
    return {
        "known accuracy": scores.known.accuracy,
        "novel accuracy": scores.novel.accuracy,
        "novel jointly": scores.novel_jointly,
        "novel NMI": scores.novel.nmi,
        "novel ARI": scores.novel.ari,
        "all accuracy": scores.all.accuracy,
        "all NMI": scores.all.nmi,
        "all ARI": scores.all.ari,
    }


def write_scores(
    out: Path,
    rows: Mapping[str, Mapping[str, Interval]],
    setting: OpenWorldSetting,
    training: OpenWorldTraining,
    faces: str,
) -> Path:
    """Write `results.json`: families, training, and each loss's scores with intervals."""
    contents = {
        "faces": faces,
        "setting": asdict(setting),
        "training": asdict(training),
        "seeds": max(row[COLUMNS[0]].n for row in rows.values()),
        "scores": {
            name: {
                column: [plain_number(v) for v in (i.value, i.low, i.high)]
                for column, i in row.items()
            }
            for name, row in rows.items()
        },
    }
    out.mkdir(parents=True, exist_ok=True)
    with atomic(out / "results.json") as path:
        path.write_text(json.dumps(contents, indent=1))
    return out / "results.json"


def print_scores(rows: Mapping[str, Mapping[str, Interval]]) -> None:
    """Print a line for each loss: means with half of the 95 % interval over seeds."""
    from rich.console import Console
    from rich.table import Table

    table = Table("loss", box=None, pad_edge=False)
    for column in PRINTED:
        table.add_column(column, justify="right")
    for name, row in rows.items():
        table.add_row(name, *(mean_with_half(row[column]) for column in PRINTED))
    Console().print(table)
    Console().print("mean ± half of the 95 % interval over seeds; test faces; more in results.json")
