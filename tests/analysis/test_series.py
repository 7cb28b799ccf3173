"""Series over an axis: their columns, intervals of a group, and means by decision."""

import json

import numpy as np
import pytest

from salix.analysis import analyse
from salix.analysis.series import series_intervals
from salix.report.sections.series import draw_series
from salix.stats import mean_interval, mean_of_intervals


def test_columns_of_one_measure_and_axis_are_a_series(changing):
    noise, moves = analyse(changing(8)).series
    assert (noise.title, noise.axis, noise.numeric) == ("Noise", "share of pixels", True)
    assert [q.name for q in noise.columns] == ["noise_similarity", "noise_flip"]
    assert noise.table_column(noise.columns[1]).name == "decisions flipped"
    assert noise.table_column(noise.columns[1]).direction == "lower is better"
    assert (moves.title, moves.numeric) == ("Moves", False)


def test_intervals_are_over_runs_or_over_the_images_of_one(changing, planted, simulated):
    runs = changing(20)
    summary = analyse(runs).summary
    intervals = series_intervals(summary.groups[0], "noise_similarity")
    for place in range(4):
        values = [r.rows["noise_similarity"][:, place].astype(np.float64) for r in runs[:3]]
        expected = mean_of_intervals([mean_interval(v) for v in values])  # of runs and images
        assert intervals[place].value == pytest.approx(expected.value)
        assert intervals[place].high == pytest.approx(expected.high)
    alone = series_intervals(analyse(runs[:1]).summary.groups[0], "noise_similarity")
    over = mean_interval(runs[0].rows["noise_similarity"][:, 2])
    assert (alone[2].value, alone[2].n) == (pytest.approx(over.value), 20)
    assert series_intervals(summary.groups[0], "not there") == ()


def test_right_and_wrong_predictions_are_told_apart(changing):
    runs = changing(40)
    analysis = analyse(runs)
    intervals = analysis.decision_splits(analysis.series[0])
    assert [s.name for s in intervals] == [r.name for r in runs]
    rows = runs[4].rows
    right = rows["predicted"] == rows["label"]
    assert 0 < right.sum() < 40
    values = rows["noise_similarity"].astype(np.float64).mean(1)
    assert intervals[4].right.value == pytest.approx(values[right].mean())
    assert intervals[4].wrong.value == pytest.approx(values[~right].mean())
    assert intervals[4].right.n + intervals[4].wrong.n == 40
    assert intervals[4].flips.value == pytest.approx(rows["noise_flip"].mean(), abs=1e-6)


def test_the_figure_holds_every_group_place_and_limit(changing):
    runs = changing(20)
    summary = analyse(runs).summary
    noise, moves = draw_series(analyse(runs))
    lines = json.loads(noise.figure.json)["data"]
    drawn_moves = json.loads(moves.figure.json)
    assert len(lines) == 2 * 2  # groups x columns
    expected = series_intervals(summary.groups[1], "noise_similarity")
    line = lines[1]
    assert line["x"] == [0.0, 0.05, 0.25, 1.0]
    np.testing.assert_allclose(line["y"], [i.value for i in expected])
    ups = [i.high - i.value for i in expected]
    np.testing.assert_allclose(line["error_y"]["array"], ups, atol=1e-5)
    names = drawn_moves["layout"]["yaxis"]["ticktext"]
    assert names == ["flip left-right", "quarter turn", "shift right"]
    np.testing.assert_allclose(
        drawn_moves["data"][0]["x"],
        [i.value for i in series_intervals(summary.groups[0], "geometry_similarity")],
    )
    assert noise.note == "20 images a run; bars: 95 % over runs and images"
