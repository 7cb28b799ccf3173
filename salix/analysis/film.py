"""Frames of videos over time: scores of each run, and the frames of a film strip."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from salix.analysis.frame import Frame, shared_examples
from salix.analysis.run_metrics import AUC

LEAST = 4  # frames of a video that is shown
FRAMES = 8  # of a film strip


@dataclass(frozen=True, eq=False)
class Film:
    """One video: times [frame] in seconds, and probabilities of class 1 [run frame].

    `ids` are those of the frames, `strip` the places of the frames of its film strip, evenly from
    the first to the last. `spread` is the mean over runs of the standard deviation of the log odds
    over time.
    """

    group: str
    label: int
    runs: tuple[str, ...]
    ids: tuple[str, ...]
    times: np.ndarray
    probabilities: np.ndarray
    strip: tuple[int, ...]
    spread: float


def films(frames: Sequence[Frame]) -> tuple[Film, ...]:
    """Choose a video of each label: that whose log odds vary most over time.

    Of the videos that all runs of two logits measured, with the same frames and at least `LEAST`
    of them; a video is the frames of one group and label that have a time. () without any.
    """
    frames = [f for f in frames if AUC.applies(f) and f.has("frame_time", "group")]
    if not frames:
        return ()
    ids, places = shared_examples(frames)
    own = places[0]
    rows = frames[0].run.read(["frame_time", "group"])
    times, groups = rows["frame_time"][own], rows["group"][own]
    labels = frames[0].labels[own]
    margins = np.array([f.margins[i] for f, i in zip(frames, places, strict=True)])
    known = np.isfinite(times) & (labels >= 0) & np.isfinite(margins).all(0)
    known &= np.array([bool(g) for g in groups], bool)
    best: dict[int, Film] = {}
    members: dict[tuple[str, int], list[int]] = {}
    for i in np.flatnonzero(known):
        members.setdefault((str(groups[i]), int(labels[i])), []).append(int(i))
    for (group, label), video in members.items():
        if len(video) < LEAST:
            continue
        order = np.array(video)[np.argsort(times[video], kind="stable")]
        spread = float(margins[:, order].std(1, ddof=1).mean())
        if label not in best or spread > best[label].spread:
            best[label] = Film(
                group,
                label,
                tuple(f.run.name for f in frames),
                tuple(str(ids[i]) for i in order),
                times[order],
                special.expit(margins[:, order]),
                tuple(np.unique(np.linspace(0, len(order) - 1, FRAMES).astype(int)).tolist()),
                spread,
            )
    return tuple(best[label] for label in sorted(best))
