"""Curves of detectors against scikit-learn, and their figures on the page."""

import json

import numpy as np
import pytest
from sklearn import calibration as sklearn_calibration
from sklearn import metrics

from salix.analysis import Frame
from salix.analysis.detector_curves import detector_curves
from salix.report import write
from salix.report.sections import curves
from salix.stats import calibration, drawn_points, roc_points
from salix.typing import Column, InputError


@pytest.fixture(scope="module")
def scored():
    """Probabilities with ties, and labels."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 300)
    return np.round(1 / (1 + np.exp(-2 * rng.normal(size=300) - 2 * labels + 1)), 2), labels


def test_points_and_bins_are_those_of_scikit_learn(scored):
    p, labels = scored
    fpr, tpr, _ = metrics.roc_curve(labels, p, drop_intermediate=False)
    np.testing.assert_allclose(roc_points(p, labels), (fpr, tpr))
    shares, means = sklearn_calibration.calibration_curve(labels, p, n_bins=10)
    own = calibration(p, labels)
    np.testing.assert_allclose(own.probabilities, means)
    np.testing.assert_allclose([s.value for s in own.shares], shares)
    assert own.error == pytest.approx((own.counts * abs(shares - means)).sum() / 300)


def test_error_by_chance_is_that_of_calibrated_detectors():
    rng = np.random.default_rng(1)
    p = rng.random(400)
    errors = [calibration(p, rng.random(400) < p).error for _ in range(60)]
    assert calibration(p, rng.random(400) < p).chance == pytest.approx(np.mean(errors), rel=0.1)


def test_drawn_points_stay_on_the_curve(scored):
    fpr, tpr = roc_points(np.random.default_rng(2).normal(size=4000), np.arange(4000) % 2)
    places = drawn_points(fpr, tpr, most=100)
    assert len(places) <= 101
    assert (places[0], places[-1]) == (0, len(fpr) - 1)
    assert abs(np.interp(fpr, fpr[places], tpr[places]) - tpr).max() < 0.03
    few = roc_points(*scored)
    kept = drawn_points(*few)
    assert np.trapezoid(few[1][kept], few[0][kept]) == pytest.approx(np.trapezoid(few[1], few[0]))


def test_what_has_no_curve_is_refused(scored):
    with pytest.raises(InputError, match="give scores of both classes"):
        roc_points([0.1, 0.2], [1, 1])
    with pytest.raises(InputError, match="outside"):
        calibration([1.2], [1])
    assert np.isnan(calibration([np.nan], [1]).error)


def test_the_page_has_curves_of_grouped_images(planted, simulated, tmp_path):
    rows = simulated(80, 0)
    for i, row in enumerate(rows):
        row["group"] = f"clip {i // 4}"
    group = Column("group", dtype="string")
    run = planted(rows, name="one", grid=(8, 8), columns=(group,), extra=("group",))
    page = write([run], tmp_path / "page.html", sections=(curves.build,)).read_text()
    data = json.loads((tmp_path / "page.json").read_text())["curves"][0]
    margins = np.diff(run.read(["logits"])["logits"].astype(float), axis=1)[:, 0]
    labels = run.read(["label"])["label"]
    assert (data["images"], data["clusters"]) == ([40, 40], 20)
    assert data["auc"]["value"] == pytest.approx(metrics.roc_auc_score(labels, margins))
    fpr, tpr, _ = metrics.roc_curve(labels, margins, drop_intermediate=False)
    assert np.interp(data["equal_error"], fpr, tpr) == pytest.approx(1 - data["equal_error"])
    assert page.count('data-figure="curves-') == 4
    assert "40 + 40 images in 20 groups" in page
    unlabelled = planted(
        [{k: v for k, v in r.items() if k != "label"} for r in simulated(9, 0)], grid=(8, 8)
    )
    assert detector_curves([Frame(unlabelled)]) is None
