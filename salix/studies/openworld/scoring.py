"""Scores of the network of a trial, and the number of classes that its features suggest."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from salix.studies.openworld.approaches import (
    APPROACHES,
    CLUSTERED,
    ESTIMATED,
    SEMI_SUPERVISED,
    Approach,
)
from salix.studies.openworld.clusters import (
    count_by_labels,
    count_by_silhouette,
    nearest_centre,
    semi_supervised_kmeans,
    unit_features,
)
from salix.studies.openworld.data import OpenWorldSet
from salix.studies.openworld.experiment import OpenWorldTrial, trained_network
from salix.studies.openworld.metrics import OpenWorldScores, best_matching, open_world_scores
from salix.studies.openworld.training import predict
from salix.studies.trial_files import read_json, write_json

SCORES = 1  # version of the scores of a network: raised where they change
NUMBERS = "numbers of classes"  # beside the rows of scores of "CE"


def trial_scores(
    out: Path, name: str, trial: OpenWorldTrial, data: OpenWorldSet, log: Callable[[str], None]
) -> Mapping[str, Any]:
    """Return the scores of an approach on test faces by row, from their file or else computed.

    "CE" has further rows: clusters of its features, and the estimated numbers of classes.
    """
    kind = "clusters" if APPROACHES[name].clustered else "classifier"
    path = out / "scores" / f"{trial.digest}-{kind}-{SCORES}.json"
    if (scores := read_json(path)) is not None:
        return scores
    network = trained_network(out, trial, data, log)
    logits, features = predict(network, data.x)
    features = unit_features(features)
    test = data.test
    labels, known = data.labels[test], data.known[test]

    def scored(predictions: Int[np.ndarray, " n"]) -> dict[str, float]:
        return flat_scores(open_world_scores(labels, predictions, known))

    predictions = name_images(APPROACHES[name], data, logits, features, seed=trial.seed)
    scores = {name: scored(predictions[test])}
    if name == "CE":
        classes = len(data.names)
        clusters = cluster_features(features[test], labels, classes, seed=trial.seed)
        counts = count_classes(data, features, seed=trial.seed)
        log(f"numbers of classes: {counts}, truly {classes}")
        scores |= {
            CLUSTERED: scored(clusters),
            SEMI_SUPERVISED: scored(_clusters(data, features, classes, seed=trial.seed)[test]),
            ESTIMATED: scored(
                _clusters(data, features, counts["silhouette"], seed=trial.seed)[test]
            ),
            NUMBERS: counts,
        }
    write_json(path, scores)
    return scores


def name_images(
    approach: Approach,
    data: OpenWorldSet,
    logits: Float[np.ndarray, "n c"],
    features: Float[np.ndarray, "n k"],
    *,
    seed: int,
) -> Int[np.ndarray, " n"]:
    """Return the class of each image by an approach; numbers of known classes are their labels."""
    if approach.clustered:
        return _clusters(data, features, len(data.names), seed=seed)
    return logits.argmax(-1)


def count_classes(
    data: OpenWorldSet, features: Float[np.ndarray, "n k"], *, seed: int
) -> dict[str, int]:
    """Return the numbers of classes by agreement with labels and by silhouette.

    Candidates are the known classes up to twice the classes of the set; test images do not count.
    """
    train = ~data.test
    known = int(data.labels[data.labelled].max()) + 1
    candidates = range(max(2, known), min(2 * len(data.names), int(train.sum()) - 1) + 1)
    parts = features[train], data.labels[train], data.labelled[train], candidates
    return {
        "labels": count_by_labels(*parts, seed=seed).classes,
        "silhouette": count_by_silhouette(*parts, seed=seed).classes,
    }


def cluster_features(
    features: np.ndarray, labels: np.ndarray, classes: int, *, seed: int
) -> np.ndarray:
    """Return clusters of k-means, numbered by their best matching with the true classes.

    The number of classes and the matching use the truth: an upper bound of what k-means attains.
    """
    from sklearn.cluster import KMeans

    clusters = KMeans(classes, n_init="auto", random_state=seed).fit_predict(features)
    return best_matching(labels, clusters.astype(np.int64))[clusters]


def _clusters(
    data: OpenWorldSet, features: np.ndarray, classes: int, *, seed: int
) -> Int[np.ndarray, " n"]:
    """Return the nearest centres of semi-supervised k-means on training images."""
    train = ~data.test
    centres = semi_supervised_kmeans(
        features[train], data.labels[train], data.labelled[train], classes, seed=seed
    )
    return nearest_centre(features, centres)


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
