"""Rates of two-class detectors by frame and by video, and the design effect of frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from salix.analysis.frame import Frame
from salix.analysis.grouped_rows import class_icc
from salix.analysis.run_metrics import AUC
from salix.stats import Interval, design_effect, detector_rates, video_scores

LEVELS = ("mean", "max", "top5")  # scores of a video


@dataclass(frozen=True, eq=False)
class VideoRates:
    """Rates of one run, `frames` by frame and `videos` by the scores of a video, by their keys.

    `counts` are the videos of either class, `per_video` the mean number of frames. `correlation`
    is the intraclass correlation of the log odds in videos, `effect` the design effect.
    """

    run: str
    group: str
    frames: Mapping[str, Interval]
    videos: Mapping[str, Mapping[str, Interval]]
    counts: tuple[int, int]
    per_video: float
    correlation: float
    effect: float


def video_rates(frames: Sequence[Frame], *, levels: Sequence[str] = LEVELS) -> list[VideoRates]:
    """Return the rates of each run of two logits whose labelled images are in groups.

    The score is the probability of class 1; that of a video is `video_scores` of its frames. The
    intervals resample groups. The frames of one group and class are one video.
    """
    return [_of_run(frame, levels) for frame in frames if _has_videos(frame)]


def _has_videos(frame: Frame) -> bool:
    return (
        AUC.applies(frame)
        and frame.clusters is not None
        and len(np.unique(frame.labels[frame.labels >= 0])) == 2
    )


def _of_run(frame: Frame, levels: Sequence[str]) -> VideoRates:
    known = frame.labels >= 0
    margins = frame.margins[known]
    labels, clusters = frame.labels[known], np.asarray(frame.clusters)[known]
    scores = special.expit(margins)
    videos = {how: video_scores(scores, labels, clusters, how=how) for how in levels}
    one = video_scores(scores, labels, clusters)
    correlation, _ = class_icc(margins, labels, clusters)
    return VideoRates(
        frame.run.name,
        frame.run.group,
        # By log odds: probabilities of 0 and 1 after rounding are no ties of theirs
        detector_rates(margins, labels, clusters=clusters),
        {how: detector_rates(v.scores, v.labels, clusters=v.clusters) for how, v in videos.items()},
        (int((one.labels == 0).sum()), int((one.labels == 1).sum())),
        float(one.frames.mean()) if len(one.frames) else 0.0,
        correlation,
        design_effect(np.unique(clusters, return_counts=True)[1], correlation),
    )
