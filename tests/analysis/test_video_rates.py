"""Rates by video against scikit-learn, on the scores that a run exports."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn import metrics

from salix.analysis import Frame
from salix.analysis.video_rates import video_rates
from salix.store.export import export_runs
from salix.typing import Column

GROUP = Column("group", dtype="string")


def equal_error(labels, scores):
    """The crossing of the ROC curve, linear between thresholds, with 1 - FPR, exactly."""
    fpr, tpr, _ = metrics.roc_curve(labels, scores, drop_intermediate=False)
    gap = fpr - (1 - tpr)  # rising
    j = int(np.argmax(gap >= 0))
    share = -gap[j - 1] / (gap[j] - gap[j - 1]) if gap[j] else 1.0
    return fpr[j - 1] + share * (fpr[j] - fpr[j - 1])


@pytest.fixture
def run(planted, simulated):
    """60 clips of 1 to 9 frames, some of both classes; scores with ties, rows without labels."""
    rng = np.random.default_rng(0)
    clips = np.repeat(np.arange(60), rng.integers(1, 10, 60))
    effects, rows = rng.normal(size=60), simulated(len(clips), 0)
    for row, clip in zip(rows, clips, strict=True):
        both = clip % 7 == 0
        row["label"] = int(rng.integers(2)) if both else int(clip % 2)
        z = np.round(row["label"] + effects[clip] + rng.normal(), 1)  # ties
        row |= {"group": f"fake/{clip}.mp4", "logits": [float(-z / 2), float(z / 2)]}
        row["label"] = -1 if rng.random() < 0.05 else row["label"]
    return planted(rows, name="one", columns=(GROUP,), grid=(8, 8), extra=("group",))


def test_rates_are_those_of_scikit_learn_on_exported_scores(run, tmp_path):
    export_runs([run], tmp_path / "rows", columns=["group", "label", "logits"])
    rows = pq.read_table(tmp_path / "rows").to_pydict()
    groups, labels = (
        np.array(rows["group"]),
        np.array([-1 if y is None else y for y in rows["label"]]),
    )
    odds = np.diff(np.array(rows["logits"], np.float64), axis=1)[:, 0]
    scores = 1 / (1 + np.exp(-odds))
    by_level = {
        "mean": np.mean,
        "max": np.max,
        "top5": lambda x: np.sort(x)[::-1][:5].mean(),
    }
    (rates,) = video_rates([Frame(run)])
    compared = {"frames": (labels[labels >= 0], odds[labels >= 0], rates.frames)}
    videos = sorted({v for v in zip(groups, labels, strict=True) if v[1] >= 0})
    for level, reduce in by_level.items():
        own = [reduce(scores[(groups == group) & (labels == label)]) for group, label in videos]
        of_videos = np.array([label for _, label in videos]), np.array(own)
        compared[level] = (*of_videos, rates.videos[level])
    assert rates.counts == tuple(np.bincount(compared["mean"][0]))
    assert sum(rates.counts) > 60  # clips with both classes are two videos
    assert rates.per_video == pytest.approx((labels >= 0).sum() / len(videos), abs=1e-12)
    for level, (y, x, own) in compared.items():
        expected = {
            "auc": metrics.roc_auc_score(y, x),
            "eer": equal_error(y, x),
            "ap": metrics.average_precision_score(y, x),
        }
        for key, value in expected.items():
            assert own[key].value == pytest.approx(value, abs=1e-12), (level, key)
        assert own["auc"].n == len(y)
