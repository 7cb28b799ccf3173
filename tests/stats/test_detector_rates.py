"""Rates of detectors against scikit-learn and slow definitions; scores of videos; coverage."""

import numpy as np
import pytest
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from scipy.special import ndtr
from sklearn import metrics

from salix.stats import (
    RATES,
    design_effect,
    detection_rate,
    detector_rates,
    minimum_acer,
    video_scores,
)
from salix.stats.resampled_rates import _rates
from salix.typing import InputError


def reference(scores, labels):
    """The same rates by scikit-learn, and by the functions of error rates."""
    fpr, tpr, _ = metrics.roc_curve(labels, scores, drop_intermediate=False)
    curve = interp1d(fpr, tpr)
    rates = {
        "auc": metrics.roc_auc_score(labels, scores),
        "ap": metrics.average_precision_score(labels, scores),
        "eer": brentq(lambda x: 1 - x - curve(x), 0, 1),
        "acer": minimum_acer(scores, labels).value,
    }
    levels = {f"tpr_{f:g}": detection_rate(scores, labels, f) for f in (0.001, 0.01, 0.05)}
    return rates | levels


@pytest.mark.parametrize("decimals", [1, 6])
def test_rates_are_those_of_scikit_learn(decimals):
    rng = np.random.default_rng(decimals)
    labels = rng.integers(0, 2, 300)
    scores = np.round(rng.normal(size=300) + labels, decimals)
    rates = detector_rates(scores, labels, draws=20)
    for key, value in reference(scores, labels).items():
        assert rates[key].value == pytest.approx(value, abs=1e-12), key
        if np.isfinite(rates[key].low):
            assert rates[key].low <= value <= rates[key].high


def test_weights_count_as_repeated_images():
    rng = np.random.default_rng(2)
    labels, scores = np.tile([0, 1], 20), -np.sort(-np.round(rng.normal(size=40), 1))
    weights = rng.integers(0, 3, 40)
    ends = np.flatnonzero(np.append(np.diff(scores) != 0, True))
    own = _rates(weights[None].astype(float), labels, ends)[0]
    expected = reference(np.repeat(scores, weights), np.repeat(labels, weights))
    np.testing.assert_allclose(own, [expected[key] for key in RATES], atol=1e-12)


def test_low_false_positive_rates_need_as_many_clusters():
    rng = np.random.default_rng(5)
    labels, clusters = np.repeat([0, 1], 400), np.arange(800) // 4
    rates = detector_rates(rng.normal(size=800) + labels, labels, clusters=clusters, draws=20)
    assert np.isfinite([rates["tpr_0.01"].low, rates["tpr_0.05"].low]).all()
    assert np.isnan(rates["tpr_0.001"].low)
    assert 0 <= rates["tpr_0.001"].value <= 1


def test_undefined_scores_one_class_and_one_video_a_class():
    scores, labels = np.array([0.1, np.nan, 0.4, 0.3, np.inf, 0.8]), np.array([0, 0, 0, 1, 1, 1])
    rates = detector_rates(scores, labels, clusters=labels)
    assert (rates["eer"].n, rates["eer"].undefined, rates["eer"].clusters) == (4, 2, 2)
    assert np.isnan(rates["eer"].low)
    assert np.isnan(detector_rates(scores, labels * 0)["ap"].value)
    with pytest.raises(InputError, match="a label, 0 or 1"):
        detector_rates(scores, labels + 1)
    perfect = detector_rates(labels * 1.0, labels)
    assert perfect["auc"].low == perfect["ap"].low == pytest.approx(0.025 ** (1 / 3))
    assert perfect["eer"].high == pytest.approx(1 - 0.025 ** (1 / 3))


@pytest.mark.parametrize("how", ["mean", "max", "top3"])
def test_scores_of_videos(how):
    rng = np.random.default_rng(3)
    clusters = rng.integers(0, 12, 90)
    labels, scores = rng.integers(0, 2, 90), rng.normal(size=90)
    scores[rng.random(90) < 0.1] = np.nan
    videos = video_scores(scores, labels, clusters, how=how)
    slow = {}
    for video in sorted({*zip(clusters.tolist(), labels.tolist(), strict=True)}):
        own = scores[(clusters == video[0]) & (labels == video[1])]
        own = np.sort(own[np.isfinite(own)])[::-1]
        if len(own):
            slow[video] = {"mean": own.mean(), "max": own[0], "top3": own[:3].mean()}[how]
    np.testing.assert_allclose(videos.scores, list(slow.values()))
    assert videos.labels.tolist() == [label for _, label in slow]
    assert (videos.frames.sum(), videos.undefined) == (
        90 - videos.undefined,
        np.isnan(scores).sum(),
    )


def test_other_scores_of_videos_are_refused_and_the_design_effect():
    with pytest.raises(InputError, match="choose mean, max, or top5"):
        video_scores([0.1], [0], [0], how="top0")
    assert design_effect([32] * 9, 0.5) == 16.5
    assert design_effect([1, 3], 0.5) == 1.75
    assert design_effect([32] * 9, -0.1) == 1


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_intervals_over_videos_cover_and_those_over_frames_do_not(correlation):
    """60 data sets of 20 videos x 32 frames: a standard error of 0.03 at 0.95."""
    rng, hits = np.random.default_rng(4), {"videos": [], "frames": []}
    video = np.repeat(np.arange(20), 32)
    labels = video % 2
    for _ in range(60):
        noise = np.sqrt(1 - correlation) * rng.normal(size=640)
        scores = 1.5 * labels + np.sqrt(correlation) * rng.normal(size=20)[video] + noise
        for name, clusters in (("videos", video), ("frames", None)):
            rates = detector_rates(scores, labels, clusters=clusters, draws=100)
            truth = {"auc": ndtr(1.5 / 2**0.5), "eer": ndtr(-0.75)}
            hits[name].append([rates[k].low <= v <= rates[k].high for k, v in truth.items()])
    assert (np.mean(hits["videos"], axis=0) >= 0.86).all()
    if correlation:
        assert (np.mean(hits["frames"], axis=0) < 0.6).all()
