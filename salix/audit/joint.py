r"""One predictor of the class from all properties: ridge regression, cross-validated by groups.

Its features are the ranks of each property, their squares, and a flag of unknown values, all of
unit variance: so it sees rises, falls and extremes, in any unit. The penalty is the number of
features over that of groups. As its scores depend on the labels that it was fitted to, a test of
fixed scores rejects too often (10 % for 5 %); the labels are exchanged before each fit instead,
which closed-form fits allow.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from salix.stats.label_exchange import LabelExchange

FOLDS = 5
DRAWS, LEAST_DRAWS, IMAGES = 999, 499, 50_000  # fewer draws for more images than this
CHUNK = 2**22  # scores of exchanged labels in memory at once
NEAR = 1e-9


@dataclass(frozen=True, eq=False)
class JointPredictor:
    """Scores `[image]` of images by fits to other groups, and the p-value of their area."""

    scores: np.ndarray
    p: float


def joint_predictor(
    table: np.ndarray, labels: np.ndarray, clusters: Any = None, *, seed: int = 0
) -> JointPredictor:
    """Fit `labels[image]`, 0 or 1, to `table[image, property]`, NaN where unknown, in five folds.

    All images of a group are in one fold; folds do not depend on the labels. p is one-sided, over
    exchanges of labels (`LabelExchange`), at least 1/1000.
    """
    exchange = LabelExchange.of(labels, clusters)
    own = np.arange(len(labels)) if clusters is None else np.asarray(clusters)
    groups = np.unique(own, return_inverse=True)[1].reshape(len(labels))
    rng = np.random.default_rng(seed)
    count = int(groups.max()) + 1
    folds = rng.permutation(np.arange(count) % min(FOLDS, count))[groups]
    x = _features(table)
    maps = _hat_matrices(x, folds, x.shape[1] / count)
    scores = _scores(x, folds, maps, labels[:, None].astype(np.float64))
    least = _statistic(scores, labels[:, None])[0]
    draws = int(np.clip(DRAWS * IMAGES // len(labels), LEAST_DRAWS, DRAWS))
    beyond, left = 0, draws
    while left:
        some = min(left, max(1, CHUNK // len(labels)))
        y = exchange.draw(some, rng).T[exchange.unit]
        statistic = _statistic(_scores(x, folds, maps, y.astype(np.float64)), y)
        beyond += int((statistic >= least - NEAR * max(abs(least), 1)).sum())
        left -= some
    return JointPredictor(scores[:, 0], max((1 + beyond) / (1 + draws), exchange.least_p))


def _features(table: np.ndarray) -> np.ndarray:
    """Return features of unit variance, [image, feature]; those that do not vary are left out."""
    columns = []
    for values in table.T:
        known = np.isfinite(values)
        ranks = np.zeros(len(values))
        ranks[known] = stats.rankdata(values[known]) / known.sum() - 0.5
        columns += [ranks, ranks**2, 1.0 * known]
    x = np.stack(columns, axis=1)
    x = x - x.mean(0)
    spread = x.std(0)
    varied = spread > NEAR
    return x[:, varied] / spread[varied]


def _hat_matrices(x: np.ndarray, folds: np.ndarray, penalty: float) -> list[np.ndarray]:
    """Return for each fold the inverse of the penalised covariance of the others."""
    identity = np.eye(x.shape[1])
    fits = [x[folds != fold] for fold in range(int(folds.max()) + 1)]
    return [np.linalg.inv(own.T @ own / len(own) + penalty * identity) for own in fits]


def _scores(
    x: np.ndarray, folds: np.ndarray, maps: list[np.ndarray], labels: np.ndarray
) -> np.ndarray:
    """Return scores [image draw] of fits to the labels [image draw] of the other folds."""
    scores = np.empty(labels.shape)
    for fold, inverse in enumerate(maps):
        fitted = folds != fold
        y = labels[fitted] - labels[fitted].mean(0)
        scores[~fitted] = x[~fitted] @ (inverse @ (x[fitted].T @ y / fitted.sum()))
    return scores


def _statistic(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return $(A - 1/2) \\sqrt{m n}$ of each draw; infinite for labels of one class alone."""
    ranks = stats.rankdata(scores, axis=0) - (len(scores) + 1) / 2
    m = labels.sum(0, dtype=np.float64)
    products = m * (len(scores) - m)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = (ranks * labels).sum(0) / np.sqrt(products)
    return np.where(products > 0, statistic, np.inf)
