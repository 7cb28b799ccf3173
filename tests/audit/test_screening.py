"""Screening of properties: planted ones, clean data, and errors."""

import numpy as np
import pytest
from sklearn import metrics

from salix.audit.joint import joint_predictor
from salix.audit.properties import Property
from salix.audit.screening import format_columns, screen
from salix.typing import InputError


def clean(rng, groups=20, frames=4, rho=0.4, count=8, across=False):
    """Correlated properties of images in groups, one rounded, one a flag, one often unknown."""
    n, clusters = groups * frames, np.repeat(np.arange(groups), frames)
    mixing = rng.normal(size=(count, count)) / np.sqrt(count)
    effects = rng.normal(size=(groups, count)) @ mixing
    values = np.sqrt(rho) * effects[clusters]
    values += np.sqrt(1 - rho) * rng.normal(size=(n, count)) @ mixing
    values[:, 0] = np.round(values[:, 0])
    values[:, 1] = values[:, 1] > 1
    values[rng.random(n) < 0.2, 2] = np.nan
    labels = np.tile([0, 1], n // 2) if across else np.repeat([0, 1], n // 2)
    columns = [(Property(f"p{i}", f"p{i}", "pixels"), values[:, i]) for i in range(count)]
    return columns, labels, clusters


def test_planted_properties_are_alarming_and_the_rest_is_not():
    columns, labels, clusters = clean(np.random.default_rng(0))
    noise = np.random.default_rng(1).normal(size=(2, 80))
    columns.append((Property("low", "low", "file"), noise[0] - 3 * labels))
    columns.append((Property("name", "name", "name"), noise[1] + 3 * labels))
    columns.append((Property("same", "same", "file"), np.ones(80)))
    screening = screen(columns, labels, ("real", "fake"), clusters=clusters, draws=1999)
    assert screening.alarms[0].number.key == "joint"
    assert {s.number.key for s in screening.alarms[1:]} == {"low", "name"}
    low = next(s for s in screening.properties if s.number.key == "low")
    assert (low.higher, low.area.clusters) == (0, 20)
    assert 0.9 < low.area.low < low.area.value < low.area.high <= 1
    assert np.isnan(screening.properties[-1].p)
    assert screening.tests == 11


def test_one_property_of_extremes_is_in_the_joint_predictor_alone():
    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1], 60)
    values = np.where(labels == 1, rng.choice([-2, 2], 120), 0) + 0.5 * rng.normal(size=120)
    screening = screen([(Property("x", "x", "pixels"), values)], labels, ("a", "b"), draws=999)
    assert [s.number.key for s in screening.alarms] == ["joint"]
    assert screening.joint.area.value > 0.9


def test_format_columns():
    assert [p.key for p, _ in format_columns(["PNG", "JPEG", "JPEG"])] == ["format_jpeg"]
    three = format_columns(["PNG", "JPEG", "JPEG", "WEBP", "", ""])
    assert {p.key for p, _ in three} == {"format_jpeg", "format_png", "format_webp"}


@pytest.mark.parametrize(
    ("sizes", "clusters", "message"),
    [
        ((2, 1), None, "2 of real and 1 of fake: an audit compares images, at least 4"),
        ((9, 9), [0] * 18, "all 18 images are of one group"),
        ((9, 9), [0] * 9 + [1] * 9, "1 of real and 1 of fake: an audit compares groups of images"),
    ],
)
def test_too_few(sizes, clusters, message):
    labels = np.repeat([0, 1], sizes)
    columns = [(Property("x", "x", "pixels"), np.arange(len(labels)) * 1.0)]
    with pytest.raises(InputError, match=message):
        screen(columns, labels, ("real", "fake"), clusters=clusters and np.array(clusters))


def test_few_groups_have_no_power():
    columns, labels, clusters = clean(np.random.default_rng(4), groups=8)
    assert not screen(columns, labels, ("a", "b"), clusters=clusters, draws=99).has_power


@pytest.mark.slow
@pytest.mark.parametrize(
    ("groups", "frames", "rho", "across"),
    [(16, 8, 0.5, False), (16, 8, 0.5, True), (60, 1, 0.0, False), (12, 16, 0.9, False)],
)
def test_clean_data_have_an_alarm_at_most_at_the_nominal_rate(groups, frames, rho, across):
    """100 data sets each: at most 10 alarms with a probability of 0.99 at a rate of 0.05."""
    rng = np.random.default_rng(5)
    alarms, joint = 0, 0
    for seed in range(100):
        columns, labels, clusters = clean(rng, groups, frames, rho, across=across)
        own = clusters if frames > 1 else None
        screening = screen(columns, labels, ("a", "b"), clusters=own, draws=999, seed=seed)
        alarms += bool(screening.alarms)
        joint += screening.joint.p <= 0.05
    assert alarms <= 10
    assert joint <= 10


def test_a_group_is_in_one_fold():
    """A property that names the group and not the class predicts nothing."""
    rng = np.random.default_rng(6)
    clusters, labels = np.repeat(np.arange(30), 6), np.repeat(rng.permutation(30) % 2, 6)
    table = rng.normal(size=(30, 12))[clusters]
    by_group = joint_predictor(table, labels, clusters)
    assert abs(metrics.roc_auc_score(labels, by_group.scores) - 0.5) < 0.2
    assert abs(by_group.p - 0.5) < 0.49
    assert joint_predictor(table, labels).p < 0.02  # the same images, taken as independent
