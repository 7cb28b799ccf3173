"""Scores of an attribution to known and novel classes."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from salix.typing import InputError


@dataclass(frozen=True)
class PartScores:
    """Accuracy, normalised mutual information and adjusted Rand index of a part of the images.

    `accuracy` says in its place how classes were matched. NMI is divided by the arithmetic mean of
    the entropies.
    """

    accuracy: float
    nmi: float
    ari: float
    images: int


@dataclass(frozen=True)
class OpenWorldScores:
    """Scores of known, novel and all images.

    `known.accuracy` is plain: predictions are labels there. `novel.accuracy` is that of the best
    matching of novel images alone, which can exceed `novel_jointly`, its part in the matching of
    all images of which `all.accuracy` is the mean.
    """

    known: PartScores
    novel: PartScores
    all: PartScores
    novel_jointly: float


def open_world_scores(
    labels: Int[np.ndarray, " n"], predictions: Int[np.ndarray, " n"], known: Bool[np.ndarray, " n"]
) -> OpenWorldScores:
    """Return the scores of predicted classes against true ones, numbers from 0.

    `known` says of each image whether its true class is one with labels. A part without images has
    NaN. Raises `InputError` without images and for a negative number.

    Sun et al. (2023), arXiv:2309.11132, sec. 4; Kuhn (1955) for the matching.
    """
    if not len(labels):
        raise InputError("no images: give the labels and predictions of at least one")
    if min(labels.min(), predictions.min()) < 0:
        raise InputError("classes are numbered from 0: a label or prediction is negative")
    match = best_matching(labels, predictions)
    jointly = match[predictions] == labels
    novel = ~known
    novel_match = best_matching(labels[novel], predictions[novel])
    plain = predictions[known] == labels[known]
    return OpenWorldScores(
        known=_part(labels, predictions, known, plain),
        novel=_part(labels, predictions, novel, novel_match[predictions[novel]] == labels[novel]),
        all=_part(labels, predictions, np.ones(len(labels), bool), jointly),
        novel_jointly=_mean(jointly[novel]),
    )


def best_matching(
    labels: Int[np.ndarray, " n"], predictions: Int[np.ndarray, " n"]
) -> Int[np.ndarray, " classes"]:
    """Return the class of each predicted number in the matching with most images in common."""
    from scipy.optimize import linear_sum_assignment

    if not len(labels):
        return np.zeros(0, np.int64)
    size = int(max(labels.max(), predictions.max())) + 1
    counts = np.zeros((size, size), np.int64)
    np.add.at(counts, (predictions, labels), 1)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    return columns[np.argsort(rows)]


def _part(
    labels: np.ndarray, predictions: np.ndarray, part: np.ndarray, right: np.ndarray
) -> PartScores:
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    truth, guess = labels[part], predictions[part]
    if not len(truth):
        return PartScores(np.nan, np.nan, np.nan, 0)
    nmi, ari = normalized_mutual_info_score(truth, guess), adjusted_rand_score(truth, guess)
    return PartScores(_mean(right), float(nmi), float(ari), len(truth))


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan
