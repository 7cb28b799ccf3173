r"""One score for each video, from the scores of its frames, and the design effect of frames."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from salix.stats.clusters import cluster_codes
from salix.typing import InputError

TOP = re.compile(r"top([1-9]\d*)")


@dataclass(frozen=True, eq=False)
class VideoScores:
    """Scores and labels of videos; `clusters[video]` are the codes of the clusters they are from.

    `frames[video]` are the numbers of frames with a score, `undefined` that of frames without.
    """

    scores: np.ndarray
    labels: np.ndarray
    clusters: np.ndarray
    frames: np.ndarray
    undefined: int


def video_scores(scores: Any, labels: Any, clusters: Any, *, how: str = "mean") -> VideoScores:
    """Score the videos of `scores[frame]` by `how`: "mean", "max", or "top5", the mean of 5.

    `clusters[frame]` names the video of each frame; the frames of one cluster with different
    labels, such as the real and forged videos of one identity, are videos of their own. A video
    with fewer than k frames has the mean of all. NaN and infinite scores are left out and counted.
    Raises `InputError` for another `how`.
    """
    top = TOP.fullmatch(how)
    if how not in ("mean", "max") and top is None:
        raise InputError(f"videos are scored by {how!r}: choose mean, max, or top5 for the 5 best")
    s, y = np.asarray(scores, np.float64), np.asarray(labels)
    codes = cluster_codes(clusters, len(s))
    own = np.arange(len(s)) if codes is None else codes
    known = np.isfinite(s)
    cells, video = np.unique(2 * own[known] + y[known], return_inverse=True)
    # By video, and falling scores within each
    order = np.lexsort((-s[known], video.reshape(-1)))
    x, sizes = s[known][order], np.bincount(video.reshape(-1), minlength=len(cells))
    starts = np.cumsum(sizes) - sizes
    most = int(top[1]) if top else 1 if how == "max" else len(s)
    rank = np.arange(len(x)) - np.repeat(starts, sizes)
    sums = np.add.reduceat(np.where(rank < most, x, 0), starts) if len(x) else np.zeros(0)
    means = sums / np.minimum(sizes, most)
    return VideoScores(means, cells % 2, cells // 2, sizes, int((~known).sum()))


def design_effect(sizes: Any, correlation: float) -> float:
    r"""Variance of a mean over clusters, relative to independent images: $1 + (m - 1) \rho$.

    $m = \sum_g n_g^2 / \sum_g n_g$ of clusters of `sizes` n_g; $\rho$ is the intraclass
    `correlation`, of which negative values count as 0. Kish (1965), Survey Sampling, sec. 5.4.
    """
    n = np.asarray(sizes, np.float64)
    m = float((n**2).sum() / n.sum()) if n.sum() else 1.0
    return 1 + (m - 1) * max(correlation, 0.0)
